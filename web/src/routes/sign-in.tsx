import { createFileRoute, Link, redirect, useRouter } from "@tanstack/react-router"
import { Clock } from "lucide-react"
import { Alert } from "@/components/ui/alert"
import { AuthLayout } from "@/features/auth/auth-layout"
import { SignInForm } from "@/features/auth/sign-in-form"
import { useTitle } from "@/lib/use-title"
import { validateReturnSearch } from "@/lib/return-url"
import { sessionKnown, useSession } from "@/lib/session"

export const Route = createFileRoute("/sign-in")({
  validateSearch: validateReturnSearch,
  beforeLoad: async ({ search }) => {
    if ((await sessionKnown()).status === "signed-in") throw redirect({ href: search.redirect ?? "/stores" })
  },
  component: SignInPage,
})

function SignInPage() {
  useTitle("Sign in")
  const search = Route.useSearch()
  const router = useRouter()
  const expired = useSession((session) => session.status === "signed-out" && session.expired)
  return (
    <AuthLayout
      title="Sign in"
      subtitle="Create and run your stores on Kubernetes."
      footer={
        <>
          New here?{" "}
          <Link to="/register" search={search} className="font-semibold text-link hover:underline">
            Create an account
          </Link>
        </>
      }
    >
      {expired ? (
        <Alert role="status" tone="warning" icon={<Clock aria-hidden />} className="mb-5">
          Your session has ended. Sign in to go on where you were.
        </Alert>
      ) : null}
      <SignInForm onSignedIn={() => router.history.replace(search.redirect ?? "/stores")} />
    </AuthLayout>
  )
}
