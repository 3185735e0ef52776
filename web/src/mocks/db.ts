import { storeCreateSteps, storeDeleteSteps } from "./flow"

export interface UserRow {
  id: string
  email: string
  name: string
  password: string
}

export interface TeamRow {
  id: string
  name: string
  /** Ids of the users who may create in it. */
  members: string[]
}

export interface StepRow {
  id: string
  operation_id: string
  ordinal: number
  name: string
  title: string
  status: string
  detail: string | null
  attempt: number
  started_at: string | null
  finished_at: string | null
}

export interface OperationRow {
  id: string
  kind: "store.create" | "store.delete"
  status: string
  subject_id: string
  error_code: string | null
  error_message: string | null
  created_at: string
  started_at: string | null
  finished_at: string | null
  steps: StepRow[]
}

export interface StoreRow {
  id: string
  store_id: string
  team_id: string
  owner: string
  name: string
  type: "woocommerce"
  status: string
  url: string
  admin_url: string | null
  error: string | null
  created_at: string
  updated_at: string
  ready_at: string | null
  operations: OperationRow[]
}

/** A refusal to answer the next call of an action with. */
export interface Fault {
  message: string
  code: string
  field?: string
}

/** The actions that a test can make fail. */
export type FaultyAction =
  | "createStore"
  | "deleteStore"
  | "retryStore"
  | "revealStoreCredentials"
  | "login"
  | "register"
  | "refreshToken"

const storeLimit = 10
const alphabet = "abcdefghijklmnopqrstuvwxyz0123456789"

/** The API's state in memory: what the mock resolvers read and change. */
export class MockDb {
  users: UserRow[] = []
  teams: TeamRow[] = []
  stores: StoreRow[] = []
  /** Refresh tokens that are still good, with their user. */
  sessions = new Map<string, string>()
  /** Lifetime of an access token in seconds. */
  tokenLifetime = 900
  /** Which signing key is in use: tokens of another one are refused. */
  key = 1
  /** Milliseconds a step takes, or `null`: then a test calls `advance`. */
  pace: number | null = null
  faults = new Map<FaultyAction, Fault>()
  /** Ids of stores whose credentials were shown. */
  reveals: string[] = []
  private readonly listeners = new Set<() => void>()
  private readonly timers = new Set<ReturnType<typeof setTimeout>>()
  private readonly keys = new Map<string, OperationRow>()
  private counter = 0

  constructor() {
    this.reset()
  }

  /** A new user, in a team of their own. */
  addUser(email: string, name: string, password: string): UserRow {
    const user = { id: this.id(), email, name, password }
    this.users.push(user)
    this.addTeam(`${name}'s team`, user)
    return user
  }

  /** A new team with one member. */
  addTeam(name: string, member: UserRow | undefined): TeamRow {
    const team = { id: this.id(), name, members: member ? [member.id] : [] }
    this.teams.push(team)
    return team
  }

  /** Back to one user without stores. */
  reset(): void {
    for (const timer of this.timers) clearTimeout(timer)
    this.timers.clear()
    this.stores = []
    this.sessions.clear()
    this.faults.clear()
    this.keys.clear()
    this.reveals = []
    this.tokenLifetime = 900
    this.key = 1
    this.pace = null
    this.users = []
    this.teams = []
    this.addUser("ada@example.com", "Ada Lovelace", "correct horse")
    this.changed()
  }

  /** A new uuid; the same ones in each run. */
  id(): string {
    this.counter += 1
    return `00000000-0000-4000-8000-${String(this.counter).padStart(12, "0")}`
  }

  /** A new store id; the same ones in each run. */
  private storeId(): string {
    let seed = (this.counter + 1) * 2_654_435_761
    const suffix = Array.from({ length: 8 }, () => {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648
      return alphabet[Math.floor(seed / 65_536) % 36]
    })
    return `store-${suffix.join("")}`
  }

  /** Calls `listener` after each change until the returned function is called. */
  onChange(listener: () => void): () => void {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  /** Tells every live query that something is different. */
  changed(): void {
    for (const listener of this.listeners) listener()
  }

  /** A store that is being created, with all its steps pending; in the owner's only team unless one is named. */
  createStore(owner: string, name: string, teamId?: string | null): StoreRow | Fault {
    const teams = this.teams.filter(({ members }) => members.includes(owner))
    const [team, another] = teamId ? teams.filter(({ id }) => id === teamId) : teams
    if (team === undefined) return { code: "not-found", message: "no such team" }
    if (another !== undefined) {
      const message = "teamId: you may create in several teams; name one of them"
      return { code: "invalid-input", message, field: "teamId" }
    }
    const active = this.stores.filter((store) => store.owner === owner)
    if (active.length >= storeLimit) {
      return {
        code: "store-limit-reached",
        message: `the team has ${storeLimit} active stores, which is as many as it may have`,
      }
    }
    if (active.some((store) => store.name === name)) {
      return { code: "already-exists", message: `there is a store named "${name}" already`, field: "name" }
    }
    const storeId = this.storeId()
    const at = new Date().toISOString()
    const store: StoreRow = {
      id: this.id(),
      store_id: storeId,
      team_id: team.id,
      owner,
      name,
      type: "woocommerce",
      status: "provisioning",
      url: `http://${storeId}.127.0.0.1.nip.io`,
      admin_url: `http://${storeId}.127.0.0.1.nip.io/wp-admin`,
      error: null,
      created_at: at,
      updated_at: at,
      ready_at: null,
      operations: [],
    }
    this.stores.push(store)
    this.begin(store, "store.create")
    return store
  }

  /** The operation that this key began before, if any; `remember` keeps it. */
  byKey(key: string | null | undefined, remember?: OperationRow): OperationRow | undefined {
    if (key && remember) this.keys.set(key, remember)
    return key ? this.keys.get(key) : undefined
  }

  /** Starts an operation on a store. */
  begin(store: StoreRow, kind: OperationRow["kind"]): OperationRow {
    const id = this.id()
    const at = new Date().toISOString()
    const plan = kind === "store.create" ? storeCreateSteps : storeDeleteSteps
    const operation: OperationRow = {
      id,
      kind,
      status: "running",
      subject_id: store.id,
      error_code: null,
      error_message: null,
      created_at: at,
      started_at: at,
      finished_at: null,
      steps: plan.map((step, ordinal) => ({
        id: this.id(),
        operation_id: id,
        ordinal,
        name: step.name,
        title: step.title,
        status: "pending",
        detail: null,
        attempt: 0,
        started_at: null,
        finished_at: null,
      })),
    }
    store.operations.unshift(operation)
    store.status = kind === "store.create" ? "provisioning" : "deleting"
    store.error = null
    this.changed()
    this.schedule(store)
    return operation
  }

  /** One move of the store's latest operation: a step begins, or the running one is done. */
  advance(store: StoreRow): void {
    const operation = store.operations[0]
    if (operation?.status !== "running") return
    const at = new Date().toISOString()
    const plan = operation.kind === "store.create" ? storeCreateSteps : storeDeleteSteps
    const running = operation.steps.find((step) => step.status === "running")
    if (running) {
      running.status = "succeeded"
      running.finished_at = at
    }
    const next = operation.steps.find((step) => step.status === "pending")
    if (next) {
      next.status = "running"
      next.attempt = 1
      next.started_at = at
      next.detail = plan[next.ordinal]?.detail ?? null
    } else this.finish(store, operation, at)
    this.changed()
  }

  /** Moves until the latest operation is over. */
  complete(store: StoreRow): void {
    while (store.operations[0]?.status === "running" && this.stores.includes(store)) this.advance(store)
  }

  /** The running step (or else the next) fails, and with it the store. */
  fail(store: StoreRow, reason: string): void {
    const operation = store.operations[0]
    if (operation?.status !== "running") return
    if (!operation.steps.some((step) => step.status === "running")) this.advance(store)
    const step = operation.steps.find((each) => each.status === "running")
    const at = new Date().toISOString()
    if (step) Object.assign(step, { status: "failed", detail: reason, finished_at: at })
    Object.assign(operation, { status: "failed", error_message: reason, finished_at: at })
    Object.assign(store, { status: "failed", error: reason })
    this.changed()
  }

  /** The failed step and those after it are to be done again. */
  retry(store: StoreRow): OperationRow | undefined {
    const operation = store.operations[0]
    if (store.status !== "failed" || !operation) return undefined
    for (const step of operation.steps.filter((each) => each.status === "failed")) {
      Object.assign(step, { status: "pending", detail: null, started_at: null, finished_at: null })
    }
    Object.assign(operation, { status: "running", error_message: null, finished_at: null })
    Object.assign(store, { status: "provisioning", error: null })
    this.changed()
    this.schedule(store)
    return operation
  }

  private finish(store: StoreRow, operation: OperationRow, at: string): void {
    operation.status = "succeeded"
    operation.finished_at = at
    if (operation.kind === "store.delete") {
      this.stores = this.stores.filter((each) => each !== store)
      return
    }
    store.status = "ready"
    store.ready_at = at
  }

  private schedule(store: StoreRow): void {
    if (this.pace === null) return
    const timer = setTimeout(() => {
      this.timers.delete(timer)
      this.advance(store)
      if (store.operations[0]?.status === "running") this.schedule(store)
    }, this.pace)
    this.timers.add(timer)
  }
}
