import { useSubscription } from "@apollo/client/react"
import { useRef, useState } from "react"
import { toast } from "sonner"
import { transitionsBetween, type Store, type Transition } from "@/features/stores/store-model"
import { StoresDocument } from "@/features/stores/stores.generated"

/** The live list: `stores` is the last good state and stays while the connection is broken. */
export interface LiveStores {
  stores: readonly Store[] | null
  error: unknown
  restart: () => void
}

/** What is said of a store that is ready leads to it, and goes with it. */
const readyToast = (store: Store): string => `ready-${store.id}`

/** Takes back what was said of stores that are ready no more. */
function takeBack(before: readonly Store[], now: readonly Store[]): void {
  for (const store of before) {
    const current = now.find(({ id }) => id === store.id)
    if (store.status === "ready" && current?.status !== "ready") toast.dismiss(readyToast(store))
  }
}

function announce({ kind, store }: Transition): void {
  if (kind === "ready") {
    toast.success(`${store.name} is ready`, {
      id: readyToast(store),
      description: "The storefront answers.",
      action: { label: "Open", onClick: () => window.open(store.url, "_blank", "noopener,noreferrer") },
    })
  } else if (kind === "failed") {
    toast.error(`${store.name} failed`, { description: store.error ?? undefined, duration: 15_000 })
  } else {
    toast.success(`${store.name} was deleted`)
  }
}

/** Subscribes to the stores of the user's teams and tells of what becomes ready, fails or goes. */
export function useStores(): LiveStores {
  const [stores, setStores] = useState<readonly Store[] | null>(null)
  const former = useRef<readonly Store[]>([])
  const { restart, error } = useSubscription(StoresDocument, {
    fetchPolicy: "no-cache",
    onData: ({ data: { data } }) => {
      if (!data) return
      takeBack(former.current, data.stores)
      for (const transition of transitionsBetween(former.current, data.stores)) announce(transition)
      former.current = data.stores
      setStores(data.stores)
    },
  })
  return { stores, error, restart }
}
