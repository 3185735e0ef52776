// The store journey in a real browser against a running NorthStack.
//
//   BASE_URL=http://127.0.0.1:3001 EMAIL=... PASSWORD=... node e2e/live/journey.live.mjs
//
// Signs in (or registers EMAIL when REGISTER=1 or when nobody has it), creates a store, watches each step go live in
// one page load, sees it ready, reveals its login, deletes it and waits until its card is gone.
// STORE_NAME names the store (My Shop), TIMEOUT_SECONDS bounds the provisioning (300), SCREENSHOT=<file.png> keeps a
// picture of the page while a step runs, SCREENSHOT_READY=<file.png> one of the ready store, CHROMIUM_PATH is the browser.
import { strict as assert } from "node:assert"
import { open, required, say } from "./browser.mjs"

const baseUrl = required("BASE_URL").replace(/\/$/, "")
const email = required("EMAIL")
const password = required("PASSWORD")
const storeName = process.env.STORE_NAME ?? "My Shop"
const provisioning = Number(process.env.TIMEOUT_SECONDS ?? 300) * 1000
const quick = 15_000

const { browser, page, faults } = await open(
  {
    viewport: { width: 1280, height: 900 },
    colorScheme: process.env.COLOR_SCHEME === "light" ? "light" : "dark",
  },
  quick,
)

const loads = []
const listQueries = []
page.on("request", (request) => {
  if (request.isNavigationRequest() && request.frame() === page.mainFrame()) loads.push(request.url())
  const body = request.postData() ?? ""
  if (/\bstores\s*\(/.test(body) || new URL(request.url()).pathname.startsWith("/api/stores")) {
    listQueries.push(request.url())
  }
})

async function enter() {
  const stores = page.getByRole("heading", { name: /^Your Stores \(\d+\)$/ })
  const refused = page.getByRole("alert")
  const outcome = () =>
    Promise.race([
      stores.waitFor().then(() => "in"),
      refused.waitFor().then(async () => (await refused.textContent()) ?? "refused"),
    ])
  await page.goto(`${baseUrl}/stores`)
  await page.getByRole("heading", { name: "Sign in" }).waitFor()
  let answer = "not tried"
  if (process.env.REGISTER !== "1") {
    await page.getByLabel("E-mail").fill(email)
    await page.getByLabel("Password", { exact: true }).fill(password)
    await page.getByRole("button", { name: "Sign in" }).click()
    answer = await outcome()
  }
  if (answer !== "in") {
    say(`signing in: ${answer}; registering`)
    await page.getByRole("link", { name: "Create an account" }).click()
    await page.getByLabel("Name", { exact: true }).fill(process.env.NAME ?? "Journey")
    await page.getByLabel("E-mail").fill(email)
    await page.getByLabel("Password", { exact: true }).fill(password)
    await page.getByRole("button", { name: "Create account" }).click()
    answer = await outcome()
  }
  assert.equal(answer, "in", `neither signing in nor registering works: ${answer}`)
  assert.match(page.url(), /\/stores$/)
  say(`signed in as ${email}`)
}

async function create() {
  await page.getByRole("button", { name: "Create Store" }).click()
  const dialog = page.getByRole("dialog", { name: "Create New Store" })
  assert.equal(await dialog.getByRole("radio", { name: "MedusaJS" }).isDisabled(), true)
  await dialog.getByLabel("Store Name").fill(storeName)
  await dialog.getByRole("button", { name: "Create Store" }).click()
  await dialog.waitFor({ state: "hidden" })
  const card = page.getByRole("article", { name: storeName, exact: true })
  await card.waitFor()
  say(`"${storeName}" is there`)
  return card
}

/** Reads the card until it is ready; tells of each change of a step. Only the page's own socket moves it. */
async function watch(card) {
  const seen = new Map()
  const history = new Map()
  const deadline = Date.now() + provisioning
  let pictured = process.env.SCREENSHOT === undefined
  for (;;) {
    const state = await card.evaluate((element) => ({
      badge: element.querySelector("[data-slot=badge]")?.textContent ?? "",
      alert: element.querySelector("[data-slot=alert]")?.textContent ?? "",
      steps: [...element.querySelectorAll("li[data-status]")].map((step) => ({
        title: step.querySelector("p > span")?.firstChild?.textContent ?? "",
        status: step.getAttribute("data-status") ?? "",
      })),
    }))
    for (const { title, status } of state.steps) {
      if (seen.get(title) === status) continue
      seen.set(title, status)
      history.set(title, [...(history.get(title) ?? []), status])
      if (status !== "pending") say(`  ${title}: ${status}`)
    }
    const half = state.steps.filter((step) => step.status === "succeeded").length >= state.steps.length / 2
    if (!pictured && state.steps.length > 0 && half) {
      await page.screenshot({ path: process.env.SCREENSHOT, fullPage: true })
      pictured = true
    }
    if (state.badge === "Ready") break
    assert.notEqual(state.badge, "Failed", `the store failed: ${state.alert}`)
    assert.ok(Date.now() < deadline, `not ready in time; the steps: ${JSON.stringify(state.steps)}`)
    await page.waitForTimeout(40)
  }
  const live = [...history.values()].filter((states) => states.length > 1).length
  assert.ok(history.size >= 3, `the card shows the steps, but only ${history.size} were seen`)
  // Several steps may pass within one look; those that take time are seen to change.
  assert.ok(live >= 3, `steps change live, but only ${live} of ${history.size} were seen to`)
  say(`ready; ${live} of ${history.size} steps were seen changing`)
}

async function inspect(card) {
  const link = card.getByRole("link", { name: /Open Store/ })
  const url = await link.getAttribute("href")
  assert.equal(await link.getAttribute("target"), "_blank")
  assert.match(url ?? "", /^https?:\/\/store-[a-z0-9]{8}\./)
  const admin = await card.getByRole("link", { name: /^Admin/ }).getAttribute("href")
  assert.match(admin ?? "", /wp-admin/)
  await card.getByRole("button", { name: /^Admin login/ }).click()
  const login = page.getByRole("dialog", { name: /^Admin login/ })
  await login.getByRole("button", { name: "Copy password" }).waitFor()
  const [username, secret] = await login.locator("code").allTextContents()
  assert.ok(username && secret, "the login has a name and a password")
  say(`storefront ${url}, admin login revealed (${username})`)
  if (process.env.SCREENSHOT_READY)
    await page.screenshot({ path: process.env.SCREENSHOT_READY, fullPage: true })
  await page.keyboard.press("Escape")
  await login.waitFor({ state: "hidden" })
}

async function remove(card) {
  await card.getByRole("button", { name: `Delete ${storeName}` }).click()
  const question = page.getByRole("alertdialog")
  const confirm = question.getByRole("button", { name: /Yes, Delete/ })
  assert.equal(await confirm.isDisabled(), true, "nothing is deleted before the name is typed")
  await question.getByLabel(`Type ${storeName} to confirm`).fill(storeName)
  await confirm.click()
  await question.waitFor({ state: "hidden" })
  say("deletion asked for")
  await card.waitFor({ state: "detached", timeout: provisioning })
  say("the card is gone")
}

try {
  await enter()
  const pages = loads.length
  const card = await create()
  await watch(card)
  await inspect(card)
  await remove(card)
  assert.equal(loads.length, pages, "the page was never loaded again")
  assert.deepEqual(listQueries, [], "the list came over the socket alone, nothing polled for it")
  assert.deepEqual(faults, [], "the browser's console is clean")
  say("journey done")
} catch (error) {
  await page
    .screenshot({ path: process.env.FAILURE_SCREENSHOT ?? "journey-failed.png" })
    .catch(() => undefined)
  console.error(error)
  process.exitCode = 1
} finally {
  await browser.close()
}
