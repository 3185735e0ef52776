import type { StoresSubscription } from "@/features/stores/stores.generated"

/** A store as the live list gives it. */
export type Store = StoresSubscription["stores"][number]

/** A step of a store's latest operation. */
export type Step = Store["operations"][number]["steps"][number]

/** The four numbers above the grid, by exact status: a store that is being deleted is not provisioning. */
export interface StoreMetrics {
  total: number
  active: number
  provisioning: number
  failed: number
}

/** Counts the stores by status. */
export function countStores(stores: readonly Store[]): StoreMetrics {
  const having = (status: string) => stores.filter((store) => store.status === status).length
  return {
    total: stores.length,
    active: having("ready"),
    provisioning: having("provisioning"),
    failed: having("failed"),
  }
}

const finished = new Set(["succeeded", "skipped"])
const begun = new Set(["running", "waiting", "failed", "undoing"])

/** How many steps are done, and the one that is being done (or that failed). */
export function progressOf(steps: readonly Step[]): { done: number; total: number; current: Step | null } {
  return {
    done: steps.filter((step) => finished.has(step.status)).length,
    total: steps.length,
    current: steps.find((step) => begun.has(step.status)) ?? null,
  }
}

/** A step's title, or its name made readable: `install_woocommerce` is `Install woocommerce`. */
export function stepTitle(step: Pick<Step, "name" | "title">): string {
  if (step.title.trim() !== "") return step.title
  const words = step.name.replaceAll(/[_.-]+/g, " ").trim()
  return words.charAt(0).toUpperCase() + words.slice(1)
}

/** How long a step has taken, in milliseconds; up to `now` while it is not finished, `null` before it begins. */
export function stepElapsed(
  step: Pick<Step, "started_at" | "finished_at" | "status">,
  now: number,
): number | null {
  if (step.started_at === null || step.status === "pending") return null
  const end = step.finished_at === null ? now : Date.parse(step.finished_at)
  return Math.max(0, end - Date.parse(step.started_at))
}

/** The id of the one toast about a store: what is said of it now takes the place of what was said before. */
export const toastOf = ({ id }: Pick<Store, "id">): string => `store-${id}`

/** A change between two states of the list that a person should hear of; `retried` goes on after a failure. */
export interface Transition {
  kind: "ready" | "failed" | "retried" | "deleted"
  store: Store
}

function kindOf(former: Store, store: Store | undefined): Transition["kind"] | null {
  if (store === undefined) return former.status === "deleting" ? "deleted" : null
  if (store.status === former.status) return null
  if (store.status === "ready" || store.status === "failed") return store.status
  const [operation] = store.operations
  const same = operation !== undefined && operation.id === former.operations[0]?.id
  return former.status === "failed" && same ? "retried" : null
}

/** Compares two states of the list. A store that leaves while being deleted is deleted. */
export function transitionsBetween(before: readonly Store[], after: readonly Store[]): Transition[] {
  const now = new Map(after.map((store) => [store.id, store]))
  return before.flatMap((former) => {
    const store = now.get(former.id)
    const kind = kindOf(former, store)
    return kind === null ? [] : [{ kind, store: store ?? former }]
  })
}

/** The stores whose last news holds no more, and of which there is nothing new to tell. */
export function outdated(before: readonly Store[], after: readonly Store[]): Store[] {
  const now = new Map(after.map((store) => [store.id, store]))
  return before.filter((former) => {
    const store = now.get(former.id)
    return store?.status !== former.status && kindOf(former, store) === null
  })
}
