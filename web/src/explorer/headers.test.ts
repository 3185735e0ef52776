import { expect, test } from "vitest"
import { withSession, withoutSession } from "@/explorer/headers"

test("a session replaces a former one, however it was written, and leaves other headers", () => {
  const before = `{ "authorization": "Bearer old", "X-Hasura-Role": "admin", "x-request-id": "7" }`
  expect(JSON.parse(withSession(before, "new", ""))).toEqual({
    "x-request-id": "7",
    Authorization: "Bearer new",
  })
  expect(JSON.parse(withSession(before, "new", "user"))).toMatchObject({ "x-hasura-role": "user" })
})

test("what is no object of headers is replaced", () => {
  for (const text of ["", "{", "[]", "null", "7", `"text"`]) {
    expect(JSON.parse(withSession(text, "new", ""))).toEqual({ Authorization: "Bearer new" })
    expect(withoutSession(text)).toBe("")
  }
})

test("forgetting takes the session alone away", () => {
  expect(withoutSession(withSession("", "token", "user"))).toBe("")
  expect(JSON.parse(withoutSession(`{ "a": "b", "Authorization": "Bearer x" }`))).toEqual({ a: "b" })
})
