/** What the headers editor holds as an object; anything else is given up, as it could not be sent either. */
function read(text: string): Record<string, unknown> {
  try {
    const headers: unknown = JSON.parse(text)
    return headers !== null && typeof headers === "object" && !Array.isArray(headers) ? { ...headers } : {}
  } catch {
    return {}
  }
}

const ours = new Set(["authorization", "x-hasura-role"])

function others(text: string): Record<string, unknown> {
  return Object.fromEntries(Object.entries(read(text)).filter(([name]) => !ours.has(name.toLowerCase())))
}

/** The editor's text with this token, and this role unless it is empty; other headers stay. */
export function withSession(text: string, accessToken: string, role: string): string {
  const session = { Authorization: `Bearer ${accessToken}`, ...(role ? { "x-hasura-role": role } : {}) }
  return JSON.stringify({ ...others(text), ...session }, null, 2)
}

/** The editor's text without token and role. */
export function withoutSession(text: string): string {
  const rest = others(text)
  return Object.keys(rest).length > 0 ? JSON.stringify(rest, null, 2) : ""
}
