import { ApolloClient, ApolloLink, HttpLink, InMemoryCache } from "@apollo/client"
import { CombinedGraphQLErrors, ServerError } from "@apollo/client/errors"
import { SetContextLink } from "@apollo/client/link/context"
import { ErrorLink } from "@apollo/client/link/error"
import { OperationTypeNode } from "graphql"
import { from, switchMap, throwError } from "rxjs"
import { freshToken, renew, useSession } from "@/lib/session"
import { createLiveSocket } from "@/lib/socket-link"

declare module "@apollo/client" {
  interface DefaultContext {
    /** Sent without a token: sign-in and the like. */
    anonymous?: boolean
    /** The request was already repeated with a new token. */
    renewed?: boolean
  }
}

const authorise = new SetContextLink(async (context) => {
  if (context.anonymous) return {}
  const token = await freshToken()
  return token === null ? {} : { headers: { ...context.headers, authorization: `Bearer ${token}` } }
})

function tokenRefused(error: unknown): boolean {
  if (ServerError.is(error)) return error.statusCode === 401
  if (!CombinedGraphQLErrors.is(error)) return false
  const code = error.errors[0]?.extensions?.code
  return code === "invalid-jwt" || code === "invalid-token" || code === "unauthenticated"
}

/** A refused token is renewed and the request repeated, once. */
const renewRefused = new ErrorLink(({ error, operation, forward }) => {
  const { anonymous, renewed } = operation.getContext()
  if (anonymous || renewed || !tokenRefused(error)) return undefined
  return from(renew()).pipe(
    switchMap((token) => {
      if (token === null) return throwError(() => error)
      operation.setContext({ renewed: true })
      return forward(operation)
    }),
  )
})

/** The portal's way to the API. */
export interface Connection {
  client: ApolloClient
  /** Lets go of the session and of the socket, for good. */
  close: () => void
}

/** The client of the whole portal: HTTP for queries and mutations, one socket for subscriptions. */
export function createApollo(): Connection {
  const socket = createLiveSocket()
  const http = ApolloLink.from([
    renewRefused,
    authorise,
    new HttpLink({ uri: "/v1/graphql", credentials: "same-origin" }),
  ])
  const client = new ApolloClient({
    link: ApolloLink.split(
      ({ operationType }) => operationType === OperationTypeNode.SUBSCRIPTION,
      socket.link,
      http,
    ),
    cache: new InMemoryCache({
      typePolicies: {
        query_root: { queryType: true },
        mutation_root: { mutationType: true },
        subscription_root: { subscriptionType: true },
        StoreCredentials: { keyFields: false },
        Session: { keyFields: false },
      },
    }),
  })
  // Another person: nothing of the former one stays, neither in the cache nor on the socket.
  const forget = useSession.subscribe((now, before) => {
    const user = now.status === "signed-in" ? now.userId : null
    const former = before.status === "signed-in" ? before.userId : null
    if (former === null || user === former) return
    socket.restart()
    void client.clearStore()
  })
  return {
    client,
    close: () => {
      forget()
      socket.close()
    },
  }
}
