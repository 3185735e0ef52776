import type { Fetcher, FetcherParams, SyncExecutionResult } from "@graphiql/toolkit"
import { type DocumentNode, type ExecutionResult, getOperationAST, OperationTypeNode, parse } from "graphql"
import { createClient } from "graphql-ws"

const endpoint = "/v1/graphql"

type Headers = Record<string, string>

/** Sends one operation; `fetch` keeps no cookie, so that the explorer never touches the portal's session. */
export async function post(params: FetcherParams, headers: Headers = {}): Promise<SyncExecutionResult> {
  const response = await fetch(endpoint, {
    method: "POST",
    credentials: "omit",
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

/** Opens a socket of its own for one subscription (subprotocol graphql-transport-ws), closed when it is stopped. */
function subscribe(params: FetcherParams, headers: Headers): AsyncIterable<ExecutionResult> {
  const client = createClient({
    url: `${location.protocol === "https:" ? "wss:" : "ws:"}//${location.host}${endpoint}`,
    // As Hasura reads them; a browser cannot set headers on a socket.
    connectionParams: { headers },
  })
  const results = client.iterate({
    query: params.query,
    operationName: params.operationName ?? undefined,
    variables: params.variables as Record<string, unknown> | undefined,
  })
  // Errors come over the wire as plain objects; they are shown, not thrown.
  return results as AsyncIterable<ExecutionResult>
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
  return subscription ? subscribe(params, headers) : post(params, headers)
}
