/** Removes every `headers` from a value, at any depth. */
function bare(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(bare)
  if (value === null || typeof value !== "object") return value
  const kept = Object.entries(value).filter(([name]) => name !== "headers")
  return Object.fromEntries(kept.map(([name, inner]) => [name, bare(inner)]))
}

function withoutHeaders(text: string): string {
  if (!text.includes("headers")) return text
  try {
    return JSON.stringify(bare(JSON.parse(text)))
  } catch {
    return text
  }
}

/**
 * The browser's storage for tabs and history, which never keeps headers: they hold tokens, and GraphiQL's history
 * would write them down whatever its own setting says.
 */
export const storage = {
  get length() {
    return localStorage.length
  },
  getItem: (key: string) => localStorage.getItem(key),
  setItem: (key: string, value: string) => localStorage.setItem(key, withoutHeaders(value)),
  removeItem: (key: string) => localStorage.removeItem(key),
  clear: () => localStorage.clear(),
}
