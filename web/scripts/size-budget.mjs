// Holds the built portal to its budgets, in kB after gzip: what every page loads, what each route adds, the styles.
import { readFile } from "node:fs/promises"
import { gzipSync } from "node:zlib"

const dist = new URL("../dist/", import.meta.url)
const manifest = JSON.parse(await readFile(new URL(".vite/manifest.json", dist), "utf8"))
const limits = JSON.parse(await readFile(new URL("size-budget.json", import.meta.url), "utf8"))

const sizes = new Map()
async function size(file) {
  if (!sizes.has(file)) sizes.set(file, gzipSync(await readFile(new URL(file, dist))).length / 1000)
  return sizes.get(file)
}

/** Every chunk that loads with `key`, itself included. */
function closure(key, found = new Set()) {
  if (found.has(key)) return found
  found.add(key)
  for (const next of manifest[key]?.imports ?? []) closure(next, found)
  return found
}

async function total(keys) {
  let sum = 0
  for (const key of keys) sum += await size(manifest[key].file)
  return sum
}

const [entry] = Object.entries(manifest).find(([, chunk]) => chunk.isEntry)
const shell = closure(entry)
const rows = [["shell JS", await total(shell), limits.shellJs]]
for (const [key, chunk] of Object.entries(manifest)) {
  if (!chunk.isDynamicEntry) continue
  const own = [...closure(key)].filter((each) => !shell.has(each))
  rows.push([`route ${chunk.name}`, await total(own), limits.routeJs])
}
const styles = new Set(Object.values(manifest).flatMap((chunk) => chunk.css ?? []))
let css = 0
for (const file of styles) css += await size(file)
rows.push(["CSS", css, limits.css])

let over = false
for (const [name, kilobytes, limit] of rows) {
  const broken = kilobytes > limit
  over ||= broken
  console.log(
    `${name.padEnd(34)} ${kilobytes.toFixed(1).padStart(7)} kB of ${limit}${broken ? "  OVER" : ""}`,
  )
}
for (const chunk of Object.values(manifest)) {
  if (!chunk.file.endsWith(".js")) continue
  const text = await readFile(new URL(chunk.file, dist), "utf8")
  if (/mockServiceWorker|correct horse|new MockDb/.test(text)) {
    console.error(`${chunk.file} holds mock code`)
    over = true
  }
}
if (over) process.exit(1)
