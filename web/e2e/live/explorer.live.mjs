// The API explorer in a real browser against a running NorthStack.
//
//   BASE_URL=http://127.0.0.1:8080 EMAIL=... PASSWORD=... node e2e/live/explorer.live.mjs
//
// Opens the API's own address, signs in, sends a query, follows a subscription while a store is created beside it, and
// deletes that store. SCREENSHOT=<file.png> keeps a picture of the followed subscription, CHROMIUM_PATH is the browser.
import { strict as assert } from "node:assert"
import { open, required, say } from "./browser.mjs"

const baseUrl = required("BASE_URL").replace(/\/$/, "")
const email = required("EMAIL")
const password = required("PASSWORD")
const storeName = process.env.STORE_NAME ?? "Explored Shop"

async function graphql(query, token) {
  const response = await fetch(`${baseUrl}/v1/graphql`, {
    method: "POST",
    headers: { "content-type": "application/json", ...(token ? { authorization: `Bearer ${token}` } : {}) },
    body: JSON.stringify({ query }),
  })
  const { data, errors } = await response.json()
  assert.equal(errors, undefined, JSON.stringify(errors))
  return data
}

const { browser, page, faults } = await open(
  { viewport: { width: 1280, height: 800 }, colorScheme: "dark" },
  20_000,
)

const answer = page.locator(".graphiql-response")
const run = page.getByRole("button", { name: /Execute query/ })

async function shows(text) {
  await answer.filter({ hasText: text }).waitFor()
}

async function write(text) {
  await page.locator(".graphiql-query-editor .view-lines").click()
  await page.keyboard.press("ControlOrMeta+A")
  await page.evaluate((pasted) => {
    const data = new DataTransfer()
    data.setData("text/plain", pasted)
    document.activeElement?.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true }))
  }, text)
}

try {
  await page.goto(`${baseUrl}/`)
  assert.equal(new URL(page.url()).pathname, "/explorer")
  const pane = page.getByRole("region", { name: "Sign in" })
  await pane.getByLabel("E-mail").fill(email)
  await pane.getByLabel("Password").fill(password)
  await pane.getByRole("button", { name: "Sign in" }).click()
  await pane.getByText(/Signed in, and renewed/).waitFor()
  say(`signed in as ${email}`)

  // Until its editor is there, the explorer has nothing to send.
  await page.locator(".graphiql-query-editor .view-lines").filter({ hasText: "query Stores" }).waitFor()
  await run.click()
  await shows(`"email": "${email}"`)
  say("the query was answered")

  await write("subscription { stores(order_by: { created_at: desc }) { name status } }")
  await run.click()
  await shows('"stores": [')
  const { login } = await graphql(
    `mutation { login(email: ${JSON.stringify(email)}, password: ${JSON.stringify(password)}) { accessToken } }`,
  )
  const { createStore } = await graphql(
    `mutation { createStore(name: ${JSON.stringify(storeName)}) { storeId } }`,
    login.accessToken,
  )
  await shows(storeName)
  say("the subscription told of the new store")
  if (process.env.SCREENSHOT) await page.screenshot({ path: process.env.SCREENSHOT })
  await graphql(`mutation { deleteStore(id: "${createStore.storeId}") { operationId } }`, login.accessToken)
  await shows('"status": "deleting"')
  say("and of its deletion")
  await page.getByRole("button", { name: /Stop query/ }).click()
  await run.waitFor()
  assert.deepEqual(faults, [], "the browser's console is clean")
  say("explored")
} catch (error) {
  await page
    .screenshot({ path: process.env.FAILURE_SCREENSHOT ?? "explorer-failed.png" })
    .catch(() => undefined)
  console.error(error, faults)
  process.exitCode = 1
} finally {
  await browser.close()
}
