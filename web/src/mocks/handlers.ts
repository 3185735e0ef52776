import { graphql as execute, type GraphQLSchema } from "graphql"
import { makeServer } from "graphql-ws"
import { graphql, HttpResponse, ws } from "msw"
import type { MockDb } from "./db"
import { admits, roots, type MockContext } from "./resolvers"
import { loadSchema } from "./schema"

/** The mock's network: handlers, and the browser's cookie that the portal never sees. */
export interface MockNetwork {
  handlers: ReturnType<typeof makeHandlers>
  jar: { cookie: string | null }
}

function bearer(header: unknown): string | null {
  return typeof header === "string" && header.startsWith("Bearer ") ? header.slice(7) : null
}

function makeHandlers(db: MockDb, schema: GraphQLSchema, jar: MockNetwork["jar"]) {
  const contextOf = (authorization: unknown): MockContext => ({
    db,
    token: bearer(authorization),
    cookie: jar.cookie,
    setCookie: (value) => {
      jar.cookie = value
    },
  })
  const protocol = makeServer({
    schema,
    roots,
    context: ({ connectionParams }) =>
      contextOf(
        (connectionParams?.headers as Record<string, unknown> | undefined)?.Authorization,
      ) as unknown as Record<string, unknown>,
    onConnect: ({ connectionParams }) =>
      admits(contextOf((connectionParams?.headers as Record<string, unknown> | undefined)?.Authorization)),
  })
  return [
    graphql.operation(async ({ request, query, variables }) =>
      HttpResponse.json(
        await execute({
          schema,
          source: query,
          variableValues: variables,
          rootValue: { ...roots.query, ...roots.mutation },
          contextValue: contextOf(request.headers.get("authorization")),
        }),
      ),
    ),
    ws.link(/\/v1\/graphql$/).addEventListener("connection", ({ client }) => {
      const closed = protocol.opened(
        {
          protocol: "graphql-transport-ws",
          send: (data) => client.send(data),
          close: (code, reason) => client.close(code, reason),
          onMessage: (receive) => {
            client.addEventListener("message", ({ data }) => {
              if (typeof data === "string") void receive(data)
            })
          },
        },
        {},
      )
      client.addEventListener("close", () => void closed(1000, ""))
    }),
  ]
}

/** The API over `db` for a test in jsdom. */
export function mockNetwork(db: MockDb): MockNetwork {
  const jar: MockNetwork["jar"] = { cookie: null }
  return { handlers: makeHandlers(db, loadSchema(), jar), jar }
}
