import { ExternalLink, ShoppingBag, Trash2 } from "lucide-react"
import { useLayoutEffect, useRef } from "react"
import { CopyButton } from "@/components/copy-button"
import { StatusBadge } from "@/components/status-badge"
import { TimeAgo } from "@/components/time-ago"
import { Button } from "@/components/ui/button"
import { Card } from "@/components/ui/card"
import { StoreActions } from "@/features/stores/store-actions"
import { StoreFailure } from "@/features/stores/store-failure"
import type { Store } from "@/features/stores/store-model"
import { StoreProgress } from "@/features/stores/store-progress"
import { storeStatusLook } from "@/lib/status"

const typeNames: Record<string, string> = { woocommerce: "WooCommerce Store" }

interface StoreCardProps {
  store: Store
  /** Asks to delete; `opener` gets the focus back when the answer is no. */
  onDelete: (store: Store, opener: HTMLElement) => void
  /** The card goes away with the focus inside it. */
  onFocusLost: () => void
}

/** One store: what it is, how it is, what is being done to it, and what can be done. */
export function StoreCard({ store, onDelete, onFocusLost }: StoreCardProps) {
  const card = useRef<HTMLDivElement>(null)
  useLayoutEffect(() => {
    const element = card.current
    return () => {
      if (element?.contains(document.activeElement)) onFocusLost()
    }
  }, [onFocusLost])

  const operation = store.operations[0]
  const steps = operation?.steps ?? []
  const titleId = `store-${store.id}`
  const ready = store.status === "ready"
  const deleting = store.status === "deleting"
  return (
    <Card
      ref={card}
      role="article"
      aria-labelledby={titleId}
      data-store={store.store_id}
      className="flex flex-col gap-4 p-4 sm:p-5 motion-safe:animate-in motion-safe:fade-in-0 motion-safe:slide-in-from-bottom-2"
    >
      <header className="flex items-start gap-3">
        <span
          aria-hidden
          className="grid size-11 shrink-0 place-items-center rounded-xl bg-linear-to-br from-violet-500 to-indigo-600 text-white"
        >
          <ShoppingBag className="size-5.5" />
        </span>
        <div className="min-w-0 flex-1">
          <h3 id={titleId} className="text-lg leading-6 font-bold wrap-anywhere">
            {store.name}
          </h3>
          <p className="text-sm text-muted-foreground">{typeNames[store.type] ?? store.type}</p>
        </div>
        <StatusBadge look={storeStatusLook(store.status)} />
      </header>

      <dl className="grid grid-cols-1 gap-1 text-sm">
        <div className="flex min-h-7 items-center gap-2">
          <dt className="w-16 shrink-0 text-muted-foreground">ID</dt>
          <dd className="flex min-w-0 items-center gap-1">
            <code className="truncate rounded-md bg-muted px-1.5 py-0.5 font-mono text-xs">
              {store.store_id}
            </code>
            <CopyButton value={store.store_id} label="store id" />
          </dd>
        </div>
        <div className="flex min-h-7 items-center gap-2">
          <dt className="w-16 shrink-0 text-muted-foreground">Created</dt>
          <dd>
            <TimeAgo iso={store.created_at} />
          </dd>
        </div>
        {ready ? (
          <div className="flex min-h-7 items-center gap-2">
            <dt className="w-16 shrink-0 text-muted-foreground">URL</dt>
            <dd className="flex min-w-0 items-center gap-1">
              <a
                href={store.url}
                target="_blank"
                rel="noreferrer"
                className="flex min-w-0 items-center gap-1.5 rounded font-medium text-link hover:underline"
              >
                <span className="truncate">{store.url.replace(/^https?:\/\//, "")}</span>
                <ExternalLink aria-hidden className="size-3.5 shrink-0" />
                <span className="sr-only">(opens in a new tab)</span>
              </a>
              <CopyButton value={store.url} label="store URL" />
            </dd>
          </div>
        ) : null}
      </dl>

      {store.status === "provisioning" ? (
        <StoreProgress name={store.name} act="Provisioning" steps={steps} />
      ) : null}
      {deleting ? <StoreProgress name={store.name} act="Deleting" steps={steps} /> : null}
      {store.status === "failed" ? <StoreFailure store={store} /> : null}

      <footer className="mt-auto flex flex-wrap items-center gap-2 border-t pt-4">
        <StoreActions store={store} />
        <Button
          variant="dangerGhost"
          size="icon"
          className="ml-auto"
          aria-label={`Delete ${store.name}`}
          disabled={deleting}
          onClick={(event) => onDelete(store, event.currentTarget)}
        >
          <Trash2 aria-hidden />
        </Button>
      </footer>
    </Card>
  )
}
