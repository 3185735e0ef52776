import { type GraphiQLPlugin, useGraphiQL, useGraphiQLActions } from "@graphiql/react"
import { KeyRound } from "lucide-react"
import { useId, useState, type FormEvent } from "react"
import { post } from "@/explorer/fetcher"
import { withSession, withoutSession } from "@/explorer/headers"

const login = `mutation SignIn($email: String!, $password: String!) {
  login(email: $email, password: $password) { accessToken expiresIn }
}`

interface LoginAnswer {
  data?: { login?: { accessToken: string; expiresIn: number } | null } | null
  errors?: { message: string }[]
}

type State = { kind: "out" | "asking" } | { kind: "in"; until: Date } | { kind: "failed"; message: string }

/** Writes a person's token, and a role if wanted, into the headers of the present tab. */
function SignIn() {
  const titleId = useId()
  const editor = useGraphiQL((state) => state.headerEditor)
  const actions = useGraphiQLActions()
  const [state, setState] = useState<State>({ kind: "out" })

  const write = (change: (headers: string) => string) => {
    editor?.setValue(change(editor.getValue()))
    // Another role sees another schema.
    void actions.introspect()
  }
  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const form = new FormData(event.currentTarget)
    const value = (name: string) => {
      const entry = form.get(name)
      return typeof entry === "string" ? entry : ""
    }
    setState({ kind: "asking" })
    try {
      const variables = { email: value("email"), password: value("password") }
      const { data, errors } = (await post({ query: login, variables })) as LoginAnswer
      const grant = data?.login
      if (!grant) throw new Error(errors?.[0]?.message ?? "The service gave no token.")
      write((headers) => withSession(headers, grant.accessToken, value("role")))
      setState({ kind: "in", until: new Date(Date.now() + grant.expiresIn * 1000) })
    } catch (error) {
      setState({ kind: "failed", message: error instanceof Error ? error.message : String(error) })
    }
  }

  return (
    <section className="explorer-sign-in" aria-labelledby={titleId}>
      <h2 id={titleId}>Sign in</h2>
      <p>Puts an access token into this tab&apos;s headers. It is not kept.</p>
      <form onSubmit={(event) => void submit(event)}>
        <label>
          E-mail
          <input name="email" type="email" autoComplete="username" required />
        </label>
        <label>
          Password
          <input name="password" type="password" autoComplete="current-password" required />
        </label>
        <label>
          Role
          <select name="role" defaultValue="">
            <option value="">The token&apos;s own</option>
            <option value="user">user</option>
            <option value="admin">admin</option>
          </select>
        </label>
        <div className="explorer-actions">
          <button type="submit" className="graphiql-button" disabled={!editor || state.kind === "asking"}>
            {state.kind === "asking" ? "Signing in…" : "Sign in"}
          </button>
          <button
            type="button"
            className="graphiql-button"
            disabled={!editor}
            onClick={() => {
              write(withoutSession)
              setState({ kind: "out" })
            }}
          >
            Forget
          </button>
        </div>
      </form>
      <p role="status">
        {state.kind === "in" ? `Signed in until ${state.until.toLocaleTimeString()}.` : null}
        {state.kind === "failed" ? <strong>{state.message}</strong> : null}
      </p>
    </section>
  )
}

function Icon() {
  return <KeyRound aria-hidden />
}

/** The pane that signs in. */
export const signInPlugin: GraphiQLPlugin = { title: "Sign in", icon: Icon, content: SignIn }
