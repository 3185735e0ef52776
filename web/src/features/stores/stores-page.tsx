import { CircleAlert } from "lucide-react"
import { useCallback, useRef, useState } from "react"
import { ErrorPanel } from "@/components/error-panel"
import { Alert } from "@/components/ui/alert"
import { Card } from "@/components/ui/card"
import { Skeleton } from "@/components/ui/skeleton"
import { CreateStoreDialog } from "@/features/stores/create-store-dialog"
import { DeleteStoreDialog, type DeleteTarget } from "@/features/stores/delete-store-dialog"
import { MetricCards } from "@/features/stores/metric-cards"
import { StoreCard } from "@/features/stores/store-card"
import { countStores, type Store } from "@/features/stores/store-model"
import { StoresEmpty } from "@/features/stores/stores-empty"
import { useStores } from "@/features/stores/use-stores"
import { describeError } from "@/lib/errors"
import { useTitle } from "@/lib/use-title"

/** The stores of the user's teams, live. */
export function StoresPage() {
  useTitle("Stores")
  const { stores, error, restart } = useStores()
  const [target, setTarget] = useState<DeleteTarget | null>(null)
  const heading = useRef<HTMLHeadingElement>(null)
  const focusHeading = useCallback(() => heading.current?.focus({ preventScroll: true }), [])

  return (
    <>
      <div className="mb-6 flex flex-wrap items-center justify-between gap-4 sm:mb-8">
        <div>
          <h1 tabIndex={-1} className="text-2xl font-extrabold tracking-tight sm:text-3xl">
            Store Platform
          </h1>
          <p className="mt-0.5 text-sm text-muted-foreground sm:text-base">Kubernetes Store Provisioning</p>
        </div>
        <CreateStoreDialog />
      </div>

      <MetricCards counts={stores === null ? null : countStores(stores)} />

      <section aria-labelledby="your-stores" aria-busy={stores === null && !error} className="mt-8 sm:mt-10">
        <h2 id="your-stores" ref={heading} tabIndex={-1} className="mb-4 text-xl font-bold tracking-tight">
          Your Stores{stores === null ? "" : ` (${stores.length})`}
        </h2>
        {stores !== null && error ? (
          <Alert role="status" tone="warning" icon={<CircleAlert aria-hidden />} className="mb-4">
            Updates are failing at the moment; what you see may be out of date. {describeError(error).message}
          </Alert>
        ) : null}
        <StoreGrid
          stores={stores}
          error={error}
          onRetry={restart}
          onDelete={(store, opener) => setTarget({ store, opener })}
          onFocusLost={focusHeading}
        />
      </section>

      <DeleteStoreDialog target={target} onClose={() => setTarget(null)} onDeleted={focusHeading} />
    </>
  )
}

interface StoreGridProps {
  stores: readonly Store[] | null
  error: unknown
  onRetry: () => void
  onDelete: (store: Store, opener: HTMLElement) => void
  onFocusLost: () => void
}

function StoreGrid({ stores, error, onRetry, onDelete, onFocusLost }: StoreGridProps) {
  if (stores === null && error) {
    return (
      <ErrorPanel
        title="Your stores could not be loaded"
        message={describeError(error).message}
        onRetry={onRetry}
      />
    )
  }
  if (stores === null) return <GridSkeleton />
  if (stores.length === 0) return <StoresEmpty />
  return (
    <div className="grid grid-cols-1 items-start gap-4 sm:gap-5 md:grid-cols-2 xl:grid-cols-3">
      {stores.map((store) => (
        <StoreCard key={store.id} store={store} onDelete={onDelete} onFocusLost={onFocusLost} />
      ))}
    </div>
  )
}

function GridSkeleton() {
  return (
    <div className="grid grid-cols-1 gap-4 sm:gap-5 md:grid-cols-2 xl:grid-cols-3">
      {[0, 1, 2].map((index) => (
        <Card key={index} className="grid gap-4 p-5">
          <div className="flex gap-3">
            <Skeleton className="size-11 rounded-xl" />
            <div className="grid flex-1 gap-2">
              <Skeleton className="h-5 w-2/3" />
              <Skeleton className="h-4 w-1/2" />
            </div>
          </div>
          <Skeleton className="h-16" />
          <Skeleton className="h-9" />
        </Card>
      ))}
    </div>
  )
}
