import { screen, waitFor, within } from "@testing-library/react"
import { act } from "react"
import { describe, expect, test } from "vitest"
import { addStore, findCard, renderApp } from "@/test/render-app"
import { db } from "@/test/server"

async function openCreate(user: ReturnType<typeof renderApp>["user"]) {
  await user.click(await screen.findByRole("button", { name: "Create Store" }))
  return within(await screen.findByRole("dialog", { name: "Create New Store" }))
}

describe("the list", () => {
  test("says what a store is while there is none", async () => {
    renderApp("/stores")
    expect(await screen.findByRole("heading", { name: "No stores yet" })).toBeInTheDocument()
    expect(screen.getByRole("heading", { name: "Your Stores (0)" })).toBeInTheDocument()
    expect(document.title).toBe("Stores · NorthStack")
  })

  test("follows each step until the store is ready, without being asked again", async () => {
    const store = addStore("My Shop")
    renderApp("/stores")
    const card = within(await findCard("My Shop"))
    expect(card.getByText("Provisioning")).toBeInTheDocument()
    expect(card.getAllByRole("listitem")).toHaveLength(10)
    expect(card.queryByRole("link", { name: /Open Store/ })).not.toBeInTheDocument()

    act(() => db.advance(store))
    expect(await card.findByText("Create namespace", { exact: false })).toBeInTheDocument()
    await waitFor(() =>
      expect(card.getAllByRole("listitem")[0]).toHaveTextContent("Create namespace: Running"),
    )
    act(() => db.advance(store))
    await waitFor(() => expect(card.getAllByRole("listitem")[0]).toHaveTextContent("Create namespace: Done"))
    expect(card.getByRole("progressbar")).toHaveAttribute("aria-valuetext", "1 of 10 steps")

    act(() => db.complete(store))
    const open = await card.findByRole("link", { name: /Open Store/ })
    expect(open).toHaveAttribute("href", store.url)
    expect(open).toHaveAttribute("target", "_blank")
    expect(open).toHaveAttribute("rel", "noreferrer")
    expect(card.getByRole("link", { name: /Admin/ })).toHaveAttribute("href", store.admin_url)
    expect(await screen.findByText("My Shop is ready")).toBeInTheDocument()

    act(() => void db.begin(store, "store.delete"))
    await waitFor(() => expect(screen.queryByText("My Shop is ready")).not.toBeInTheDocument())
  })

  test("counts by exact status", async () => {
    db.complete(addStore("One"))
    db.fail(addStore("Two"), "no space")
    addStore("Three")
    const leaving = addStore("Four")
    db.complete(leaving)
    db.begin(leaving, "store.delete")
    renderApp("/stores")
    await findCard("One")
    const numbers = screen.getAllByRole("definition").slice(0, 4)
    expect(numbers.map((each) => each.textContent)).toEqual(["4", "1", "1", "1"])
  })

  test("shows why a store failed and retries it", async () => {
    const store = addStore("My Shop")
    db.fail(store, "the download timed out")
    const { user } = renderApp("/stores")
    const card = within(await findCard("My Shop"))
    expect(card.getByText("The download timed out.")).toBeInTheDocument()
    await user.click(card.getByRole("button", { name: "Retry My Shop" }))
    expect(await card.findByRole("progressbar")).toBeInTheDocument()
    expect(store.status).toBe("provisioning")
  })

  test("what is said of a failure follows the retry to its end", async () => {
    const store = addStore("My Shop")
    const { user } = renderApp("/stores")
    const card = within(await findCard("My Shop"))
    act(() => db.fail(store, "the download timed out"))
    expect(await screen.findByText("My Shop failed")).toBeInTheDocument()
    await user.click(card.getByRole("button", { name: "Retry My Shop" }))
    expect(await screen.findByText("My Shop is being set up again")).toBeInTheDocument()
    expect(screen.queryByText("My Shop failed")).not.toBeInTheDocument()
    expect(screen.queryByText("The download timed out.")).not.toBeInTheDocument()
    act(() => db.complete(store))
    expect(await screen.findByText("My Shop is ready")).toBeInTheDocument()
    expect(screen.queryByText("My Shop is being set up again")).not.toBeInTheDocument()
  })

  test("what is said of a failure goes when the store is deleted instead", async () => {
    const store = addStore("My Shop")
    renderApp("/stores")
    await findCard("My Shop")
    act(() => db.fail(store, "the download timed out"))
    expect(await screen.findByText("My Shop failed")).toBeInTheDocument()
    act(() => void db.begin(store, "store.delete"))
    await waitFor(() => expect(screen.queryByText("My Shop failed")).not.toBeInTheDocument())
  })

  test("says why a retry was refused", async () => {
    db.fail(addStore("My Shop"), "the download timed out")
    db.faults.set("retryStore", { code: "unavailable", message: "the cluster does not answer" })
    const { user } = renderApp("/stores")
    await user.click(within(await findCard("My Shop")).getByRole("button", { name: "Retry My Shop" }))
    expect(await screen.findByText("The cluster does not answer.")).toBeInTheDocument()
  })
})

describe("creating", () => {
  test("starts in the name and refuses one that is too short at the field", async () => {
    const { user } = renderApp("/stores")
    const dialog = await openCreate(user)
    const name = dialog.getByLabelText("Store Name")
    expect(name).toHaveFocus()
    await user.type(name, "x")
    await user.click(dialog.getByRole("button", { name: "Create Store" }))
    expect(name).toBeInvalid()
    expect(name).toHaveAccessibleDescription("Enter at least 2 characters.")
    expect(db.stores).toHaveLength(0)
  })

  test("refuses a name that begins like an option", async () => {
    const { user } = renderApp("/stores")
    const dialog = await openCreate(user)
    const name = dialog.getByLabelText("Store Name")
    await user.type(name, " --exec=x")
    await user.click(dialog.getByRole("button", { name: "Create Store" }))
    expect(name).toHaveAccessibleDescription("The name cannot begin with a hyphen.")
    expect(db.stores).toHaveLength(0)
  })

  test("offers WooCommerce and shows that MedusaJS is to come", async () => {
    const { user } = renderApp("/stores")
    const dialog = await openCreate(user)
    expect(dialog.getByRole("radio", { name: "WooCommerce" })).toBeChecked()
    const medusa = dialog.getByRole("radio", { name: "MedusaJS" })
    expect(medusa).toBeDisabled()
    expect(medusa).toHaveAccessibleDescription("Coming soon")
    expect(dialog.getByText(/Provisioning takes 2-5 minutes/)).toBeInTheDocument()
  })

  test("closes on success and the card comes by itself", async () => {
    const { user } = renderApp("/stores")
    const dialog = await openCreate(user)
    await user.type(dialog.getByLabelText("Store Name"), "  My Shop ")
    await user.click(dialog.getByRole("button", { name: "Create Store" }))
    await findCard("My Shop")
    expect(screen.queryByRole("dialog")).not.toBeInTheDocument()
  })

  test("asks for no team where there is only one", async () => {
    const { user } = renderApp("/stores")
    const dialog = await openCreate(user)
    expect(dialog.queryByLabelText("Team")).not.toBeInTheDocument()
  })

  test("asks for the team where there are several, and remembers the choice", async () => {
    const second = db.addTeam("Second", db.users[0])
    const { user } = renderApp("/stores")
    let dialog = await openCreate(user)
    const team = await dialog.findByLabelText("Team")
    expect(team).toHaveDisplayValue("Choose a team")
    await user.type(dialog.getByLabelText("Store Name"), "My Shop")
    await user.click(dialog.getByRole("button", { name: "Create Store" }))
    await waitFor(() => expect(team).toBeInvalid())
    expect(team).toHaveAccessibleDescription("Choose the team that is to own the store.")
    expect(db.stores).toHaveLength(0)

    await user.selectOptions(team, "Second")
    await user.click(dialog.getByRole("button", { name: "Create Store" }))
    await findCard("My Shop")
    expect(db.stores[0]?.team_id).toBe(second.id)
    await waitFor(() => expect(screen.queryByRole("dialog")).not.toBeInTheDocument())

    dialog = await openCreate(user)
    expect(await dialog.findByLabelText("Team")).toHaveDisplayValue("Second")
  })

  test("a full team reads what to do, in the dialog", async () => {
    for (let index = 0; index < 10; index += 1) db.complete(addStore(`Shop ${index}`))
    const { user } = renderApp("/stores")
    const dialog = await openCreate(user)
    await user.type(dialog.getByLabelText("Store Name"), "Eleventh")
    await user.click(dialog.getByRole("button", { name: "Create Store" }))
    const alert = await dialog.findByRole("alert")
    expect(alert).toHaveTextContent(/10 active stores/)
    expect(alert).toHaveTextContent(/Delete a store/)
    expect(alert).toHaveFocus()
  })

  test("a name that is taken is said at the field", async () => {
    db.complete(addStore("My Shop"))
    const { user } = renderApp("/stores")
    const dialog = await openCreate(user)
    const name = dialog.getByLabelText("Store Name")
    await user.type(name, "My Shop")
    await user.click(dialog.getByRole("button", { name: "Create Store" }))
    await waitFor(() => expect(name).toBeInvalid())
    expect(name).toHaveAccessibleDescription(/there is a store named "My Shop"/i)
  })
})

describe("the admin login", () => {
  test("is asked for when opened and forgotten when closed", async () => {
    db.complete(addStore("My Shop"))
    const { user } = renderApp("/stores")
    const card = within(await findCard("My Shop"))
    expect(db.reveals).toHaveLength(0)
    await user.click(card.getByRole("button", { name: "Admin login of My Shop" }))
    expect(await screen.findByText("Admin@123")).toBeInTheDocument()
    expect(screen.getByText("admin")).toBeInTheDocument()
    await user.click(screen.getByRole("button", { name: "Copy password" }))
    expect(await navigator.clipboard.readText()).toBe("Admin@123")
    await user.keyboard("{Escape}")
    await waitFor(() => expect(screen.queryByText("Admin@123")).not.toBeInTheDocument())
    expect(db.reveals).toHaveLength(1)
  })

  test("is in the tooltip of the admin link, once somebody stays there", async () => {
    db.complete(addStore("My Shop"))
    const { user } = renderApp("/stores")
    const admin = within(await findCard("My Shop")).getByRole("link", { name: /^Admin/ })
    await user.hover(admin)
    const tooltip = await screen.findByRole("tooltip")
    expect(db.reveals, "passing by asks for nothing").toHaveLength(0)
    await waitFor(() => expect(tooltip).toHaveTextContent("Login: admin / Admin@123"))
    expect(db.reveals).toHaveLength(1)
    await user.unhover(admin)
    await user.keyboard("{Escape}")
    await waitFor(() => expect(screen.queryByRole("tooltip")).not.toBeInTheDocument())
    expect(screen.queryByText(/Admin@123/)).not.toBeInTheDocument()
  })

  test("says why it cannot be shown", async () => {
    db.complete(addStore("My Shop"))
    db.faults.set("revealStoreCredentials", { code: "forbidden", message: "your role may not see the login" })
    const { user } = renderApp("/stores")
    await user.click(
      within(await findCard("My Shop")).getByRole("button", { name: "Admin login of My Shop" }),
    )
    expect(await screen.findByRole("alert")).toHaveTextContent("Your role may not see the login.")
  })
})

describe("deleting", () => {
  test("wants the exact name, then the card leaves when the store is gone", async () => {
    const store = addStore("My Shop")
    db.complete(store)
    const { user } = renderApp("/stores")
    const card = within(await findCard("My Shop"))
    await user.click(card.getByRole("button", { name: "Delete My Shop" }))
    const dialog = within(await screen.findByRole("alertdialog", { name: "Delete My Shop?" }))
    expect(dialog.getByText(store.store_id)).toBeInTheDocument()
    expect(dialog.getByText(/MySQL database/)).toBeInTheDocument()
    const confirm = dialog.getByRole("button", { name: "Yes, Delete Store" })
    const field = dialog.getByLabelText("Type My Shop to confirm")
    expect(field).toHaveFocus()
    await user.type(field, "my shop{Enter}")
    expect(confirm).toBeDisabled()
    expect(store.status).toBe("ready")

    await user.clear(field)
    await user.type(field, "My Shop")
    await user.click(confirm)
    expect(await card.findByText("Deleting")).toBeInTheDocument()
    await waitFor(() => expect(screen.queryByRole("alertdialog")).not.toBeInTheDocument())
    expect(screen.getByRole("heading", { name: "Your Stores (1)" })).toHaveFocus()

    act(() => db.complete(store))
    await waitFor(() => expect(screen.queryByRole("article")).not.toBeInTheDocument())
    expect(await screen.findByText("My Shop was deleted")).toBeInTheDocument()
  })

  test("a refusal stays in the dialog", async () => {
    db.complete(addStore("My Shop"))
    db.faults.set("deleteStore", { code: "unavailable", message: "the cluster does not answer" })
    const { user } = renderApp("/stores")
    await user.click(within(await findCard("My Shop")).getByRole("button", { name: "Delete My Shop" }))
    const dialog = within(await screen.findByRole("alertdialog"))
    await user.type(dialog.getByLabelText("Type My Shop to confirm"), "My Shop")
    await user.click(dialog.getByRole("button", { name: "Yes, Delete Store" }))
    expect(await dialog.findByRole("alert")).toHaveTextContent("The cluster does not answer.")
  })
})
