import type { Liveness } from "@/lib/liveness"
import { cn } from "@/lib/utils"

const words: Record<Liveness, { label: string; title: string; dot: string }> = {
  live: { label: "Live", title: "Changes arrive as they happen", dot: "bg-success" },
  connecting: { label: "Connecting", title: "Opening the live connection", dot: "bg-neutral" },
  reconnecting: {
    label: "Reconnecting",
    title: "The live connection was lost; what you see may be out of date",
    dot: "bg-warning",
  },
  offline: {
    label: "Offline",
    title: "This device has no network; what you see may be out of date",
    dot: "bg-danger",
  },
}

/** Whether the page is live. */
export function ConnectionPill({ liveness }: { liveness: Liveness }) {
  const { label, title, dot } = words[liveness]
  return (
    <span
      role="status"
      title={title}
      className="inline-flex h-8 items-center gap-2 rounded-full border bg-card px-3 text-xs font-semibold"
    >
      <span aria-hidden className="relative flex size-2">
        {liveness === "live" ? (
          <span className={cn("absolute inset-0 rounded-full opacity-60 motion-safe:animate-ping", dot)} />
        ) : null}
        <span className={cn("relative size-2 rounded-full", dot)} />
      </span>
      {label}
    </span>
  )
}
