import { CircleCheckBig, CircleX, Hourglass, Store as StoreIcon, type LucideIcon } from "lucide-react"
import { Card } from "@/components/ui/card"
import { Skeleton } from "@/components/ui/skeleton"
import type { StoreMetrics } from "@/features/stores/store-model"
import type { Tone } from "@/lib/status"
import { cn } from "@/lib/utils"

const metrics: { key: keyof StoreMetrics; label: string; icon: LucideIcon; tone: Tone }[] = [
  { key: "total", label: "Total Stores", icon: StoreIcon, tone: "info" },
  { key: "active", label: "Active Stores", icon: CircleCheckBig, tone: "success" },
  { key: "provisioning", label: "Provisioning", icon: Hourglass, tone: "warning" },
  { key: "failed", label: "Failed", icon: CircleX, tone: "danger" },
]

const tones: Record<Tone, string> = {
  info: "bg-info-bg text-info",
  success: "bg-success-bg text-success",
  warning: "bg-warning-bg text-warning",
  danger: "bg-danger-bg text-danger",
  neutral: "bg-neutral-bg text-neutral",
}

/** The four numbers; `null` while they are not known. */
export function MetricCards({ counts }: { counts: StoreMetrics | null }) {
  return (
    <dl className="grid grid-cols-2 gap-3 sm:gap-4 lg:grid-cols-4" aria-label="Stores by status">
      {metrics.map(({ key, label, icon: Icon, tone }) => (
        <Card
          key={key}
          className="grid grid-cols-[auto_1fr] items-center gap-x-3 gap-y-2 p-4 sm:flex sm:gap-4 sm:p-5"
        >
          <dt className="order-3 col-span-2 text-sm leading-tight font-medium text-muted-foreground sm:order-2">
            {label}
          </dt>
          <dd className="contents">
            <span
              aria-hidden
              className={cn(
                "order-1 grid size-10 shrink-0 place-items-center rounded-xl sm:size-12",
                tones[tone],
              )}
            >
              <Icon className="size-5 sm:size-6" />
            </span>
            {counts === null ? (
              <Skeleton className="order-2 ml-auto h-8 w-8 sm:order-3" />
            ) : (
              <span className="order-2 ml-auto text-3xl font-bold sm:order-3 tabular-nums">
                {counts[key]}
              </span>
            )}
          </dd>
        </Card>
      ))}
    </dl>
  )
}
