import { stepElapsed, stepTitle, type Step } from "@/features/stores/store-model"
import { formatDuration } from "@/lib/format"
import { stepStatusLook, type Tone } from "@/lib/status"
import { useNow } from "@/lib/use-now"
import { cn } from "@/lib/utils"

const iconTones: Record<Tone, string> = {
  success: "text-success",
  warning: "text-warning",
  danger: "text-danger",
  info: "text-info",
  neutral: "text-muted-foreground",
}

/** The steps of an operation in their order: state, title, what it is at, how long it takes. */
export function StepList({ steps, label }: { steps: readonly Step[]; label: string }) {
  const busy = steps.some((step) => stepStatusLook(step.status).busy)
  const now = useNow(busy ? 1000 : null)
  return (
    <ol aria-label={label} className="grid gap-0">
      {steps.map((step, index) => (
        <StepRow key={step.id} step={step} now={now} last={index === steps.length - 1} />
      ))}
    </ol>
  )
}

function StepRow({ step, now, last }: { step: Step; now: number; last: boolean }) {
  const look = stepStatusLook(step.status)
  const Icon = look.icon
  const elapsed = stepElapsed(step, now)
  const pending = step.status === "pending"
  return (
    <li className="flex gap-2.5" data-status={step.status}>
      <span aria-hidden className="flex flex-col items-center">
        <Icon
          className={cn("size-4 shrink-0", iconTones[look.tone], look.busy && "motion-safe:animate-spin")}
        />
        {last ? null : <span className="my-0.5 w-px flex-1 bg-border" />}
      </span>
      <div className={cn("min-w-0 flex-1", !last && "pb-2.5")}>
        <p className="flex items-baseline justify-between gap-3 text-sm leading-4">
          <span
            className={cn(
              "min-w-0 wrap-anywhere",
              pending ? "text-muted-foreground" : "text-foreground",
              look.busy && "font-semibold",
            )}
          >
            {stepTitle(step)}
            <span className="sr-only">: {look.label}</span>
          </span>
          {elapsed === null ? null : (
            <span className="shrink-0 text-xs text-muted-foreground tabular-nums">
              {formatDuration(elapsed)}
            </span>
          )}
        </p>
        {step.detail !== null && step.detail !== "" && !pending ? (
          <p
            className={cn(
              "mt-1 line-clamp-3 text-xs wrap-anywhere",
              look.tone === "danger" ? "text-danger" : "text-muted-foreground",
            )}
          >
            {step.detail}
          </p>
        ) : null}
      </div>
    </li>
  )
}
