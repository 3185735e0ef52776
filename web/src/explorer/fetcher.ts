import type { Fetcher, FetcherParams, SyncExecutionResult } from "@graphiql/toolkit"
import { type DocumentNode, type ExecutionResult, getOperationAST, OperationTypeNode, parse } from "graphql"
import { createClient } from "graphql-ws"
import { namesCaller, withSession, type Headers } from "@/explorer/headers"
import { useRole } from "@/explorer/role"
import { freshToken, sessionKnown } from "@/lib/session"

const endpoint = "/v1/graphql"

/** What somebody sees who asks without being signed in and gets no answer. */
const signedOut = "You are not signed in. Sign in by the key on the left, and run it again."

/** The headers that are sent: those of the tab, and the session that all tabs share. */
async function authorised(headers: Headers): Promise<Headers> {
  await sessionKnown()
  return withSession(headers, await freshToken(), useRole.getState().role)
}

/** Sends one operation as whoever the headers name. The cookie is the session's, which only sign-in and renewal use. */
export async function post(
  params: FetcherParams,
  headers: Headers = {},
  credentials: RequestCredentials = "omit",
): Promise<SyncExecutionResult> {
  const response = await fetch(endpoint, {
    method: "POST",
    credentials,
    headers: { ...headers, "content-type": "application/json", accept: "application/json" },
    body: JSON.stringify(params),
  })
  const text = await response.text()
  try {
    return JSON.parse(text) as SyncExecutionResult
  } catch {
    throw new Error(`The service answered ${response.status} without JSON: ${text.slice(0, 200)}`)
  }
}

/** Says before the service's own words that they are those for a stranger. */
export function explained(result: ExecutionResult, headers: Headers): ExecutionResult {
  if (!result.errors?.length || namesCaller(headers)) return result
  const errors = [{ message: signedOut }, ...result.errors] as unknown as ExecutionResult["errors"]
  return { ...result, errors }
}

async function ask(params: FetcherParams, headers: Headers): Promise<SyncExecutionResult> {
  const sent = await authorised(headers)
  return explained((await post(params, sent)) as ExecutionResult, sent) as SyncExecutionResult
}

/** Opens a socket of its own for one subscription (subprotocol graphql-transport-ws), closed when it is stopped. */
export async function* subscribe(
  params: FetcherParams,
  headers: Headers = {},
): AsyncGenerator<ExecutionResult> {
  let sent = headers
  const client = createClient({
    url: `${location.protocol === "https:" ? "wss:" : "ws:"}//${location.host}${endpoint}`,
    // As Hasura reads them; a browser cannot set headers on a socket. Asked for again at each connection.
    connectionParams: async () => {
      sent = await authorised(headers)
      return { headers: sent }
    },
  })
  const results = client.iterate({
    query: params.query,
    operationName: params.operationName ?? undefined,
    variables: params.variables as Record<string, unknown> | undefined,
  })
  try {
    // Errors come over the wire as plain objects; they are shown, not thrown.
    for await (const result of results) yield explained(result as ExecutionResult, sent)
  } finally {
    void client.dispose()
  }
}

/**
 * The operation that is to run, and whether it is a subscription. GraphiQL's document and operation name follow the
 * editor a moment later, so the text that is sent decides, and a name that it does not have is one of an earlier text.
 */
export function operation(params: FetcherParams): { params: FetcherParams; subscription: boolean } {
  let document: DocumentNode
  try {
    document = parse(params.query)
  } catch {
    // The service says what is wrong with it.
    return { params, subscription: false }
  }
  const named = params.operationName ? getOperationAST(document, params.operationName) : null
  const running = named ?? getOperationAST(document)
  return {
    params: named ? params : { ...params, operationName: undefined },
    subscription: running?.operation === OperationTypeNode.SUBSCRIPTION,
  }
}

/** What GraphiQL runs operations with: subscriptions over a socket, all else over HTTP. */
export const fetcher: Fetcher = (sent, options) => {
  const headers: Headers = options?.headers ?? {}
  const { params, subscription } = operation(sent)
  return subscription ? subscribe(params, headers) : ask(params, headers)
}
