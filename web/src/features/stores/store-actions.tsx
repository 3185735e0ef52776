import { useMutation } from "@apollo/client/react"
import { KeyRound, RotateCw, Settings, ShoppingCart } from "lucide-react"
import { toast } from "sonner"
import { Button } from "@/components/ui/button"
import { AdminCredentials } from "@/features/stores/admin-credentials"
import { AdminTooltip } from "@/features/stores/admin-tooltip"
import { toastOf, type Store } from "@/features/stores/store-model"
import { RetryStoreDocument } from "@/features/stores/stores.generated"
import { describeError } from "@/lib/errors"

/** What can be done with a store in its present state. */
export function StoreActions({ store }: { store: Store }) {
  if (store.status === "ready") return <ReadyActions store={store} />
  if (store.status === "failed") return <RetryButton store={store} />
  if (store.status === "provisioning") return <FooterNote>Usually takes 2-5 minutes</FooterNote>
  if (store.status === "deleting") return <FooterNote>Leaves once nothing of it is left</FooterNote>
  return null
}

function FooterNote({ children }: { children: string }) {
  return <p className="text-xs text-muted-foreground">{children}</p>
}

function ReadyActions({ store }: { store: Store }) {
  return (
    <>
      <Button asChild size="sm" className="h-11 w-full sm:h-9 sm:w-auto">
        <a href={store.url} target="_blank" rel="noreferrer">
          <ShoppingCart aria-hidden />
          Open Store
          <span className="sr-only">: {store.name} (opens in a new tab)</span>
        </a>
      </Button>
      {store.admin_url === null ? null : (
        <AdminTooltip storeId={store.id}>
          <Button asChild variant="secondary" size="sm" className="h-9">
            <a href={store.admin_url} target="_blank" rel="noreferrer">
              <Settings aria-hidden />
              Admin
              <span className="sr-only">: {store.name} (opens in a new tab)</span>
            </a>
          </Button>
        </AdminTooltip>
      )}
      <AdminCredentials storeId={store.id} name={store.name}>
        <Button variant="secondary" size="icon" aria-label={`Admin login of ${store.name}`}>
          <KeyRound aria-hidden />
        </Button>
      </AdminCredentials>
    </>
  )
}

function RetryButton({ store }: { store: Store }) {
  const [retry, { loading }] = useMutation(RetryStoreDocument)

  const again = async () => {
    try {
      await retry({ variables: { id: store.id } })
    } catch (error) {
      toast.error(`${store.name} could not be retried`, {
        id: toastOf(store),
        description: describeError(error).message,
        duration: 15_000,
      })
    }
  }

  return (
    <Button
      size="sm"
      className="h-9"
      aria-label={`Retry ${store.name}`}
      loading={loading}
      onClick={() => void again()}
    >
      {loading ? null : <RotateCw aria-hidden />}
      Retry
    </Button>
  )
}
