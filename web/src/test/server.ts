import { setupServer } from "msw/node"
import { MockDb } from "@/mocks/db"
import { mockNetwork } from "@/mocks/handlers"

/** The API's state, emptied after each test. */
export const db = new MockDb()
/** The network over it. */
export const network = mockNetwork(db)
/** What intercepts the requests of jsdom. */
export const server = setupServer(...network.handlers)
