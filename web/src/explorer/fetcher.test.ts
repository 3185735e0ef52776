import { expect, test } from "vitest"
import { operation } from "@/explorer/fetcher"

const two = "query A { me { id } } subscription B { stores { id } }"

test("the chosen operation decides the way it is sent", () => {
  expect(operation({ query: two, operationName: "A" }).subscription).toBe(false)
  expect(operation({ query: two, operationName: "B" }).subscription).toBe(true)
  expect(operation({ query: "subscription { stores { id } }" }).subscription).toBe(true)
  expect(operation({ query: "{ me { id } }" }).subscription).toBe(false)
  expect(operation({ query: two }).subscription).toBe(false)
})

test("a name that belongs to the text before is not sent with the text that is there now", () => {
  const now = operation({ query: "subscription { stores { id } }", operationName: "Stores" })
  expect(now).toEqual({
    params: { query: "subscription { stores { id } }", operationName: undefined },
    subscription: true,
  })
  expect(operation({ query: two, operationName: "A" }).params.operationName).toBe("A")
})

test("a text with a fault goes to the service, which says what is wrong", () => {
  const params = { query: "subscription {", operationName: "A" }
  expect(operation(params)).toEqual({ params, subscription: false })
})
