import { expect, test } from "vitest"
import { type Headers, namesCaller, rolesOf, withSession } from "@/explorer/headers"

test("the session is in every request, whatever the tab's own headers are", () => {
  expect(withSession({}, "token", "")).toEqual({ Authorization: "Bearer token" })
  expect(withSession({ "x-request-id": "7" }, "token", "user")).toEqual({
    "x-request-id": "7",
    Authorization: "Bearer token",
    "x-hasura-role": "user",
  })
  expect(withSession({ "X-Hasura-Role": "viewer" }, "token", "user")).not.toHaveProperty("x-hasura-role")
  expect(withSession({ a: "b" }, null, "user")).toEqual({ a: "b" })
})

test("headers that say who asks are left alone", () => {
  const own: Headers[] = [{ authorization: "Bearer other" }, { "X-Hasura-Admin-Secret": "secret" }]
  for (const headers of own) {
    expect(withSession(headers, "token", "user")).toEqual(headers)
    expect(namesCaller(headers)).toBe(true)
  }
})

test("the roles are those of the token", () => {
  const token = (claims: unknown) => `x.${btoa(JSON.stringify(claims)).replaceAll("=", "")}.x`
  const roles = { "x-hasura-allowed-roles": ["user"] }
  expect(rolesOf(token({ "https://hasura.io/jwt/claims": roles }))).toEqual(["user"])
  for (const other of ["", "x.y", token({}), token(null), token({ "https://hasura.io/jwt/claims": {} })]) {
    expect(rolesOf(other)).toEqual([])
  }
})
