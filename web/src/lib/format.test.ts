import { describe, expect, test } from "vitest"
import { asSentence, formatDuration, formatRelative } from "@/lib/format"

describe("formatDuration", () => {
  test.each([
    [-5, "0s"],
    [999, "0s"],
    [59_999, "59s"],
    [134_000, "2m 14s"],
    [3_900_000, "1h 05m"],
  ])("%i ms is %s", (milliseconds, words) => {
    expect(formatDuration(milliseconds)).toBe(words)
  })
})

describe("formatRelative", () => {
  const now = Date.parse("2026-11-21T12:00:00Z")
  test.each([
    ["2026-11-21T12:00:30Z", "just now"],
    ["2026-11-21T11:59:30Z", "just now"],
    ["2026-11-21T11:57:00Z", "3 minutes ago"],
    ["2026-11-21T10:00:00Z", "2 hours ago"],
    ["2026-11-20T11:00:00Z", "yesterday"],
    ["not a time", "—"],
  ])("%s is %s", (iso, words) => {
    expect(formatRelative(iso, now)).toBe(words)
  })
})

test("a message of the API reads as a sentence", () => {
  expect(asSentence("no such store")).toBe("No such store.")
  expect(asSentence("Really?")).toBe("Really?")
  expect(asSentence(" ")).toBe("")
})
