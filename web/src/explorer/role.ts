import { create } from "zustand"

/** The role in which all tabs ask; empty for the session's own. */
export const useRole = create<{ role: string }>(() => ({ role: "" }))
