// Holds what was built to its budgets, in kB after gzip: what every page of the portal loads, what each route adds,
// the portal's styles, and the API explorer with its editor.
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

/** Every chunk that can come to load from `key` on. */
function reach(key, found = new Set()) {
  if (found.has(key)) return found
  found.add(key)
  const { imports = [], dynamicImports = [] } = manifest[key] ?? {}
  for (const next of [...imports, ...dynamicImports]) reach(next, found)
  return found
}

/** The styles of these chunks. */
async function styles(keys) {
  let sum = 0
  for (const file of new Set([...keys].flatMap((key) => manifest[key].css ?? []))) sum += await size(file)
  return sum
}

const shell = closure("index.html")
const portal = reach("index.html")
const rows = [["shell JS", await total(shell), limits.shellJs]]
for (const key of portal) {
  const chunk = manifest[key]
  if (!chunk.isDynamicEntry) continue
  const own = [...closure(key)].filter((each) => !shell.has(each))
  rows.push([`route ${chunk.name}`, await total(own), limits.routeJs])
}
rows.push(["CSS", await styles(portal), limits.css])

// What it takes until a query can be typed: the page's script, the editor, and what they load at once.
const explorer = closure("src/explorer/render.tsx", closure("explorer.html"))
for (const key of Object.keys(manifest).filter((each) =>
  /monaco-graphql\/esm\/(monaco-editor|lite)/.test(each),
)) {
  closure(key, explorer)
}
rows.push(["explorer JS", await total(explorer), limits.explorerJs])
rows.push(["explorer CSS", await styles(reach("explorer.html")), limits.explorerCss])
if (explorer.has("index.html")) throw new Error("the explorer's page starts the portal")
for (const key of ["monaco-editor", "graphiql"]) {
  const found = [...portal].filter((each) => each.includes(key))
  if (found.length > 0) throw new Error(`the portal loads the explorer's parts: ${found.join(", ")}`)
}

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
