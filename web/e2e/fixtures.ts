import { AxeBuilder } from "@axe-core/playwright"
import { expect, test as base, type Page } from "@playwright/test"
import { join } from "node:path"
import type { StoreRow } from "../src/mocks/db"
import { startMockServer, type MockServer } from "./mock-server"

interface TestFixtures {
  /** The mock of this worker, emptied for each test. */
  api: MockServer
  /** Signs the seeded user in and opens the stores. */
  signIn: () => Promise<void>
  /** Adds a store of the seeded user. */
  addStore: (name: string) => StoreRow
}

/** The tests' own `test`: each worker has its mock server, each test an empty one. */
export const test = base.extend<TestFixtures, { workerApi: MockServer }>({
  workerApi: [
    async ({}, use) => {
      const server = await startMockServer(join(process.cwd(), "dist"))
      await use(server)
      await server.close()
    },
    { scope: "worker" },
  ],
  api: async ({ workerApi }, use) => {
    workerApi.refuseSockets(false)
    workerApi.dropSockets()
    workerApi.db.reset()
    await use(workerApi)
  },
  baseURL: async ({ workerApi }, use) => use(workerApi.url),
  page: async ({ page, api }, use) => {
    expect(api.url, "the mock stands before the page opens").not.toBe("")
    const problems: string[] = []
    page.on("pageerror", (error) => problems.push(String(error)))
    page.on("console", (message) => {
      if (message.type() === "error" && !/WebSocket connection|ERR_/.test(message.text())) {
        problems.push(message.text())
      }
    })
    await use(page)
    expect(problems, "errors in the browser's console").toEqual([])
  },
  signIn: async ({ page }, use) => {
    await use(async () => {
      await page.goto("/sign-in")
      await page.getByLabel("E-mail").fill("ada@example.com")
      await page.getByLabel("Password", { exact: true }).fill("correct horse")
      await page.getByRole("button", { name: "Sign in" }).click()
      await expect(page.getByRole("heading", { name: /Your Stores \(/ })).toBeVisible()
    })
  },
  addStore: async ({ api }, use) => {
    await use((name) => {
      const [user] = api.db.users
      if (!user) throw new Error("the mock has a user")
      const row = api.db.createStore(user.id, name)
      if ("code" in row) throw new Error(row.message)
      return row
    })
  },
})

/** Waits until nothing moves, so that axe judges the final colours. */
export async function settled(page: Page): Promise<void> {
  await page.evaluate(async () => {
    const finite = document
      .getAnimations()
      .filter((animation) => animation.effect?.getComputedTiming().iterations !== Infinity)
    await Promise.allSettled(finite.map((animation) => animation.finished))
  })
}

/** Fails when axe finds anything against WCAG 2.0 or 2.1 A or AA, on the page or in a part of it. */
export async function expectAccessible(page: Page, part = "html"): Promise<void> {
  await settled(page)
  const { violations } = await new AxeBuilder({ page })
    .include(part)
    .withTags(["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"])
    .analyze()
  const found = violations.map(
    ({ id, help, nodes }) =>
      `${id}: ${help}\n${nodes.map((node) => `  ${node.html}\n  ${node.failureSummary}`).join("\n")}`,
  )
  expect(found).toEqual([])
}

/** Fails when the page can be scrolled sideways. */
export async function expectNoSidewaysScroll(page: Page): Promise<void> {
  const { scroll, inner } = await page.evaluate(() => ({
    scroll: document.documentElement.scrollWidth,
    inner: document.documentElement.clientWidth,
  }))
  expect(scroll).toBeLessThanOrEqual(inner)
}

export { expect }
