import type { ExecutionResult } from "graphql"
import { create } from "zustand"
import { subscribe } from "@/explorer/fetcher"

/** A subscription that runs beside the tabs, whichever of them is in front. */
export interface Live {
  query: string
  running: boolean
  /** How often it has answered. */
  answers: number
  at: Date | null
  result: ExecutionResult | null
}

const none: Live = { query: "", running: false, answers: 0, at: null, result: null }

export const useLive = create<Live>(() => none)

let current: AsyncGenerator<ExecutionResult> | undefined

/** Ends what runs beside the tabs. */
export function stopLive(): void {
  // It may be waiting for an answer that never comes.
  void current?.return(undefined)
  current = undefined
  useLive.setState({ running: false })
}

function failed(error: unknown): ExecutionResult {
  // A socket that was closed says so by a code and a reason.
  const closed = error as { reason?: string; message?: string } | null
  const message = closed?.reason || closed?.message || "The connection was closed."
  return { errors: [{ message }] as unknown as ExecutionResult["errors"] }
}

/** Runs a subscription beside the tabs, in place of the one before. */
export async function startLive(query: string, variables?: Record<string, unknown>): Promise<void> {
  stopLive()
  const mine = subscribe({ query, variables })
  current = mine
  useLive.setState({ ...none, query, running: true }, true)
  try {
    for await (const result of mine) {
      if (current !== mine) return
      useLive.setState(({ answers }) => ({ result, answers: answers + 1, at: new Date() }))
    }
  } catch (error) {
    if (current === mine) useLive.setState({ result: failed(error), at: new Date() })
  } finally {
    if (current === mine) stopLive()
  }
}
