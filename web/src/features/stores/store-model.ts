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

/** A change between two states of the list that a person should hear of. */
export interface Transition {
  kind: "ready" | "failed" | "deleted"
  store: Store
}

/** Compares two states of the list. A store that leaves while being deleted is deleted. */
export function transitionsBetween(before: readonly Store[], after: readonly Store[]): Transition[] {
  const now = new Map(after.map((store) => [store.id, store]))
  const transitions: Transition[] = []
  for (const former of before) {
    const store = now.get(former.id)
    if (store === undefined) {
      if (former.status === "deleting") transitions.push({ kind: "deleted", store: former })
    } else if (store.status !== former.status && (store.status === "ready" || store.status === "failed")) {
      transitions.push({ kind: store.status, store })
    }
  }
  return transitions
}
