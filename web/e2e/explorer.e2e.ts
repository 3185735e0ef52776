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
  await expect(answer, "nobody is signed in").toContainText("invalid-jwt")

  const pane = page.getByRole("region", { name: "Sign in" })
  await pane.getByLabel("E-mail").fill("ada@example.com")
  await pane.getByLabel("Password").fill("incorrect")
  await pane.getByRole("button", { name: "Sign in" }).click()
  await expect(pane.getByRole("status")).toContainText("wrong")
  await pane.getByLabel("Password").fill("correct horse")
  await pane.getByRole("button", { name: "Sign in" }).click()
  await expect(pane.getByRole("status")).toContainText("Signed in until")
  await expect(page.locator(".graphiql-editor-tool")).toContainText("Bearer access.")

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

  await pane.getByRole("button", { name: "Forget" }).click()
  await expect(page.locator(".graphiql-editor-tool")).not.toContainText("Bearer")
  expect(await page.evaluate(() => JSON.stringify(localStorage))).not.toContain("Bearer")
  expect(await page.context().cookies(), "the portal's session is untouched").toEqual([])
})

test("the sign-in pane of the API explorer is accessible", async ({ page }) => {
  await page.goto("/explorer")
  await expect(page.getByRole("region", { name: "Sign in" })).toBeVisible()
  await expectAccessible(page, ".explorer-sign-in")
})
