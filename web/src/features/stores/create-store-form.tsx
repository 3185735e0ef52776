import { useMutation } from "@apollo/client/react"
import { zodResolver } from "@hookform/resolvers/zod"
import { Info, Rocket, ShoppingBag, Stethoscope } from "lucide-react"
import { useId, useState } from "react"
import { useForm } from "react-hook-form"
import * as z from "zod/mini"
import { FormError } from "@/components/form-error"
import { Alert } from "@/components/ui/alert"
import { Button } from "@/components/ui/button"
import { DialogFooter } from "@/components/ui/dialog"
import { Field } from "@/components/ui/field"
import { Input } from "@/components/ui/input"
import { RadioCard, RadioCardGroup } from "@/components/ui/radio-card"
import { Select } from "@/components/ui/select"
import { CreateStoreDocument } from "@/features/stores/stores.generated"
import { lastTeam, rememberTeam, useCreatableTeams } from "@/features/stores/use-creatable-teams"
import { describeError } from "@/lib/errors"
import { idempotencyKeys } from "@/lib/idempotency"

const schema = z.object({
  name: z.string().check(
    z.trim(),
    z.minLength(2, "Enter at least 2 characters."),
    z.maxLength(100, "At most 100 characters."),
    z.refine((name) => !name.startsWith("-"), "The name cannot begin with a hyphen."),
  ),
  /** Asked only of somebody who has several to choose from. */
  team: z.optional(z.string().check(z.minLength(1, "Choose the team that is to own the store."))),
})

interface CreateStoreFormProps {
  onSending: (sending: boolean) => void
  onCreated: () => void
  onCancel: () => void
}

/** Name, type and, where there are several, team of a new store. Sent twice for the same name, it still creates one. */
export function CreateStoreForm({ onSending, onCreated, onCancel }: CreateStoreFormProps) {
  const typeLabel = useId()
  const [keyFor] = useState(idempotencyKeys)
  const [create, { loading }] = useMutation(CreateStoreDocument)
  const [problem, setProblem] = useState<string | null>(null)
  const teams = useCreatableTeams()
  const { register, handleSubmit, setError, formState } = useForm({
    resolver: zodResolver(schema),
    mode: "onTouched",
    defaultValues: { name: "" },
  })

  const submit = handleSubmit(async ({ name, team }) => {
    setProblem(null)
    onSending(true)
    try {
      const idempotencyKey = keyFor(`${team ?? ""} ${name}`)
      await create({ variables: { name, type: "woocommerce", teamId: team ?? null, idempotencyKey } })
      if (team !== undefined) rememberTeam(team)
      onCreated()
    } catch (error) {
      const { code, field, message } = describeError(error)
      if (code === "store-limit-reached") {
        setProblem(`${message} Delete a store that you no longer need, then try again.`)
      } else if (field === "name" || code === "already-exists") {
        setError("name", { message }, { shouldFocus: true })
      } else if (field === "teamId" && team !== undefined) {
        setError("team", { message }, { shouldFocus: true })
      } else setProblem(message)
    } finally {
      onSending(false)
    }
  })

  return (
    <form noValidate className="grid gap-5" onSubmit={(event) => void submit(event)}>
      <Field label="Store Name" error={formState.errors.name?.message}>
        {(control) => (
          <Input
            // The dialog was opened to type this.
            // oxlint-disable-next-line jsx-a11y/no-autofocus
            autoFocus
            autoComplete="off"
            placeholder="My Shop"
            maxLength={100}
            {...control}
            {...register("name")}
          />
        )}
      </Field>

      {teams.length > 1 ? (
        <Field label="Team" error={formState.errors.team?.message}>
          {(control) => (
            <Select defaultValue={lastTeam(teams)} {...control} {...register("team")}>
              <option value="" disabled>
                Choose a team
              </option>
              {teams.map((team) => (
                <option key={team.id} value={team.id}>
                  {team.name}
                </option>
              ))}
            </Select>
          )}
        </Field>
      ) : null}

      <div className="grid gap-1.5">
        <span id={typeLabel} className="text-sm font-medium">
          Store Type
        </span>
        <RadioCardGroup aria-labelledby={typeLabel} defaultValue="woocommerce">
          <RadioCard
            value="woocommerce"
            icon={<ShoppingBag />}
            title="WooCommerce"
            note="WordPress, MySQL and the Storefront theme"
          />
          <RadioCard value="medusajs" disabled icon={<Stethoscope />} title="MedusaJS" note="Coming soon" />
        </RadioCardGroup>
      </div>

      <Alert tone="info" icon={<Info aria-hidden />}>
        Provisioning takes 2-5 minutes. You can watch every step on the store's card.
      </Alert>

      {problem ? <FormError message={problem} /> : null}

      <DialogFooter className="mt-1">
        <Button variant="secondary" disabled={loading} onClick={onCancel}>
          Cancel
        </Button>
        <Button type="submit" loading={loading}>
          {loading ? null : <Rocket aria-hidden />}
          {loading ? "Creating…" : "Create Store"}
        </Button>
      </DialogFooter>
    </form>
  )
}
