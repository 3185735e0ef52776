import { expect, test } from "vitest"
import { stepStatusLook, storeStatusLook } from "@/lib/status"

test("each status of a store has its word, tone and motion", () => {
  expect(storeStatusLook("provisioning")).toMatchObject({
    label: "Provisioning",
    tone: "warning",
    busy: true,
  })
  expect(storeStatusLook("ready")).toMatchObject({ label: "Ready", tone: "success", busy: false })
  expect(storeStatusLook("failed")).toMatchObject({ label: "Failed", tone: "danger", busy: false })
  expect(storeStatusLook("deleting")).toMatchObject({ label: "Deleting", tone: "neutral", busy: false })
})

test("a status that is not known is shown by its raw word, also one that an object inherits", () => {
  expect(storeStatusLook("hibernating")).toMatchObject({ label: "hibernating", tone: "neutral" })
  expect(stepStatusLook("constructor")).toMatchObject({ label: "constructor", tone: "neutral" })
})
