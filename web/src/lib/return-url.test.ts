import { expect, test } from "vitest"
import { validateReturnSearch } from "@/lib/return-url"

test("a path of the portal is kept with its search", () => {
  expect(validateReturnSearch({ redirect: "/stores?view=list" })).toEqual({ redirect: "/stores?view=list" })
})

test.each([
  "https://evil.example",
  "//evil.example",
  "/\\evil.example",
  "javascript:alert(1)",
  "/",
  "",
  7,
  undefined,
])("%s is dropped", (redirect) => {
  expect(validateReturnSearch({ redirect })).toEqual({})
})
