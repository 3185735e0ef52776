import { expect, expectAccessible, expectNoSidewaysScroll, test } from "./fixtures"

test("a person signs in, creates a store, watches each step, opens it and deletes it", async ({
  page,
  api,
  context,
}) => {
  await page.goto("/")
  await expect(page).toHaveURL(/\/sign-in/)
  await expect(page).toHaveTitle("Sign in · NorthStack")
  await page.getByLabel("E-mail").fill("ada@example.com")
  await page.getByLabel("Password", { exact: true }).fill("correct horse")
  await page.keyboard.press("Enter")
  await expect(page.getByRole("heading", { name: "No stores yet" })).toBeVisible()
  await expect(page).toHaveTitle("Stores · NorthStack")

  await page.getByRole("button", { name: "Create Store" }).click()
  const dialog = page.getByRole("dialog", { name: "Create New Store" })
  await expect(dialog.getByLabel("Store Name")).toBeFocused()
  await page.keyboard.type("My Shop")
  await dialog.getByRole("button", { name: "Create Store" }).click()
  await expect(dialog).toBeHidden()

  const card = page.getByRole("article", { name: "My Shop" })
  const steps = card.getByRole("list").getByRole("listitem")
  await expect(steps).toHaveCount(10)
  const [store] = api.db.stores
  if (!store) throw new Error("the store was not created")
  for (let index = 0; index < 10; index += 1) {
    api.db.advance(store)
    await expect(steps.nth(index)).toHaveAttribute("data-status", "running")
  }
  api.db.advance(store)
  await expect(card.getByText("Ready", { exact: true })).toBeVisible()
  await expect(page.getByText("My Shop is ready")).toBeVisible()
  await page.getByRole("button", { name: "Close toast" }).click()
  await expect(page.getByText("My Shop is ready")).toBeHidden()

  await context.route("**/*.nip.io/**", (route) => route.fulfill({ body: "a storefront" }))
  const opened = page.waitForEvent("popup")
  await card.getByRole("link", { name: /Open Store/ }).click()
  const storefront = await opened
  expect(storefront.url()).toBe(`${store.url}/`)
  await storefront.close()

  await card.getByRole("button", { name: "Admin login of My Shop" }).click()
  await expect(page.getByText("Admin@123")).toBeVisible()
  await page.keyboard.press("Escape")
  await expect(card.getByRole("button", { name: "Admin login of My Shop" })).toBeFocused()

  await card.getByRole("button", { name: "Delete My Shop" }).click()
  const question = page.getByRole("alertdialog", { name: "Delete My Shop?" })
  await expect(question.getByRole("button", { name: "Yes, Delete Store" })).toBeDisabled()
  await question.getByLabel("Type My Shop to confirm").fill("My Shop")
  await question.getByRole("button", { name: "Yes, Delete Store" }).click()
  await expect(card.getByText("Deleting", { exact: true })).toBeVisible()
  api.db.complete(store)
  await expect(card).toBeHidden()
  await expect(page.getByText("My Shop was deleted")).toBeVisible()
})

test("a session survives a reload, and signing out ends it everywhere in the browser", async ({
  page,
  context,
  signIn,
}) => {
  await signIn()
  await page.reload()
  await expect(page.getByRole("heading", { name: "Your Stores (0)" })).toBeVisible()
  const second = await context.newPage()
  await second.goto("/stores")
  await expect(second.getByRole("heading", { name: "Your Stores (0)" })).toBeVisible()

  await page.getByRole("button", { name: "Account" }).click()
  await page.getByRole("menuitem", { name: "Sign out" }).click()
  await expect(page.getByRole("heading", { name: "Sign in" })).toBeVisible()
  await expect(second.getByRole("heading", { name: "Sign in" })).toBeVisible()
  await page.goto("/stores")
  await expect(page).toHaveURL(/\/sign-in\?redirect=%2Fstores/)
})

test("a lost socket comes back by itself with what was missed", async ({ page, api, signIn, addStore }) => {
  await signIn()
  const store = addStore("My Shop")
  const card = page.getByRole("article", { name: "My Shop" })
  await expect(card.getByText("Provisioning", { exact: true })).toBeVisible()
  api.dropSockets()
  api.db.complete(store)
  await expect(card.getByText("Ready", { exact: true })).toBeVisible()
  await expect(page.getByText("Live", { exact: true })).toBeVisible()
})

test("a broken connection is said, with its time, until it is back", async ({ page, context, signIn }) => {
  await signIn()
  const banner = page.locator("[data-slot=connection-banner]")
  await expect(banner).toBeHidden()
  await context.setOffline(true)
  await expect(banner).toContainText("This device is offline. What you see is from")
  await expect(page.getByRole("status").filter({ hasText: "Offline" })).toBeVisible()
  await expectAccessible(page)
  await expectNoSidewaysScroll(page)
  await context.setOffline(false)
  await expect(banner).toContainText("Live again")
  await expect(banner).toBeHidden()
})

test("a service that is away is said, and its return too", async ({ page, api, signIn, addStore }) => {
  await signIn()
  await expect(page.getByText("Live", { exact: true })).toBeVisible()
  api.refuseSockets(true)
  const banner = page.locator("[data-slot=connection-banner]")
  await expect(banner).toContainText("The live connection was lost; reconnecting.")
  addStore("My Shop")
  api.refuseSockets(false)
  await expect(page.getByRole("article", { name: "My Shop" })).toBeVisible({ timeout: 20_000 })
  await expect(banner).toContainText("Live again")
})

test("two tabs and a reload at once keep the session", async ({ page, context, signIn }) => {
  await signIn()
  const second = await context.newPage()
  const renewing = page.waitForRequest((request) => request.postData()?.includes("RefreshSession") ?? false)
  await Promise.all([second.goto("/stores"), page.reload({ waitUntil: "commit" }), renewing])
  // This one comes while the first is still renewing the session.
  await page.reload()
  for (const tab of [page, second]) {
    await tab.goto("/stores")
    await expect(tab.getByRole("heading", { name: "Your Stores (0)" })).toBeVisible()
  }
})

test("a token is renewed before it expires, and the socket lives on with the new one", async ({
  page,
  api,
  signIn,
  addStore,
}) => {
  api.db.tokenLifetime = 6
  await signIn()
  await page.waitForResponse((response) => response.request().postData()?.includes("RefreshSession") ?? false)
  api.dropSockets()
  addStore("My Shop")
  await expect(page.getByRole("article", { name: "My Shop" })).toBeVisible()
})

test("a token that the service no longer takes is replaced, on the socket and over HTTP", async ({
  page,
  api,
  signIn,
  addStore,
}) => {
  await signIn()
  api.db.key += 1
  api.dropSockets()
  api.db.complete(addStore("My Shop"))
  const card = page.getByRole("article", { name: "My Shop" })
  await expect(card).toBeVisible()
  api.db.key += 1
  await card.getByRole("button", { name: "Admin login of My Shop" }).click()
  await expect(page.getByText("Admin@123")).toBeVisible()
})

test("the whole journey can be done by keyboard alone", async ({ page, api, signIn }) => {
  await signIn()
  await page.keyboard.press("Tab")
  await page.keyboard.press("Tab")
  const skip = page.getByRole("link", { name: "Skip to content" })
  await skip.focus()
  await page.keyboard.press("Enter")
  await page.keyboard.press("Tab")
  await expect(page.getByRole("button", { name: "Create Store" })).toBeFocused()
  await page.keyboard.press("Enter")
  await expect(page.getByLabel("Store Name")).toBeFocused()
  await page.keyboard.type("Keys")
  await page.keyboard.press("Enter")
  const card = page.getByRole("article", { name: "Keys" })
  await expect(card).toBeVisible()
  await expect(page.getByRole("dialog")).toBeHidden()
  const [store] = api.db.stores
  if (!store) throw new Error("the store was not created")
  api.db.complete(store)
  const remove = card.getByRole("button", { name: "Delete Keys" })
  await remove.focus()
  await page.keyboard.press("Enter")
  const field = page.getByLabel("Type Keys to confirm")
  await expect(field).toBeFocused()
  await page.keyboard.press("Escape")
  await expect(remove).toBeFocused()
  await page.keyboard.press("Enter")
  await page.keyboard.type("Keys")
  await page.keyboard.press("Enter")
  await expect(page.getByRole("heading", { name: "Your Stores (1)" })).toBeFocused()
  api.db.complete(store)
  await expect(page.getByRole("heading", { name: "No stores yet" })).toBeVisible()
})

test("a person in two teams chooses the one that is to own the store", async ({ page, api, signIn }) => {
  const second = api.db.addTeam(
    "A team with a name that is much longer than the field has room for",
    api.db.users[0],
  )
  await signIn()
  const create = page.getByRole("button", { name: "Create Store", exact: true })
  const dialog = page.getByRole("dialog", { name: "Create New Store" })
  await create.first().click()
  await dialog.getByLabel("Store Name").fill("My Shop")
  await dialog.getByRole("button", { name: "Create Store" }).click()
  await expect(dialog.getByText("Choose the team that is to own the store.")).toBeVisible()
  await expect(dialog.getByLabel("Team")).toBeFocused()
  await expectAccessible(page, "[role=dialog]")
  await expectNoSidewaysScroll(page)

  await dialog.getByLabel("Team").selectOption({ label: second.name })
  await dialog.getByRole("button", { name: "Create Store" }).click()
  await expect(page.getByRole("article", { name: "My Shop" })).toBeVisible()
  expect(api.db.stores.map((store) => store.team_id)).toEqual([second.id])

  await page.reload()
  await create.first().click()
  await expect(dialog.getByLabel("Team")).toHaveValue(second.id)
})

test("what is said of a failure follows the retry to its end", async ({ page, api, signIn, addStore }) => {
  await signIn()
  const store = addStore("My Shop")
  await expect(page.getByRole("article", { name: "My Shop" })).toBeVisible()
  api.db.fail(store, "the download timed out")
  await expect(page.getByText("My Shop failed")).toBeVisible()
  await page.getByRole("button", { name: "Retry My Shop" }).click()
  await expect(page.getByText("My Shop is being set up again")).toBeVisible()
  await expect(page.getByText("My Shop failed")).toBeHidden()
  await expectAccessible(page)
  api.db.complete(store)
  await expect(page.getByText("My Shop is ready")).toBeVisible()
  await expect(page.getByText("My Shop is being set up again")).toBeHidden()
})
