import { useSyncExternalStore } from "react"

interface Clock {
  subscribe: (listener: () => void) => () => void
  now: () => number
}

const clocks = new Map<number, Clock>()

/** One timer for all that tick at the same pace; it stops with its last listener. */
function clock(interval: number): Clock {
  const existing = clocks.get(interval)
  if (existing) return existing
  const listeners = new Set<() => void>()
  let time = Date.now()
  let timer: ReturnType<typeof setInterval> | undefined
  const created: Clock = {
    subscribe(listener) {
      listeners.add(listener)
      timer ??= setInterval(() => {
        time = Date.now()
        for (const each of listeners) each()
      }, interval)
      return () => {
        listeners.delete(listener)
        if (listeners.size > 0) return
        clearInterval(timer)
        timer = undefined
      }
    },
    now() {
      // Stable between ticks, as React asks of a snapshot.
      if (Date.now() - time >= interval) time = Date.now()
      return time
    },
  }
  clocks.set(interval, created)
  return created
}

const still = { subscribe: () => () => {}, now: () => 0 }

/** The present in milliseconds, renewed every `interval` milliseconds; `null` keeps it still (and 0). */
export function useNow(interval: number | null): number {
  const source = interval === null ? still : clock(interval)
  return useSyncExternalStore(source.subscribe, source.now)
}
