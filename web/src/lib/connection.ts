import { create } from "zustand"

/** The live connection: `idle` while nothing is subscribed. */
export type ConnectionState = "idle" | "connecting" | "live" | "reconnecting"

/** The state of the socket, for the pill in the header. */
export const useConnection = create<{ state: ConnectionState }>(() => ({ state: "idle" }))
