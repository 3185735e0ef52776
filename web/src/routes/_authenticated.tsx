import { createFileRoute, Link, Outlet, redirect, useNavigate } from "@tanstack/react-router"
import { useEffect } from "react"
import { Brand } from "@/components/brand"
import { ConnectionBanner } from "@/components/connection-banner"
import { ConnectionPill } from "@/components/connection-pill"
import { ErrorPanel } from "@/components/error-panel"
import { ThemeMenu } from "@/components/theme-menu"
import { UserMenu } from "@/features/auth/user-menu"
import { useLiveness } from "@/lib/liveness"
import { safeReturnUrl } from "@/lib/return-url"
import { renew, sessionKnown, useSession } from "@/lib/session"

export const Route = createFileRoute("/_authenticated")({
  beforeLoad: async ({ location }) => {
    if ((await sessionKnown()).status === "signed-out") {
      throw redirect({ to: "/sign-in", search: { redirect: safeReturnUrl(location.href) } })
    }
  },
  component: Shell,
})

/** The frame of every page behind sign-in. */
function Shell() {
  const session = useSession()
  const navigate = useNavigate()
  const liveness = useLiveness()
  const { status } = session
  const expired = session.status === "signed-out" && session.expired

  useEffect(() => {
    if (status !== "signed-out") return
    const back = expired ? safeReturnUrl(location.pathname + location.search) : undefined
    void navigate({ to: "/sign-in", search: { redirect: back }, replace: true })
  }, [status, expired, navigate])

  if (status === "unreachable") {
    return (
      <main className="mx-auto max-w-xl px-4 pt-[12vh]">
        <ErrorPanel
          title="NorthStack does not answer"
          message="The portal keeps trying. If this stays, check that the service is running."
          onRetry={() => void renew()}
        />
      </main>
    )
  }
  if (status !== "signed-in") return null
  return (
    <>
      <a
        href="#main"
        className="sr-only z-50 rounded-lg bg-primary px-4 py-2 font-semibold text-primary-foreground focus:not-sr-only focus:fixed focus:top-3 focus:left-3"
      >
        Skip to content
      </a>
      <header className="sticky top-0 z-30 border-b bg-background/85 backdrop-blur-md">
        <div className="mx-auto flex h-16 max-w-7xl items-center justify-between gap-3 px-4 sm:px-6">
          <Link to="/stores" className="min-w-0 rounded-lg" aria-label="NorthStack, your stores">
            <Brand />
          </Link>
          <div className="flex shrink-0 items-center gap-1 sm:gap-3">
            <ConnectionPill liveness={liveness} />
            <ThemeMenu />
            <UserMenu />
          </div>
        </div>
        <ConnectionBanner liveness={liveness} />
      </header>
      <main id="main" tabIndex={-1} className="mx-auto max-w-7xl px-4 pt-8 pb-20 sm:px-6">
        <Outlet />
      </main>
    </>
  )
}
