import { CombinedGraphQLErrors, ServerError } from "@apollo/client/errors"
import { asSentence } from "@/lib/format"

/** What went wrong, in words for a person; `code` and `field` are the API's (`extensions` of a GraphQL error). */
export interface Problem {
  message: string
  code: string | null
  field: string | null
}

const unreachable = "NorthStack cannot be reached. Check the connection and try again."

function text(value: unknown): string | null {
  return typeof value === "string" && value !== "" ? value : null
}

/** Reads any error that a request can end with. */
export function describeError(error: unknown): Problem {
  if (CombinedGraphQLErrors.is(error)) {
    const first = error.errors[0]
    const code = text(first?.extensions?.code)
    const message = text(first?.message)
    return {
      message:
        message === null || message === "internal error"
          ? "Something went wrong on the server. Try again in a moment."
          : asSentence(message),
      code,
      field: text(first?.extensions?.field),
    }
  }
  if (ServerError.is(error)) {
    if (error.statusCode === 429) {
      return { message: "Too many requests. Wait a moment and try again.", code: "rate-limited", field: null }
    }
    if (error.statusCode === 401 || error.statusCode === 403) {
      return {
        message: "Your session does not allow this. Sign in again.",
        code: "unauthenticated",
        field: null,
      }
    }
    return {
      message: `The server answered with an error (${error.statusCode}). Try again in a moment.`,
      code: null,
      field: null,
    }
  }
  return { message: unreachable, code: "unreachable", field: null }
}
