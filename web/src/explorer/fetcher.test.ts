import { parse } from "graphql"
import { expect, test } from "vitest"
import { isSubscription } from "@/explorer/fetcher"

test("the chosen operation decides the way it is sent", () => {
  const document = parse("query A { me { id } } subscription B { stores { id } }")
  expect(isSubscription(document, "A")).toBe(false)
  expect(isSubscription(document, "B")).toBe(true)
  expect(isSubscription(parse("subscription { stores { id } }"))).toBe(true)
  expect(isSubscription(parse("{ me { id } }"))).toBe(false)
  expect(isSubscription(document)).toBe(false)
})
