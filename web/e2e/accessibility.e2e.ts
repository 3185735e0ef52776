import type { Page } from "@playwright/test"
import { expect, expectAccessible, expectNoSidewaysScroll, test } from "./fixtures"

async function inBothThemes(page: Page, judge: () => Promise<void>): Promise<void> {
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme })
    await expect(page.locator("html")).toHaveClass(colorScheme === "dark" ? /dark/ : /^$/)
    await judge()
  }
}

// axe takes seconds on a busy machine.
test.beforeEach(() => test.slow())

test("sign-in and registration, with errors", async ({ page }) => {
  await page.goto("/sign-in")
  await page.getByRole("button", { name: "Sign in" }).click()
  await expect(page.getByText("Enter your password.")).toBeVisible()
  await inBothThemes(page, () => expectAccessible(page))
  await page.getByRole("link", { name: "Create an account" }).click()
  await expect(page.getByRole("heading", { name: "Create an account" })).toBeFocused()
  await inBothThemes(page, () => expectAccessible(page))
})

test("the stores in every state", async ({ page, api, signIn, addStore }) => {
  await signIn()
  await inBothThemes(page, () => expectAccessible(page))
  api.db.complete(addStore("Ready Shop"))
  api.db.fail(addStore("Failed Shop"), "the download timed out")
  api.db.advance(addStore("New Shop"))
  const leaving = addStore("Leaving Shop")
  api.db.complete(leaving)
  api.db.begin(leaving, "store.delete")
  await expect(page.getByRole("article")).toHaveCount(4)
  await expect(page.getByRole("heading", { level: 1 })).toHaveCount(1)
  await page.getByText("What was done").click()
  await inBothThemes(page, () => expectAccessible(page))
})

test("every dialog, popover, menu and toast", async ({ page, api, signIn, addStore }) => {
  api.db.complete(addStore("Ready Shop"))
  await signIn()
  await page.getByRole("button", { name: "Create Store" }).click()
  await page.getByRole("dialog").getByLabel("Store Name").fill("x")
  await page.getByRole("dialog").getByRole("button", { name: "Create Store" }).click()
  await expect(page.getByText("Enter at least 2 characters.")).toBeVisible()
  await inBothThemes(page, () => expectAccessible(page))
  await page.keyboard.press("Escape")

  await page.getByRole("button", { name: "Delete Ready Shop" }).click()
  await page.getByLabel("Type Ready Shop to confirm").fill("Ready Shop")
  await inBothThemes(page, () => expectAccessible(page))
  await page.keyboard.press("Escape")

  await page.getByRole("button", { name: "Admin login of Ready Shop" }).click()
  await expect(page.getByText("Admin@123")).toBeVisible()
  await inBothThemes(page, () => expectAccessible(page))
  await page.keyboard.press("Escape")

  // The popover gives the focus back once it is gone; what takes it sooner loses it again.
  await expect(page.getByRole("button", { name: "Admin login of Ready Shop" })).toBeFocused()
  await page.getByRole("link", { name: /^Admin/ }).focus()
  await expect(page.getByRole("tooltip")).toHaveText("Login: admin / Admin@123")
  await inBothThemes(page, () => expectAccessible(page))
  await page.keyboard.press("Escape")
  await expect(page.getByRole("tooltip")).toBeHidden()

  await page.getByRole("button", { name: "Account" }).click()
  await expect(page.getByText("ada@example.com")).toBeVisible()
  await inBothThemes(page, () => expectAccessible(page))
  await page.keyboard.press("Escape")

  const failing = addStore("Failing Shop")
  await expect(page.getByRole("article", { name: "Failing Shop" })).toBeVisible()
  api.db.fail(failing, "the download timed out")
  await expect(page.getByText("Failing Shop failed")).toBeVisible()
  await inBothThemes(page, () => expectAccessible(page))
})

test("nothing scrolls sideways at 320 pixels, also with long names", async ({
  page,
  api,
  signIn,
  addStore,
}) => {
  await page.setViewportSize({ width: 320, height: 640 })
  await page.goto("/register")
  await expectNoSidewaysScroll(page)
  api.db.complete(addStore("Donaudampfschifffahrtsgesellschaftskapitaensmuetzengeschaeft"))
  api.db.fail(
    addStore("Failed Shop"),
    `the address http://${"very-long-".repeat(12)}example.com does not answer`,
  )
  addStore("New Shop")
  await signIn()
  await expect(page.getByRole("article")).toHaveCount(3)
  await expectNoSidewaysScroll(page)
  await page.getByRole("button", { name: /^Delete Donau/ }).click()
  await expectNoSidewaysScroll(page)
})

test("nothing moves for somebody who asked for less motion", async ({ page, api, signIn, addStore }) => {
  await page.emulateMedia({ reducedMotion: "reduce" })
  await signIn()
  api.db.advance(addStore("New Shop"))
  await expect(page.getByRole("article", { name: "New Shop" }).locator("[data-status=running]")).toBeVisible()
  await page.getByRole("button", { name: "Create Store" }).click()
  await expect(page.getByRole("dialog")).toBeVisible()
  const moving = () =>
    page.evaluate(() =>
      document
        .getAnimations()
        .filter((animation) => animation.playState === "running")
        .map((animation) => animation.effect?.getComputedTiming())
        .filter((timing) => timing && Number(timing.duration) * (timing.iterations ?? 1) > 1)
        .map((timing) => JSON.stringify(timing)),
    )
  expect(await moving()).toEqual([])
})

test("the theme is chosen, kept over a reload and set before the first paint", async ({ page, signIn }) => {
  await page.emulateMedia({ colorScheme: "light" })
  await signIn()
  await page.getByRole("button", { name: "Theme" }).click()
  await page.getByRole("menuitemradio", { name: "Dark" }).click()
  await expect(page.locator("html")).toHaveClass(/dark/)
  await page.reload({ waitUntil: "commit" })
  await expect(page.locator("html")).toHaveClass(/dark/)
  await page.getByRole("button", { name: "Theme" }).click()
  await page.getByRole("menuitemradio", { name: "System" }).click()
  await expect(page.locator("html")).not.toHaveClass(/dark/)
})
