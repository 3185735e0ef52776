import { useEffect, useState, useSyncExternalStore } from "react"
import { useConnection } from "@/lib/connection"
import { cn } from "@/lib/utils"

function subscribeOnline(listener: () => void): () => void {
  window.addEventListener("online", listener)
  window.addEventListener("offline", listener)
  return () => {
    window.removeEventListener("online", listener)
    window.removeEventListener("offline", listener)
  }
}

type Shown = "live" | "connecting" | "reconnecting" | "offline"

const words: Record<Shown, { label: string; title: string; dot: string }> = {
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

/** Whether the page is live. A break of less than two seconds is not worth a word. */
export function ConnectionPill() {
  const state = useConnection((connection) => connection.state)
  const online = useSyncExternalStore(subscribeOnline, () => navigator.onLine)
  const [broken, setBroken] = useState(false)
  const healthy = state === "live" || state === "idle"
  useEffect(() => {
    if (healthy) return undefined
    const timer = setTimeout(() => setBroken(true), 2000)
    return () => {
      clearTimeout(timer)
      setBroken(false)
    }
  }, [healthy])

  const shown: Shown = !online
    ? "offline"
    : broken
      ? "reconnecting"
      : state === "connecting"
        ? "connecting"
        : "live"
  const { label, title, dot } = words[shown]
  return (
    <span
      role="status"
      title={title}
      className="inline-flex h-8 items-center gap-2 rounded-full border bg-card px-3 text-xs font-semibold"
    >
      <span aria-hidden className="relative flex size-2">
        {shown === "live" ? (
          <span className={cn("absolute inset-0 rounded-full opacity-60 motion-safe:animate-ping", dot)} />
        ) : null}
        <span className={cn("relative size-2 rounded-full", dot)} />
      </span>
      {label}
    </span>
  )
}
