import type { ApolloClient } from "@apollo/client"
import { createRootRouteWithContext, Link, Outlet } from "@tanstack/react-router"
import { Compass } from "lucide-react"
import { ErrorPanel } from "@/components/error-panel"
import { Button } from "@/components/ui/button"

export const Route = createRootRouteWithContext<{ apollo: ApolloClient }>()({
  component: Outlet,
  notFoundComponent: NotFound,
  errorComponent: PageError,
})

function NotFound() {
  return (
    <main className="mx-auto grid max-w-md justify-items-center gap-4 px-4 pt-[18vh] text-center">
      <Compass aria-hidden className="size-12 text-muted-foreground" />
      <h1 tabIndex={-1} className="text-2xl font-bold">
        There is no such page
      </h1>
      <p className="text-sm text-muted-foreground">The address may be mistyped, or the page has moved.</p>
      <Button asChild>
        <Link to="/stores">Go to your stores</Link>
      </Button>
    </main>
  )
}

function PageError() {
  return (
    <main className="mx-auto max-w-xl px-4 pt-[12vh]">
      <ErrorPanel
        title="This page could not be shown"
        message="Something in the portal failed. Your stores are not affected."
        onRetry={() => location.reload()}
      />
    </main>
  )
}
