export type Headers = Record<string, string>

/** What somebody types to be somebody else than the session: then the session is left out. */
const identities = new Set(["authorization", "x-hasura-admin-secret"])

/** Whether the headers say themselves who asks. */
export function namesCaller(headers: Headers): boolean {
  return Object.keys(headers).some((name) => identities.has(name.toLowerCase()))
}

/** The headers with the session's token and the chosen role, unless they say themselves who asks. */
export function withSession(headers: Headers, accessToken: string | null, role: string): Headers {
  if (accessToken === null || namesCaller(headers)) return headers
  const named = Object.keys(headers).some((name) => name.toLowerCase() === "x-hasura-role")
  return {
    ...headers,
    Authorization: `Bearer ${accessToken}`,
    ...(role !== "" && !named ? { "x-hasura-role": role } : {}),
  }
}

/** The roles that an access token allows; none for a token that cannot be read. */
export function rolesOf(accessToken: string): string[] {
  try {
    const payload = accessToken.split(".")[1] ?? ""
    const text = atob(payload.replaceAll("-", "+").replaceAll("_", "/"))
    const claims = JSON.parse(text) as Record<string, { "x-hasura-allowed-roles"?: unknown } | undefined>
    const roles = claims["https://hasura.io/jwt/claims"]?.["x-hasura-allowed-roles"]
    return Array.isArray(roles) ? roles.filter((role) => typeof role === "string") : []
  } catch {
    return []
  }
}
