// Generates `<name>.generated.ts` beside every `src/**/<name>.graphql` from the API's contract, the repository's
// schema.graphql, and refuses a document that the contract does not know; and the tree of the routes.
// With --check nothing is written: a file that would change is an error.
import { codegen } from "@graphql-codegen/core"
import * as typedDocumentNode from "@graphql-codegen/typed-document-node"
import * as typescriptOperations from "@graphql-codegen/typescript-operations"
import { Generator, getConfig } from "@tanstack/router-generator"
import { buildSchema, parse, validate } from "graphql"
import { readFile, readdir, writeFile } from "node:fs/promises"
import { dirname, join, relative } from "node:path"
import { fileURLToPath } from "node:url"

const root = join(dirname(fileURLToPath(import.meta.url)), "..")
const check = process.argv.includes("--check")
const config = {
  documentMode: "documentNode",
  optimizeDocumentNode: true,
  namingConvention: "keep",
  enumsAsTypes: true,
  useTypeImports: true,
  inlineFragmentTypes: "inline",
  skipTypename: true,
  strictScalars: true,
  scalars: {
    uuid: "string",
    timestamptz: "string",
    jsonb: "unknown",
    bigint: "string",
    UUID: "string",
    DateTime: "string",
    JSON: "unknown",
  },
}

const sdl = await readFile(join(root, "..", "schema.graphql"), "utf8")
const schema = buildSchema(sdl)
const schemaAst = parse(sdl, { noLocation: true })
const entries = await readdir(join(root, "src"), { recursive: true })
const sources = entries
  .filter((name) => name.endsWith(".graphql"))
  .map((name) => join(root, "src", name))
  .toSorted()

const stale = []
for (const source of sources) {
  const document = parse(await readFile(source, "utf8"))
  const errors = validate(schema, document)
  if (errors.length > 0) {
    console.error(`${relative(root, source)}:\n${errors.map((error) => `  ${error.message}`).join("\n")}`)
    process.exit(1)
  }
  const target = source.replace(/\.graphql$/, ".generated.ts")
  const code = await codegen({
    filename: target,
    schema: schemaAst,
    documents: [{ location: source, document }],
    config,
    plugins: [{ typescriptOperations: {} }, { typedDocumentNode: {} }],
    pluginMap: { typescriptOperations, typedDocumentNode },
  })
  const text = `// Generated from ${relative(dirname(source), source)} by \`npm run codegen\`; do not edit.\n${code}`
  const current = await readFile(target, "utf8").catch(() => "")
  if (current === text) continue
  if (check) stale.push(relative(root, target))
  else {
    await writeFile(target, text)
    console.log(`wrote ${relative(root, target)}`)
  }
}

// The router's plugin writes the tree at each build; here a forgotten one is found.
const tree = join(root, "src", "routeTree.gen.ts")
const committed = await readFile(tree, "utf8").catch(() => "")
await new Generator({ config: getConfig({}, root), root }).run()
if ((await readFile(tree, "utf8")) !== committed) {
  if (check) {
    await writeFile(tree, committed)
    stale.push(relative(root, tree))
  } else console.log(`wrote ${relative(root, tree)}`)
}

if (stale.length > 0) {
  console.error(`out of date, run \`npm run codegen\`:\n  ${stale.join("\n  ")}`)
  process.exit(1)
}
console.log(`codegen: ${sources.length} documents match the schema`)
