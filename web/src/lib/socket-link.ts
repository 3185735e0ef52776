import { ApolloLink, Observable } from "@apollo/client"
import { CombinedGraphQLErrors } from "@apollo/client/errors"
import { print, type GraphQLFormattedError } from "graphql"
import { createClient, type Client } from "graphql-ws"
import { useConnection } from "@/lib/connection"
import { freshToken, renew, useSession } from "@/lib/session"

const again = 2_000
/** Close codes after which the token is doubted: bad answer, bad request, unauthorized, forbidden. */
const doubtful = new Set([4004, 4400, 4401, 4403])

/** Waits that end all together when the socket is closed for good. */
function createWaits() {
  const pending = new Set<() => void>()
  return {
    wait: (milliseconds: number): Promise<void> =>
      new Promise((resolve) => {
        const done = () => {
          clearTimeout(timer)
          window.removeEventListener("online", done)
          pending.delete(done)
          resolve()
        }
        const timer = setTimeout(done, milliseconds)
        // Back on the network: no reason to wait on.
        window.addEventListener("online", done)
        pending.add(done)
      }),
    end: () => {
      for (const done of pending) done()
    },
  }
}

function socketUrl(): string {
  return `${location.protocol === "https:" ? "wss:" : "ws:"}//${location.host}/v1/graphql`
}

/** The socket of all subscriptions (subprotocol graphql-transport-ws), which reconnects for ever. */
export interface LiveSocket {
  link: ApolloLink
  /** Closes the socket; subscriptions that are still wanted come back on a new one, with the present token. */
  restart: () => void
  /** Gives up for good: nothing is waited for or tried again. */
  close: () => void
}

/** Builds the socket. It opens with the first subscription and closes after the last. */
export function createLiveSocket(): LiveSocket {
  let socket: WebSocket | undefined
  let doubted = false
  let closed = false
  const { wait, end } = createWaits()
  const client: Client = createClient({
    // Asked before each attempt: a socket is opened only with a token that is still good.
    url: async () => {
      if (doubted) await renew()
      doubted = false
      while (!closed && (await freshToken()) === null && useSession.getState().status !== "signed-out")
        await wait(again)
      return socketUrl()
    },
    connectionParams: () => {
      const session = useSession.getState()
      return session.status === "signed-in"
        ? { headers: { Authorization: `Bearer ${session.accessToken}` } }
        : {}
    },
    keepAlive: 10_000,
    retryAttempts: Infinity,
    shouldRetry: () => !closed,
    retryWait: (retries) => wait(Math.min(250 * 2 ** retries, 10_000) + Math.random() * 250),
    on: {
      connecting: (isRetry) => useConnection.setState({ state: isRetry ? "reconnecting" : "connecting" }),
      opened: (opened) => {
        socket = opened as WebSocket
      },
      connected: () => useConnection.setState({ state: "live" }),
      closed: (event) => {
        const { code } = event as CloseEvent
        doubted ||= doubtful.has(code)
        useConnection.setState({ state: code === 1000 ? "idle" : "reconnecting" })
      },
    },
  })
  return {
    link: new ApolloLink((operation) => subscribe(client, operation)),
    restart: () => {
      if (socket?.readyState === WebSocket.OPEN) socket.close(4205, "Client Restart")
    },
    close: () => {
      closed = true
      end()
    },
  }
}

function subscribe(client: Client, operation: ApolloLink.Operation): Observable<ApolloLink.Result> {
  return new Observable((observer) => {
    let stop = () => {}
    let stopped = false
    let timer: ReturnType<typeof setTimeout> | undefined
    const start = () => {
      stop = client.subscribe(
        {
          query: print(operation.query),
          operationName: operation.operationName,
          variables: operation.variables,
        },
        {
          next: (result) => observer.next(result as ApolloLink.Result),
          complete: () => observer.complete(),
          error: (cause) => {
            if (stopped) return
            if (Array.isArray(cause)) {
              // The server refused the subscription itself.
              const errors = cause as GraphQLFormattedError[]
              observer.error(new CombinedGraphQLErrors({ data: null, errors }))
              return
            }
            // A close code that graphql-ws does not retry, such as a refused token.
            useConnection.setState({ state: "reconnecting" })
            timer = setTimeout(start, again)
          },
        },
      )
    }
    start()
    return () => {
      stopped = true
      clearTimeout(timer)
      stop()
    }
  })
}
