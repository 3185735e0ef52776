import { buildSchema, type GraphQLSchema } from "graphql"
import { readFileSync } from "node:fs"
import { join } from "node:path"

/** The API's contract, the repository's schema.graphql, for the mock to execute. Run from `web/`. */
export function loadSchema(): GraphQLSchema {
  return buildSchema(readFileSync(join(process.cwd(), "..", "schema.graphql"), "utf8"))
}
