import { useEffect, useState, useSyncExternalStore } from "react"
import { useConnection } from "@/lib/connection"

function subscribeOnline(listener: () => void): () => void {
  window.addEventListener("online", listener)
  window.addEventListener("offline", listener)
  return () => {
    window.removeEventListener("online", listener)
    window.removeEventListener("offline", listener)
  }
}

/** How live the page is, in the words of the connection's pill. */
export type Liveness = "live" | "connecting" | "reconnecting" | "offline"

const patience = 2_000

/** How live the page is. A break of less than two seconds is not worth a word. */
export function useLiveness(): Liveness {
  const state = useConnection((connection) => connection.state)
  const online = useSyncExternalStore(subscribeOnline, () => navigator.onLine)
  const [broken, setBroken] = useState(false)
  const healthy = state === "live" || state === "idle"
  useEffect(() => {
    if (healthy) return undefined
    const timer = setTimeout(() => setBroken(true), patience)
    return () => {
      clearTimeout(timer)
      setBroken(false)
    }
  }, [healthy])
  if (!online) return "offline"
  if (broken) return "reconnecting"
  return state === "connecting" ? "connecting" : "live"
}
