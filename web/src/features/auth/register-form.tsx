import { useMutation } from "@apollo/client/react"
import { zodResolver } from "@hookform/resolvers/zod"
import { useState } from "react"
import { useForm } from "react-hook-form"
import * as z from "zod/mini"
import { FormError } from "@/components/form-error"
import { Button } from "@/components/ui/button"
import { Field } from "@/components/ui/field"
import { Input } from "@/components/ui/input"
import { RegisterDocument } from "@/features/auth/auth.generated"
import { PasswordInput } from "@/features/auth/password-input"
import { describeError } from "@/lib/errors"
import { acceptGrant } from "@/lib/session"

const schema = z.object({
  name: z
    .string()
    .check(z.trim(), z.minLength(1, "Enter your name."), z.maxLength(200, "At most 200 characters.")),
  email: z.string().check(z.trim(), z.email("Enter your e-mail address, such as name@example.com.")),
  password: z
    .string()
    .check(z.minLength(10, "At least 10 characters."), z.maxLength(128, "At most 128 characters.")),
})

type Field = keyof z.infer<typeof schema>

function isField(name: string | null): name is Field {
  return name !== null && Object.hasOwn(schema.shape, name)
}

/** Name, e-mail and password of a new account; `onSignedIn` is called once the session stands. */
export function RegisterForm({ onSignedIn }: { onSignedIn: () => void }) {
  const [create, { loading }] = useMutation(RegisterDocument, {
    context: { anonymous: true },
    fetchPolicy: "no-cache",
  })
  const [problem, setProblem] = useState<string | null>(null)
  const { register, handleSubmit, setError, formState } = useForm({
    resolver: zodResolver(schema),
    mode: "onTouched",
    defaultValues: { name: "", email: "", password: "" },
  })

  const submit = handleSubmit(async (values) => {
    setProblem(null)
    try {
      const { data } = await create({ variables: values })
      if (!data?.register) throw new Error("no session in the answer")
      acceptGrant(data.register)
      onSignedIn()
    } catch (error) {
      const { code, field, message } = describeError(error)
      if (isField(field)) setError(field, { message }, { shouldFocus: true })
      else if (code === "already-exists") {
        setError("email", { message: "There is an account with this e-mail already." }, { shouldFocus: true })
      } else setProblem(message)
    }
  })

  return (
    <form noValidate className="grid gap-5" onSubmit={(event) => void submit(event)}>
      <Field label="Name" error={formState.errors.name?.message}>
        {(control) => <Input autoComplete="name" {...control} {...register("name")} />}
      </Field>
      <Field label="E-mail" error={formState.errors.email?.message}>
        {(control) => <Input type="email" autoComplete="username" {...control} {...register("email")} />}
      </Field>
      <Field label="Password" hint="At least 10 characters." error={formState.errors.password?.message}>
        {(control) => <PasswordInput autoComplete="new-password" {...control} {...register("password")} />}
      </Field>
      {problem ? <FormError message={problem} /> : null}
      <Button type="submit" size="lg" loading={loading}>
        Create account
      </Button>
    </form>
  )
}
