import { graphql, type GraphQLSchema } from "graphql"
import { useServer } from "graphql-ws/use/ws"
import { readFile } from "node:fs/promises"
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { extname, join, normalize } from "node:path"
import { WebSocketServer } from "ws"
import { MockDb } from "../src/mocks/db"
import { admits, roots, type MockContext } from "../src/mocks/resolvers"
import { loadSchema } from "../src/mocks/schema"

const endpoint = "/v1/graphql"
const cookieName = "northstack_refresh"
/** The policy under which the service serves the portal. */
const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join("; ")

const types: Record<string, string> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".json": "application/json",
  ".ttf": "font/ttf",
  ".woff2": "font/woff2",
}

function bearer(header: unknown): string | null {
  return typeof header === "string" && header.startsWith("Bearer ") ? header.slice(7) : null
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString("utf8")
}

/** Answers GraphQL over HTTP. */
function graphqlHandler(db: MockDb, schema: GraphQLSchema) {
  return async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = JSON.parse(await readBody(request)) as {
      query: string
      operationName?: string
      variables?: Record<string, unknown>
    }
    const context: MockContext = {
      db,
      token: bearer(request.headers.authorization),
      cookie: /(?:^|; )northstack_refresh=([^;]+)/.exec(request.headers.cookie ?? "")?.[1] ?? null,
      setCookie: (value) =>
        response.setHeader(
          "set-cookie",
          `${cookieName}=${value ?? ""}; Path=/; HttpOnly; SameSite=Strict; Max-Age=${value === null ? 0 : 2_592_000}`,
        ),
    }
    const result = await graphql({
      schema,
      source: body.query,
      operationName: body.operationName ?? null,
      variableValues: body.variables ?? {},
      rootValue: { ...roots.query, ...roots.mutation },
      contextValue: context,
    })
    response.setHeader("content-type", "application/json")
    response.end(JSON.stringify(result))
  }
}

/** What a test can do to the sockets. */
interface Sockets {
  /** Cuts all of them, as a restarted service would. */
  drop: () => void
  /** Takes no new one until told otherwise. */
  refuse: (refused: boolean) => void
}

/** Answers subscriptions on sockets of `server`. */
function serveSockets(server: Server, db: MockDb, schema: GraphQLSchema): Sockets {
  let refused = false
  const sockets = new WebSocketServer({
    noServer: true,
    handleProtocols: (protocols) => (protocols.has("graphql-transport-ws") ? "graphql-transport-ws" : false),
  })
  const contextOf = (params: Record<string, unknown> | undefined): MockContext => {
    const headers = params?.headers as Record<string, unknown> | undefined
    return { db, token: bearer(headers?.Authorization), cookie: null, setCookie: () => {} }
  }
  useServer(
    {
      schema,
      roots,
      context: ({ connectionParams }) => contextOf(connectionParams) as unknown as Record<string, unknown>,
      onConnect: ({ connectionParams }) => admits(contextOf(connectionParams)),
    },
    sockets,
  )
  server.on("upgrade", (request, socket, head) => {
    if (request.url !== endpoint) return
    if (refused) {
      socket.end("HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n\r\n")
      return
    }
    sockets.handleUpgrade(request, socket, head, (ws) => sockets.emit("connection", ws, request))
  })
  const drop = () => {
    for (const ws of sockets.clients) ws.terminate()
  }
  return {
    drop,
    refuse: (refuse) => {
      refused = refuse
      if (refuse) drop()
    },
  }
}

async function serveFile(dist: string, url: string, response: ServerResponse): Promise<void> {
  const path = normalize(decodeURIComponent(url.split("?")[0] ?? "/"))
  const asset = extname(path) !== ""
  const page = path === "/explorer" ? "explorer.html" : "index.html"
  try {
    const file = await readFile(join(dist, asset ? path : page))
    response.setHeader("content-type", types[asset ? extname(path) : ".html"] ?? "application/octet-stream")
    response.setHeader("content-security-policy", contentSecurityPolicy)
    response.end(file)
  } catch {
    response.writeHead(404).end()
  }
}

/** A mock of the whole service: the built portal and its API. */
export interface MockServer {
  url: string
  db: MockDb
  /** Cuts every socket, as a restarted service would. */
  dropSockets: () => void
  /** Cuts every socket and takes no new one, or takes them again. */
  refuseSockets: (refused: boolean) => void
  close: () => Promise<void>
}

/** Starts the mock on a free port of the loopback. */
export async function startMockServer(dist: string): Promise<MockServer> {
  const db = new MockDb()
  const schema = loadSchema()
  const answer = graphqlHandler(db, schema)
  const server = createServer((request, response) => {
    const url = request.url ?? "/"
    const done =
      url === endpoint && request.method === "POST"
        ? answer(request, response)
        : serveFile(dist, url, response)
    done.catch((error: unknown) => response.writeHead(500).end(String(error)))
  })
  const sockets = serveSockets(server, db, schema)
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve)
  })
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    db,
    dropSockets: sockets.drop,
    refuseSockets: sockets.refuse,
    close: async () => {
      sockets.drop()
      server.closeAllConnections()
      await new Promise((resolve) => {
        server.close(resolve)
      })
    },
  }
}

interface Middlewares {
  use: (path: string, handler: (request: IncomingMessage, response: ServerResponse) => void) => void
}

/** Mounts the mock API on a development server; steps take a second. */
export function attachMockApi(middlewares: Middlewares, server: unknown): void {
  const db = new MockDb()
  db.pace = 1000
  const schema = loadSchema()
  const answer = graphqlHandler(db, schema)
  middlewares.use(endpoint, (request, response) => {
    answer(request, response).catch((error: unknown) => response.writeHead(500).end(String(error)))
  })
  serveSockets(server as Server, db, schema)
}
