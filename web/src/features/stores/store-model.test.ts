import { describe, expect, test } from "vitest"
import {
  countStores,
  outdated,
  progressOf,
  stepElapsed,
  stepTitle,
  transitionsBetween,
  type Step,
  type Store,
} from "@/features/stores/store-model"

function store(id: string, status: string): Store {
  return {
    id,
    store_id: `store-${id}`,
    name: id,
    type: "woocommerce",
    status,
    url: "http://shop.test",
    admin_url: null,
    error: null,
    created_at: "2026-11-21T12:00:00Z",
    operations: [],
  }
}

function step(status: string, times: Partial<Step> = {}): Step {
  return {
    id: status,
    ordinal: 0,
    name: "install_theme",
    title: "",
    status,
    detail: null,
    started_at: null,
    finished_at: null,
    ...times,
  }
}

test("stores are counted by exact status: one that is being deleted is not provisioning", () => {
  const stores = ["ready", "ready", "provisioning", "failed", "deleting"].map((status, index) =>
    store(String(index), status),
  )
  expect(countStores(stores)).toEqual({ total: 5, active: 2, provisioning: 1, failed: 1 })
})

describe("transitionsBetween", () => {
  test("tells what became ready, failed or went", () => {
    const before = [store("a", "provisioning"), store("b", "provisioning"), store("c", "deleting")]
    const after = [store("a", "ready"), store("b", "failed")]
    expect(transitionsBetween(before, after).map(({ kind, store: { id } }) => [kind, id])).toEqual([
      ["ready", "a"],
      ["failed", "b"],
      ["deleted", "c"],
    ])
  })

  test("says nothing of what stays or is new, nor of what leaves without being deleted", () => {
    const before = [store("a", "ready"), store("gone", "ready")]
    expect(transitionsBetween(before, [store("a", "ready"), store("new", "ready")])).toEqual([])
  })

  test("news is outdated once it holds no more, unless there is other news", () => {
    const before = [
      store("a", "ready"),
      store("b", "failed"),
      store("c", "provisioning"),
      store("d", "ready"),
    ]
    const after = [store("a", "deleting"), store("b", "deleting"), store("c", "failed"), store("d", "ready")]
    expect(outdated(before, after).map(({ id }) => id)).toEqual(["a", "b"])
  })
})

describe("steps", () => {
  test("skipped ones count as done and the failed one is the current one", () => {
    const steps = [step("succeeded"), step("skipped"), step("failed"), step("pending")]
    expect(progressOf(steps)).toMatchObject({ done: 2, total: 4, current: { status: "failed" } })
  })

  test("without a title the name is made readable", () => {
    expect(stepTitle(step("pending"))).toBe("Install theme")
    expect(stepTitle({ name: "x", title: "Deploy MySQL" })).toBe("Deploy MySQL")
  })

  test("time counts from the start to the end, or to now, and never backwards", () => {
    const now = Date.parse("2026-11-21T12:00:10Z")
    const started_at = "2026-11-21T12:00:00Z"
    expect(stepElapsed(step("pending"), now)).toBeNull()
    expect(stepElapsed(step("running", { started_at }), now)).toBe(10_000)
    expect(stepElapsed(step("succeeded", { started_at, finished_at: "2026-11-21T12:00:03Z" }), now)).toBe(
      3000,
    )
    expect(stepElapsed(step("running", { started_at: "2026-11-21T12:00:20Z" }), now)).toBe(0)
  })
})
