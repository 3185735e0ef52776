import { expect, test } from "vitest"
import { storage } from "@/explorer/storage"

test("headers are kept nowhere, all else is", () => {
  const history = { queries: [{ query: "{ me { id } }", headers: '{ "Authorization": "Bearer x" }' }] }
  storage.setItem("graphiql:queries", JSON.stringify(history))
  expect(JSON.parse(storage.getItem("graphiql:queries") ?? "")).toEqual({
    queries: [{ query: "{ me { id } }" }],
  })
  storage.setItem("graphiql:query", "{ headers }")
  expect(storage.getItem("graphiql:query")).toBe("{ headers }")
  storage.removeItem("graphiql:query")
  expect(storage.getItem("graphiql:query")).toBeNull()
})
