import { useMutation } from "@apollo/client/react"
import { zodResolver } from "@hookform/resolvers/zod"
import { useState } from "react"
import { useForm } from "react-hook-form"
import * as z from "zod/mini"
import { FormError } from "@/components/form-error"
import { Button } from "@/components/ui/button"
import { Field } from "@/components/ui/field"
import { Input } from "@/components/ui/input"
import { LoginDocument } from "@/features/auth/auth.generated"
import { PasswordInput } from "@/features/auth/password-input"
import { describeError } from "@/lib/errors"
import { acceptGrant } from "@/lib/session"

const schema = z.object({
  email: z.string().check(z.trim(), z.email("Enter your e-mail address, such as name@example.com.")),
  password: z.string().check(z.minLength(1, "Enter your password.")),
})

/** E-mail and password; `onSignedIn` is called once the session stands. */
export function SignInForm({ onSignedIn }: { onSignedIn: () => void }) {
  const [login, { loading }] = useMutation(LoginDocument, {
    context: { anonymous: true },
    fetchPolicy: "no-cache",
  })
  const [problem, setProblem] = useState<string | null>(null)
  const { register, handleSubmit, setError, formState } = useForm({
    resolver: zodResolver(schema),
    mode: "onTouched",
    defaultValues: { email: "", password: "" },
  })

  const submit = handleSubmit(async (values) => {
    setProblem(null)
    try {
      const { data } = await login({ variables: values })
      if (!data?.login) throw new Error("no session in the answer")
      acceptGrant(data.login)
      onSignedIn()
    } catch (error) {
      const { field, message } = describeError(error)
      if (field === "email" || field === "password") setError(field, { message }, { shouldFocus: true })
      else setProblem(message)
    }
  })

  return (
    <form noValidate className="grid gap-5" onSubmit={(event) => void submit(event)}>
      <Field label="E-mail" error={formState.errors.email?.message}>
        {(control) => <Input type="email" autoComplete="username" {...control} {...register("email")} />}
      </Field>
      <Field label="Password" error={formState.errors.password?.message}>
        {(control) => (
          <PasswordInput autoComplete="current-password" {...control} {...register("password")} />
        )}
      </Field>
      {problem ? <FormError message={problem} /> : null}
      <Button type="submit" size="lg" loading={loading}>
        Sign in
      </Button>
    </form>
  )
}
