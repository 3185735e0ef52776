// Takes the API's SDL (the repository's schema.graphql, written by the engine) over as the portal's own copy.
import { readFile, writeFile } from "node:fs/promises"

const sdl = await readFile(new URL("../../schema.graphql", import.meta.url), "utf8")
await writeFile(new URL("../schema.graphql", import.meta.url), sdl)
console.log("schema.graphql refreshed; now run: npm run codegen")
