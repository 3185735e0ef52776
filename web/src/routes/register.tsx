import { createFileRoute, Link, redirect, useRouter } from "@tanstack/react-router"
import { AuthLayout } from "@/features/auth/auth-layout"
import { RegisterForm } from "@/features/auth/register-form"
import { validateReturnSearch } from "@/lib/return-url"
import { sessionKnown } from "@/lib/session"
import { useTitle } from "@/lib/use-title"

export const Route = createFileRoute("/register")({
  validateSearch: validateReturnSearch,
  beforeLoad: async ({ search }) => {
    if ((await sessionKnown()).status === "signed-in") throw redirect({ href: search.redirect ?? "/stores" })
  },
  component: RegisterPage,
})

function RegisterPage() {
  useTitle("Create an account")
  const search = Route.useSearch()
  const router = useRouter()
  return (
    <AuthLayout
      title="Create an account"
      subtitle="Your first store is a few minutes away."
      footer={
        <>
          Have an account?{" "}
          <Link to="/sign-in" search={search} className="font-semibold text-link hover:underline">
            Sign in
          </Link>
        </>
      }
    >
      <RegisterForm onSignedIn={() => router.history.replace(search.redirect ?? "/stores")} />
    </AuthLayout>
  )
}
