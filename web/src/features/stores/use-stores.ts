import { useSubscription } from "@apollo/client/react"
import { useEffect, useRef, useState } from "react"
import { toast } from "sonner"
import {
  outdated,
  toastOf,
  transitionsBetween,
  type Store,
  type Transition,
} from "@/features/stores/store-model"
import { StoresDocument } from "@/features/stores/stores.generated"
import { asSentence } from "@/lib/format"

/** The live list: `stores` is the last good state and stays while the connection is broken. */
export interface LiveStores {
  stores: readonly Store[] | null
  error: unknown
  restart: () => void
}

/** Says what became of a store. */
function announce({ kind, store }: Transition): void {
  // All of it is given each time: what a toast was not told anew, it keeps.
  const plain = { id: toastOf(store), description: undefined, action: undefined, duration: 5_000 }
  if (kind === "ready") {
    toast.success(`${store.name} is ready`, {
      ...plain,
      description: "The storefront answers.",
      action: { label: "Open", onClick: () => window.open(store.url, "_blank", "noopener,noreferrer") },
    })
  } else if (kind === "failed") {
    const description = store.error === null ? undefined : asSentence(store.error)
    toast.error(`${store.name} failed`, { ...plain, description, duration: 15_000 })
  } else if (kind === "retried") {
    // It stays for as long as the operation: only its end has more to say.
    const doing = store.status === "deleting" ? "deleted" : "set up"
    toast.loading(`${store.name} is being ${doing} again`, { ...plain, duration: Infinity })
  } else {
    toast.success(`${store.name} was deleted`, plain)
  }
}

/** Subscribes to the stores of the user's teams and tells of what becomes ready, fails or goes. */
export function useStores(): LiveStores {
  const [stores, setStores] = useState<readonly Store[] | null>(null)
  const former = useRef<readonly Store[]>([])
  const [told] = useState(() => new Set<string>())
  // Nobody watches any more, so nothing that is said of a store can be kept true.
  useEffect(() => () => told.forEach((id) => toast.dismiss(id)), [told])
  const { restart, error } = useSubscription(StoresDocument, {
    fetchPolicy: "no-cache",
    onData: ({ data: { data } }) => {
      if (!data) return
      for (const store of outdated(former.current, data.stores)) toast.dismiss(toastOf(store))
      for (const transition of transitionsBetween(former.current, data.stores)) {
        told.add(toastOf(transition.store))
        announce(transition)
      }
      former.current = data.stores
      setStores(data.stores)
    },
  })
  return { stores, error, restart }
}
