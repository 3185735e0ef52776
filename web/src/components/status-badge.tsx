import { Badge } from "@/components/ui/badge"
import type { StatusLook } from "@/lib/status"
import { cn } from "@/lib/utils"

/** A status as icon, word and colour. */
export function StatusBadge({ look }: { look: StatusLook }) {
  const Icon = look.icon
  return (
    <Badge tone={look.tone}>
      <Icon aria-hidden className={cn(look.busy && "motion-safe:animate-spin")} />
      {look.label}
    </Badge>
  )
}
