import { afterEach, expect, test, vi } from "vitest"
import { idempotencyKeys } from "@/lib/idempotency"
import { cn, randomId } from "@/lib/utils"

afterEach(() => vi.unstubAllGlobals())

test("of two classes that contradict each other the later one stays", () => {
  expect(cn("p-2 text-sm", false, "p-4")).toBe("text-sm p-4")
})

test("ids are version 4 UUIDs, also without crypto.randomUUID", () => {
  const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/
  expect(randomId()).toMatch(uuid)
  const { crypto } = globalThis
  vi.stubGlobal("crypto", { getRandomValues: crypto.getRandomValues.bind(crypto) })
  expect(randomId()).toMatch(uuid)
})

test("the same subject keeps its idempotency key, another one gets a new one", () => {
  const keyFor = idempotencyKeys()
  const first = keyFor("My Shop")
  expect(keyFor("My Shop")).toBe(first)
  expect(keyFor("Other")).not.toBe(first)
})
