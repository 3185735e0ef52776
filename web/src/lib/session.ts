import { print } from "graphql"
import { create } from "zustand"
import { RefreshSessionDocument, type RefreshSessionMutation } from "@/lib/session.generated"

/** What `login`, `register` and `refreshToken` answer; `expiresIn` is in seconds. */
export interface Grant {
  accessToken: string
  expiresIn: number
  userId: string
}

/** Whether somebody is signed in. The access token lives here, in memory, and nowhere else. */
export type Session =
  | { status: "restoring" }
  | { status: "unreachable" }
  | { status: "signed-out"; expired: boolean }
  | { status: "signed-in"; accessToken: string; userId: string; expiresAt: number }

/** The session of this tab. */
export const useSession = create<Session>(() => ({ status: "restoring" }))

const retryDelay = 5_000
/** A token with less than this left is not used any more, in milliseconds. */
const margin = 5_000
/** Codes that say the refresh failed, not that the session ended. */
const passing = new Set(["unavailable", "timeout", "internal", "unexpected", "rate-limited"])

let refreshTimer: ReturnType<typeof setTimeout> | undefined
let refreshing: Promise<string | null> | undefined

const otherTabs = typeof BroadcastChannel === "function" ? new BroadcastChannel("northstack.session") : null
otherTabs?.addEventListener("message", (event) => {
  if (event.data === "signed-out" && useSession.getState().status === "signed-in") leave(false)
})

function leave(expired: boolean): void {
  clearTimeout(refreshTimer)
  useSession.setState({ status: "signed-out", expired }, true)
}

/** Takes over a new token and renews it before it expires: a minute early, or at two thirds of a short life. */
export function acceptGrant(grant: Grant): void {
  const lifetime = grant.expiresIn * 1000
  const { accessToken, userId } = grant
  useSession.setState({ status: "signed-in", accessToken, userId, expiresAt: Date.now() + lifetime }, true)
  clearTimeout(refreshTimer)
  const wait = Math.max(lifetime - 60_000, (lifetime * 2) / 3)
  refreshTimer = setTimeout(() => void renew(), Math.min(wait, 2 ** 31 - 1))
}

/** Forgets the session here and in the other tabs of this browser. */
export function endSession(): void {
  leave(false)
  otherTabs?.postMessage("signed-out")
}

type Outcome = { kind: "granted"; grant: Grant } | { kind: "refused" } | { kind: "unreachable" }

async function requestGrant(): Promise<Outcome> {
  try {
    const response = await fetch("/v1/graphql", {
      method: "POST",
      credentials: "same-origin",
      // A reload must not lose the answer: the cookie's token is used up once it is sent.
      keepalive: true,
      headers: { "content-type": "application/json", accept: "application/json" },
      body: JSON.stringify({ operationName: "RefreshSession", query: print(RefreshSessionDocument) }),
    })
    if (!response.ok && response.status !== 401) return { kind: "unreachable" }
    const body = (await response.json()) as {
      data?: RefreshSessionMutation | null
      errors?: { extensions?: { code?: string } }[]
    }
    const grant = body.data?.refreshToken
    if (grant) return { kind: "granted", grant }
    const code = body.errors?.[0]?.extensions?.code
    return { kind: code !== undefined && passing.has(code) ? "unreachable" : "refused" }
  } catch {
    return { kind: "unreachable" }
  }
}

/** Tabs share one cookie, whose token may be used once: they take turns. */
async function inTurn<T>(act: () => Promise<T>): Promise<T> {
  return navigator.locks ? navigator.locks.request("northstack.refresh", act) : act()
}

async function renewOnce(): Promise<string | null> {
  const outcome = await inTurn(requestGrant)
  const before = useSession.getState()
  if (before.status === "signed-out") return null
  if (outcome.kind === "granted") {
    acceptGrant(outcome.grant)
    return outcome.grant.accessToken
  }
  if (outcome.kind === "refused") {
    leave(before.status === "signed-in")
    return null
  }
  if (before.status !== "signed-in") useSession.setState({ status: "unreachable" }, true)
  clearTimeout(refreshTimer)
  refreshTimer = setTimeout(() => void renew(), retryDelay)
  return null
}

/** Gets a new access token by the refresh cookie; `null` when there is none to be had now. At most one request at a time. */
export function renew(): Promise<string | null> {
  refreshing ??= renewOnce().finally(() => {
    refreshing = undefined
  })
  return refreshing
}

/** An access token that is good for now, renewed if need be; `null` when signed out or out of reach. */
export async function freshToken(): Promise<string | null> {
  const session = useSession.getState()
  if (session.status === "signed-out") return null
  if (session.status === "signed-in" && session.expiresAt - Date.now() > margin) return session.accessToken
  return renew()
}

/** Waits until the first answer on whether there is a session. */
export async function sessionKnown(): Promise<Session> {
  if (useSession.getState().status === "restoring") await renew()
  return useSession.getState()
}
