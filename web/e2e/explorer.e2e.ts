import type { Locator, Page } from "@playwright/test"
import { expect, expectAccessible, test } from "./fixtures"

/** Puts text into one of the explorer's editors. */
async function write(page: Page, editor: Locator, text: string): Promise<void> {
  await editor.locator(".view-lines").click()
  await page.keyboard.press("ControlOrMeta+A")
  // Pasted, as typing would complete brackets and names.
  await page.evaluate((pasted) => {
    const data = new DataTransfer()
    data.setData("text/plain", pasted)
    document.activeElement?.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true }))
  }, text)
}

test.skip(({ isMobile }) => isMobile, "an editor of code is for wide screens")

test("the API explorer signs in, asks, and follows a subscription", async ({ page, api, addStore }) => {
  addStore("My Shop")
  await page.goto("/explorer")
  await expect(page).toHaveTitle("API explorer · NorthStack")
  const answer = page.locator(".graphiql-response")
  const query = page.locator(".graphiql-query-editor")
  const run = page.getByRole("button", { name: /Execute query/ })
  await expect(query).toContainText("Sign in by the key")

  await run.click()
  await expect(answer).toContainText("You are not signed in")
  await expect(answer, "and the service's own words").toContainText("invalid-jwt")

  const pane = page.getByRole("region", { name: "Sign in" })
  await pane.getByLabel("E-mail").fill("ada@example.com")
  await pane.getByLabel("Password").fill("incorrect")
  await pane.getByRole("button", { name: "Sign in" }).click()
  await expect(pane.getByRole("status")).toContainText("wrong")
  await pane.getByLabel("Password").fill("correct horse")
  await pane.getByRole("button", { name: "Sign in" }).click()
  await expect(pane.getByRole("status")).toContainText("Signed in")

  await run.click()
  await expect(answer).toContainText('"name": "My Shop"')

  await write(page, query, "subscription { stores { name status } }")
  await run.click()
  await expect(answer).toContainText('"status": "provisioning"')
  const [store] = api.db.stores
  if (!store) throw new Error("there is a store")
  api.db.complete(store)
  await expect(answer).toContainText('"status": "ready"')
  await page.getByRole("button", { name: /Stop query/ }).click()
  await expect(run).toBeVisible()

  await page.reload()
  await expect(pane.getByRole("status"), "a reload keeps the session").toContainText("Signed in")
  await pane.getByRole("button", { name: "Sign out" }).click()
  await expect(pane.getByLabel("E-mail")).toBeVisible()
  expect(await page.evaluate(() => JSON.stringify(localStorage))).not.toContain("Bearer")
})

test("a subscription goes on in its pane while other tabs run", async ({ page, api, addStore }) => {
  await page.goto("/explorer")
  const pane = page.getByRole("region", { name: "Sign in" })
  await pane.getByLabel("E-mail").fill("ada@example.com")
  await pane.getByLabel("Password").fill("correct horse")
  await pane.getByRole("button", { name: "Sign in" }).click()
  await expect(pane.getByRole("status")).toContainText("Signed in")
  await page.getByRole("button", { name: "Show Live" }).click()
  const live = page.getByRole("region", { name: "Live" })
  await live.getByRole("button", { name: "Keep it running" }).click()
  await expect(live.getByRole("status")).toContainText("1 answer")
  await page.getByRole("tab", { name: /Create/ }).click()
  addStore("My Shop")
  const [store] = api.db.stores
  if (!store) throw new Error("there is a store")
  await expect(live).toContainText("My Shop")
  await expect(page.locator(".graphiql-query-editor")).toContainText("mutation Create")
  await page.getByRole("button", { name: /Execute query/ }).click()
  await expect(page.locator(".graphiql-response"), "the name is free").toContainText('"store_id"')
  await expect(live).toContainText(/Shop [0-9a-f]{6}/)
  api.db.complete(store)
  await expect(live).toContainText('"status": "ready"')
  await live.getByRole("button", { name: "Stop" }).click()
  await expect(live.getByRole("button", { name: "Keep it running" })).toBeVisible()
})

test("the sign-in pane of the API explorer is accessible", async ({ page }) => {
  await page.goto("/explorer")
  await expect(page.getByRole("region", { name: "Sign in" })).toBeVisible()
  await expectAccessible(page, ".explorer-sign-in")
})
