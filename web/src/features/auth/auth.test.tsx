import { screen, waitFor } from "@testing-library/react"
import { describe, expect, test } from "vitest"
import { freshToken, renew, useSession } from "@/lib/session"
import { renderApp } from "@/test/render-app"
import { db, network } from "@/test/server"

async function signIn(user: ReturnType<typeof renderApp>["user"], password: string) {
  await user.type(await screen.findByLabelText("E-mail"), "ada@example.com")
  await user.type(screen.getByLabelText("Password"), password)
  await user.click(screen.getByRole("button", { name: "Sign in" }))
}

describe("signing in", () => {
  test("a stranger is sent to sign in and comes back to the page that was asked for", async () => {
    const { router, user } = renderApp("/stores?from=mail", { signedIn: false })
    await signIn(user, "correct horse")
    expect(await screen.findByRole("heading", { name: "Store Platform" })).toBeInTheDocument()
    expect(router.state.location.href).toBe("/stores?from=mail")
  })

  test("a wrong password is said in the form", async () => {
    const { user } = renderApp("/sign-in", { signedIn: false })
    await signIn(user, "wrong")
    expect(await screen.findByRole("alert")).toHaveTextContent("E-mail address or password is wrong.")
  })

  test("empty fields are named before anything is sent", async () => {
    const { user } = renderApp("/sign-in", { signedIn: false })
    await user.click(await screen.findByRole("button", { name: "Sign in" }))
    expect(await screen.findByText(/Enter your e-mail address/)).toBeInTheDocument()
    expect(screen.getByText("Enter your password.")).toBeInTheDocument()
    expect(screen.getByLabelText("E-mail")).toHaveFocus()
  })

  test("who has a session does not see the sign-in page", async () => {
    renderApp("/sign-in")
    expect(await screen.findByRole("heading", { name: "Store Platform" })).toBeInTheDocument()
  })
})

describe("registering", () => {
  test("makes an account and signs it in", async () => {
    const { user } = renderApp("/register", { signedIn: false })
    await user.type(await screen.findByLabelText("Name"), "Grace Hopper")
    await user.type(screen.getByLabelText("E-mail"), "grace@example.com")
    await user.type(screen.getByLabelText("Password"), "a long password")
    await user.click(screen.getByRole("button", { name: "Create account" }))
    expect(await screen.findByRole("heading", { name: "Store Platform" })).toBeInTheDocument()
    expect(db.users.map((each) => each.email)).toContain("grace@example.com")
  })

  test("an address that has an account is said at the field", async () => {
    const { user } = renderApp("/register", { signedIn: false })
    await user.type(await screen.findByLabelText("Name"), "Ada")
    await user.type(screen.getByLabelText("E-mail"), "ada@example.com")
    await user.type(screen.getByLabelText("Password"), "a long password")
    await user.click(screen.getByRole("button", { name: "Create account" }))
    await waitFor(() => expect(screen.getByLabelText("E-mail")).toBeInvalid())
  })
})

describe("the session", () => {
  test("signing out forgets the token and goes to the sign-in page", async () => {
    const { user } = renderApp("/stores")
    await user.click(await screen.findByRole("button", { name: "Account" }))
    await user.click(await screen.findByRole("menuitem", { name: "Sign out" }))
    expect(await screen.findByRole("heading", { name: "Sign in" })).toBeInTheDocument()
    expect(useSession.getState()).toEqual({ status: "signed-out", expired: false })
    expect(network.jar.cookie).toBeNull()
  })

  test("one that has ended says so and keeps the way back", async () => {
    const { router } = renderApp("/stores")
    await screen.findByRole("heading", { name: "Store Platform" })
    db.sessions.clear()
    await renew()
    expect(await screen.findByText(/Your session has ended/)).toBeInTheDocument()
    expect(router.state.location.pathname).toBe("/sign-in")
  })

  test("many askers share one renewal, for the cookie's token may be used once", async () => {
    renderApp("/stores")
    await screen.findByRole("heading", { name: "Store Platform" })
    const former = useSession.getState()
    if (former.status !== "signed-in") throw new Error("signed in")
    useSession.setState({ ...former, expiresAt: Date.now() }, true)
    const tokens = await Promise.all([freshToken(), freshToken(), freshToken()])
    expect(new Set(tokens).size).toBe(1)
    expect(tokens[0]).not.toBeNull()
    expect(useSession.getState().status).toBe("signed-in")
  })

  test("a service that does not answer is not a session that has ended", async () => {
    db.faults.set("refreshToken", { code: "unavailable", message: "the database does not answer" })
    const { user } = renderApp("/stores")
    expect(await screen.findByRole("heading", { name: "NorthStack does not answer" })).toBeInTheDocument()
    db.faults.clear()
    await user.click(screen.getByRole("button", { name: "Try again" }))
    expect(await screen.findByRole("heading", { name: "Store Platform" })).toBeInTheDocument()
  })
})
