import { GraphQLError } from "graphql"
import type { Fault, FaultyAction, MockDb, OperationRow, StoreRow, UserRow } from "./db"

/** Who asks, as the resolvers see it. */
export interface MockContext {
  db: MockDb
  /** The bearer token, if one came. */
  token: string | null
  /** The refresh cookie, if one came. */
  cookie: string | null
  /** Sets (or with `null` clears) the refresh cookie. */
  setCookie: (value: string | null) => void
}

interface SelectArgs {
  limit?: number | null
  order_by?: Record<string, string>[] | null
}

function refuse({ message, code, field }: Fault): GraphQLError {
  return new GraphQLError(message, { extensions: field === undefined ? { code } : { code, field } })
}

function mayFail(db: MockDb, action: FaultyAction): void {
  const fault = db.faults.get(action)
  if (fault) throw refuse(fault)
}

/** Access tokens of the mock read `access.<user>.<expiry in ms>.<key>`. */
function userOf({ db, token }: MockContext): UserRow {
  const [kind, id, expiry, key] = token?.split(".") ?? []
  const user = db.users.find((each) => each.id === id)
  if (kind !== "access" || user === undefined || Number(expiry) < Date.now() || Number(key) !== db.key) {
    throw refuse({ code: "invalid-jwt", message: "Could not verify JWT: JWTExpired" })
  }
  return user
}

/** Whether a socket with this token is let in. */
export function admits(context: MockContext): boolean {
  try {
    userOf(context)
    return true
  } catch {
    return false
  }
}

function select<Row extends object>(rows: readonly Row[], args: SelectArgs): Row[] {
  const [order] = args.order_by ?? []
  const [column, direction] = Object.entries(order ?? {})[0] ?? []
  const sorted = [...rows]
  if (column !== undefined) {
    const sign = direction?.startsWith("desc") ? -1 : 1
    const value = (row: Row) => (row as Record<string, unknown>)[column] as string | number
    sorted.sort((a, b) => (value(a) < value(b) ? -sign : value(a) > value(b) ? sign : 0))
  }
  return sorted.slice(0, args.limit ?? undefined)
}

function operation(row: OperationRow) {
  return { ...row, steps: (args: SelectArgs) => select(row.steps, args) }
}

function store(row: StoreRow) {
  return { ...row, operations: (args: SelectArgs) => select(row.operations, args).map(operation) }
}

function ownStore(context: MockContext, id: string): StoreRow {
  const user = userOf(context)
  const row = context.db.stores.find((each) => each.id === id && each.owner === user.id)
  if (!row) throw refuse({ code: "not-found", message: "no such store" })
  return row
}

function session(context: MockContext, user: UserRow) {
  const { db } = context
  const cookie = `refresh.${db.id()}`
  db.sessions.set(cookie, user.id)
  context.setCookie(cookie)
  return {
    accessToken: `access.${user.id}.${Date.now() + db.tokenLifetime * 1000}.${db.key}`,
    // The cookie alone has it for a page.
    refreshToken: null,
    expiresIn: db.tokenLifetime,
    userId: user.id,
  }
}

function started(row: StoreRow, op: OperationRow) {
  return { storeId: row.id, operationId: op.id, store: store(row), operation: operation(op) }
}

/** The answer to queries and to each round of a live query. */
const read = {
  me(_: unknown, context: MockContext) {
    const { id, email, name } = userOf(context)
    return { id, email, name, role: "user" }
  },
  teams(args: SelectArgs, context: MockContext) {
    const user = userOf(context)
    return select(
      context.db.teams.filter((row) => row.members.includes(user.id)),
      args,
    )
  },
  stores(args: SelectArgs, context: MockContext) {
    const user = userOf(context)
    return select(
      context.db.stores.filter((row) => row.owner === user.id),
      args,
    ).map(store)
  },
}

const write = {
  register(args: { email: string; name: string; password: string }, context: MockContext) {
    mayFail(context.db, "register")
    const email = args.email.toLowerCase()
    if (context.db.users.some((user) => user.email === email)) {
      throw refuse({
        code: "already-exists",
        message: "there is an account with this e-mail",
        field: "email",
      })
    }
    return session(context, context.db.addUser(email, args.name, args.password))
  },
  login(args: { email: string; password: string }, context: MockContext) {
    mayFail(context.db, "login")
    const email = args.email.toLowerCase()
    const user = context.db.users.find((each) => each.email === email && each.password === args.password)
    if (!user) throw refuse({ code: "invalid-credentials", message: "e-mail address or password is wrong" })
    return session(context, user)
  },
  refreshToken(_: unknown, context: MockContext) {
    mayFail(context.db, "refreshToken")
    const id = context.cookie === null ? undefined : context.db.sessions.get(context.cookie)
    const user = context.db.users.find((each) => each.id === id)
    if (!user || context.cookie === null)
      throw refuse({ code: "invalid-token", message: "the session has ended" })
    context.db.sessions.delete(context.cookie)
    return session(context, user)
  },
  logout(_: unknown, context: MockContext) {
    if (context.cookie !== null) context.db.sessions.delete(context.cookie)
    context.setCookie(null)
    return { success: true }
  },
  createStore(
    args: { name: string; teamId?: string | null; idempotencyKey?: string | null },
    context: MockContext,
  ) {
    const user = userOf(context)
    mayFail(context.db, "createStore")
    const before = context.db.byKey(args.idempotencyKey)
    const known = context.db.stores.find((row) => row.id === before?.subject_id)
    if (before && known) return started(known, before)
    const row = context.db.createStore(user.id, args.name.trim(), args.teamId)
    if ("code" in row) throw refuse(row)
    const [op] = row.operations
    if (!op) throw new Error("a created store has an operation")
    context.db.byKey(args.idempotencyKey, op)
    return started(row, op)
  },
  retryStore(args: { id: string }, context: MockContext) {
    mayFail(context.db, "retryStore")
    const row = ownStore(context, args.id)
    const op = context.db.retry(row)
    if (!op) throw refuse({ code: "illegal-transition", message: "only a failed store can be retried" })
    return started(row, op)
  },
  deleteStore(args: { id: string }, context: MockContext) {
    mayFail(context.db, "deleteStore")
    const row = ownStore(context, args.id)
    return started(row, context.db.begin(row, "store.delete"))
  },
  revealStoreCredentials(args: { id: string }, context: MockContext) {
    mayFail(context.db, "revealStoreCredentials")
    const row = ownStore(context, args.id)
    context.db.reveals.push(row.id)
    return { username: "admin", password: "Admin@123", adminUrl: row.admin_url }
  },
}

type Root = typeof read

/** A live query: the present state at once, then again after each change. */
function live(context: MockContext): AsyncIterableIterator<Root> {
  let dirty = true
  let done = false
  let wake = () => {}
  const stop = context.db.onChange(() => {
    dirty = true
    wake()
  })
  return {
    async next() {
      while (!dirty && !done) {
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
      dirty = false
      return done ? { done: true, value: undefined } : { done: false, value: read }
    },
    return() {
      done = true
      stop()
      wake()
      return Promise.resolve({ done: true, value: undefined })
    },
    [Symbol.asyncIterator]() {
      return this
    },
  }
}

/** Root values of the three operation types. */
export const roots = {
  query: read,
  mutation: write,
  subscription: {
    stores(_: unknown, context: MockContext) {
      userOf(context)
      return live(context)
    },
  },
}
