import type { ApolloClient } from "@apollo/client"
import { ApolloProvider } from "@apollo/client/react"
import { createRouter, RouterProvider, type RouterHistory } from "@tanstack/react-router"
import { Toaster } from "@/components/ui/toaster"
import { TooltipProvider } from "@/components/ui/tooltip"
import { routeTree } from "@/routeTree.gen"

/** The router over the portal's routes; `history` is given by tests. */
export function createAppRouter(apollo: ApolloClient, history?: RouterHistory) {
  const router = createRouter({
    routeTree,
    context: { apollo },
    defaultPreload: "intent",
    scrollRestoration: true,
    ...(history ? { history } : {}),
  })
  // A new page takes the focus to its heading, once it is there; a change of the search alone does not.
  router.subscribe("onRendered", (event) => {
    if (event.fromLocation && event.pathChanged) {
      document.querySelector<HTMLElement>("h1[tabindex]")?.focus({ preventScroll: true })
    }
  })
  return router
}

declare module "@tanstack/react-router" {
  interface Register {
    router: ReturnType<typeof createAppRouter>
  }
}

/** The portal. */
export function App({
  apollo,
  router,
}: {
  apollo: ApolloClient
  router: ReturnType<typeof createAppRouter>
}) {
  return (
    <ApolloProvider client={apollo}>
      <TooltipProvider>
        <RouterProvider router={router} />
        <Toaster />
      </TooltipProvider>
    </ApolloProvider>
  )
}
