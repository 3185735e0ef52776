// What the live scripts share: their environment, their words, and a page that keeps the faults of its console.
import { chromium } from "playwright-core"

const begun = Date.now()

/** A variable that the script cannot do without. */
export function required(name) {
  const value = process.env[name]
  if (!value) {
    console.error(`${name} is not set`)
    process.exit(2)
  }
  return value
}

/** Prints a line with the seconds since the script began. */
export function say(text) {
  console.log(`${((Date.now() - begun) / 1000).toFixed(1).padStart(7)}s  ${text}`)
}

/** Opens a page in a browser of its own (CHROMIUM_PATH); `faults` collects what its console calls an error. */
export async function open(options, timeout) {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM_PATH ?? "/usr/bin/chromium",
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  })
  const context = await browser.newContext(options)
  const page = await context.newPage()
  page.setDefaultTimeout(timeout)
  const faults = []
  page.on("pageerror", (error) => faults.push(String(error)))
  page.on("console", (message) => {
    if (message.type() === "error") faults.push(message.text())
  })
  return { browser, page, faults }
}
