import { CheckCircle2, CloudOff, LoaderCircle } from "lucide-react"
import { useEffect, useState } from "react"
import type { Liveness } from "@/lib/liveness"
import { cn } from "@/lib/utils"

/** How long it is said that the connection is back. */
const relief = 4_000

/**
 * Says while the live connection is broken that the page is not live, since when, and for a moment that it is back. The
 * pill beside it announces the same to a screen reader, so this one does not speak.
 */
export function ConnectionBanner({ liveness }: { liveness: Liveness }) {
  const [shown, setShown] = useState<"lost" | "back" | null>(null)
  const lost = liveness === "reconnecting" || liveness === "offline"
  if (lost && shown !== "lost") setShown("lost")
  if (liveness === "live" && shown === "lost") setShown("back")

  useEffect(() => {
    if (shown !== "back") return undefined
    const timer = setTimeout(() => setShown(null), relief)
    return () => clearTimeout(timer)
  }, [shown])

  if (shown === null) return null
  return (
    <div
      data-slot="connection-banner"
      className={cn(
        "flex items-center justify-center gap-2 border-t px-4 py-1.5 text-center text-xs font-semibold sm:text-sm",
        shown === "back" ? "bg-success-bg text-success" : "bg-warning-bg text-warning",
      )}
    >
      {shown === "lost" ? (
        <Lost offline={liveness === "offline"} />
      ) : (
        <>
          <CheckCircle2 aria-hidden className="size-4 shrink-0" />
          Live again. What you see is up to date.
        </>
      )}
    </div>
  )
}

function Lost({ offline }: { offline: boolean }) {
  const [since] = useState(() => new Date())
  return (
    <>
      {offline ? (
        <CloudOff aria-hidden className="size-4 shrink-0" />
      ) : (
        <LoaderCircle aria-hidden className="size-4 shrink-0 motion-safe:animate-spin" />
      )}
      <span>
        {offline ? "This device is offline." : "The live connection was lost; reconnecting."} What you see is
        from{" "}
        <time dateTime={since.toISOString()} className="tabular-nums">
          {since.toLocaleTimeString()}
        </time>
        .
      </span>
    </>
  )
}
