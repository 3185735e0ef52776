import { CombinedGraphQLErrors } from "@apollo/client/errors"
import { expect, test } from "vitest"
import { describeError } from "@/lib/errors"

function graphqlError(message: string, extensions: Record<string, unknown> = {}) {
  return new CombinedGraphQLErrors({ data: null, errors: [{ message, extensions }] })
}

test("an error of the API keeps its code and field and reads as a sentence", () => {
  expect(describeError(graphqlError("too short", { code: "invalid-input", field: "name" }))).toEqual({
    message: "Too short.",
    code: "invalid-input",
    field: "name",
  })
})

test("an internal error says nothing of the inside", () => {
  expect(describeError(graphqlError("internal error", { code: "unexpected" })).message).toMatch(/went wrong/)
})

test("without an answer the connection is named", () => {
  expect(describeError(new TypeError("Failed to fetch"))).toMatchObject({ code: "unreachable" })
})
