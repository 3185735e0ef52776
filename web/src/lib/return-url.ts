/** The search of the sign-in pages: `redirect` is where to go afterwards. */
export interface ReturnSearch {
  redirect?: string
}

/** Only a path of this portal: never another host, also not as `//host` or `/\host`. */
export function safeReturnUrl(value: unknown): string | undefined {
  return typeof value === "string" && /^\/(?![/\\])/.test(value) && value !== "/" ? value : undefined
}

/** Reads the search of a sign-in page; what is not a path of this portal is dropped. */
export function validateReturnSearch(search: Record<string, unknown>): ReturnSearch {
  const target = safeReturnUrl(search.redirect)
  return target === undefined ? {} : { redirect: target }
}
