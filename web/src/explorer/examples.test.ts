import { expect, test, vi } from "vitest"

/** The name that the Create example of a newly opened explorer gives. */
async function nameOf(): Promise<unknown> {
  vi.resetModules()
  const { examples } = await import("@/explorer/examples")
  const create = examples.find(({ query }) => query.startsWith("mutation Create"))
  return (JSON.parse(create?.variables ?? "{}") as { name: unknown }).name
}

test("the store to create has a name that no other visit, and no other example, has used", async () => {
  const name = await nameOf()
  expect(name).toMatch(/^Shop [0-9a-f]{6}$/)
  expect(await nameOf()).not.toBe(name)
})
