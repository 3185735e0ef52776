import { type GraphiQLPlugin, useGraphiQLActions } from "@graphiql/react"
import { KeyRound } from "lucide-react"
import { useId, useState, type FormEvent } from "react"
import { post } from "@/explorer/fetcher"
import { rolesOf } from "@/explorer/headers"
import { stopLive } from "@/explorer/live"
import { useRole } from "@/explorer/role"
import { acceptGrant, endSession, type Grant, useSession } from "@/lib/session"

const login = `mutation SignIn($email: String!, $password: String!) {
  login(email: $email, password: $password) { accessToken expiresIn userId }
}`
const logout = `mutation SignOut { logout { success } }`

interface LoginAnswer {
  data?: { login?: Grant | null } | null
  errors?: { message: string }[]
}

function text(form: FormData, name: string): string {
  const entry = form.get(name)
  return typeof entry === "string" ? entry : ""
}

/** Asks for e-mail address and password. */
function Form({ done }: { done: () => void }) {
  const [state, setState] = useState<{ asking: boolean; problem: string }>({ asking: false, problem: "" })
  const expired = useSession((session) => session.status === "signed-out" && session.expired)

  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const form = new FormData(event.currentTarget)
    setState({ asking: true, problem: "" })
    try {
      const variables = { email: text(form, "email"), password: text(form, "password") }
      // With the cookie, by which the session is renewed, and which the portal on this host shares.
      const { data, errors } = (await post({ query: login, variables }, {}, "same-origin")) as LoginAnswer
      if (!data?.login) throw new Error(errors?.[0]?.message ?? "The service gave no token.")
      acceptGrant(data.login)
      done()
    } catch (error) {
      setState({ asking: false, problem: error instanceof Error ? error.message : String(error) })
    }
  }

  return (
    <form onSubmit={(event) => void submit(event)}>
      <label>
        E-mail
        <input name="email" type="email" autoComplete="username" required />
      </label>
      <label>
        Password
        <input name="password" type="password" autoComplete="current-password" required />
      </label>
      <div className="explorer-actions">
        <button type="submit" className="graphiql-button" disabled={state.asking}>
          {state.asking ? "Signing in…" : "Sign in"}
        </button>
      </div>
      <p role="status">
        {state.problem ? <strong>{state.problem}</strong> : null}
        {!state.problem && expired ? "Your session has ended." : null}
        {!state.problem && !expired ? "You are not signed in." : null}
      </p>
    </form>
  )
}

/** Signs a person in for all tabs, and chooses the role in which they ask. */
function SignIn() {
  const titleId = useId()
  const actions = useGraphiQLActions()
  const session = useSession()
  const { role } = useRole()
  // Another person or role sees another schema.
  const look = () => void actions.introspect()

  const leave = async () => {
    stopLive()
    useRole.setState({ role: "" })
    await post({ query: logout }, {}, "same-origin").catch(() => undefined)
    endSession()
    look()
  }

  const roles = session.status === "signed-in" ? rolesOf(session.accessToken) : []
  return (
    <section className="explorer-sign-in" aria-labelledby={titleId}>
      <h2 id={titleId}>Sign in</h2>
      <p>
        One session for all tabs, and for the portal on this host. Headers that you write yourself come first.
      </p>
      {session.status === "signed-in" ? (
        <>
          {roles.length > 1 ? (
            <label>
              Role
              <select
                value={role}
                onChange={(event) => {
                  useRole.setState({ role: event.target.value })
                  look()
                }}
              >
                <option value="">The session&apos;s own</option>
                {roles.map((each) => (
                  <option key={each}>{each}</option>
                ))}
              </select>
            </label>
          ) : null}
          <p role="status">Signed in, and renewed by itself.</p>
          <div className="explorer-actions">
            <button type="button" className="graphiql-button" onClick={() => void leave()}>
              Sign out
            </button>
          </div>
        </>
      ) : null}
      {session.status === "signed-out" ? <Form done={look} /> : null}
      {session.status === "restoring" || session.status === "unreachable" ? (
        <p role="status">{session.status === "restoring" ? "One moment…" : "The service does not answer."}</p>
      ) : null}
    </section>
  )
}

function Icon() {
  return <KeyRound aria-hidden />
}

/** The pane that signs in. */
export const signInPlugin: GraphiQLPlugin = { title: "Sign in", icon: Icon, content: SignIn }
