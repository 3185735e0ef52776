import type { ApolloClient } from "@apollo/client"
import { createMemoryHistory } from "@tanstack/react-router"
import { render, screen } from "@testing-library/react"
import userEvent from "@testing-library/user-event"
import { afterEach, beforeAll } from "vitest"
import { App, createAppRouter } from "@/app"
import { createApollo, type Connection } from "@/lib/apollo"
import { useSession } from "@/lib/session"
import type { StoreRow } from "@/mocks/db"
import { db, network } from "@/test/server"

const connections: Connection[] = []

/** A connection of the test that runs, which ends with it. */
function connect(): ApolloClient {
  const connection = createApollo()
  connections.push(connection)
  return connection.client
}

afterEach(() => {
  for (const connection of connections.splice(0)) connection.close()
})

function routerAt(apollo: ApolloClient, url: string) {
  return createAppRouter(apollo, createMemoryHistory({ initialEntries: [url] }))
}

// The pages' own chunks are there before the first test, which is then no slower than the others.
beforeAll(async () => {
  const router = routerAt(connect(), "/")
  const routes = Object.values(router.routesById)
  await Promise.all(routes.map((route) => Promise.resolve(router.loadRouteChunk(route))))
}, 60_000)

/** Renders the portal at `url` with its real router and client. `signedIn` gives the browser a session's cookie. */
export function renderApp(url: string, { signedIn = true } = {}) {
  useSession.setState({ status: "restoring" }, true)
  const [user] = db.users
  if (signedIn && user) {
    network.jar.cookie = "refresh.test"
    db.sessions.set("refresh.test", user.id)
  }
  const apollo = connect()
  const router = routerAt(apollo, url)
  const view = render(<App apollo={apollo} router={router} />)
  return { ...view, router, user: userEvent.setup() }
}

/** Adds a store of the mock's user. */
export function addStore(name: string): StoreRow {
  const row = db.createStore(db.users[0]?.id ?? "", name)
  if ("code" in row) throw new Error(row.message)
  return row
}

/** The card of a store. */
export function findCard(name: string): Promise<HTMLElement> {
  return screen.findByRole("article", { name })
}
