import { Plus, Store as StoreIcon } from "lucide-react"
import { Button } from "@/components/ui/button"
import { Card } from "@/components/ui/card"
import { CreateStoreDialog } from "@/features/stores/create-store-dialog"

/** First use: what a store is, and the way to the first one. */
export function StoresEmpty() {
  return (
    <Card className="grid justify-items-center gap-3 border-dashed px-6 py-16 text-center shadow-none">
      <span
        aria-hidden
        className="mb-2 grid size-20 place-items-center rounded-3xl bg-linear-to-br from-violet-500 to-indigo-600 text-white shadow-lg"
      >
        <StoreIcon className="size-10" />
      </span>
      <h3 className="text-xl font-bold">No stores yet</h3>
      <p className="max-w-md text-sm text-muted-foreground">
        A store is a WooCommerce shop with its own database, address and admin. Name it, and NorthStack sets
        it up step by step while you watch.
      </p>
      <CreateStoreDialog>
        <Button size="lg" className="mt-3">
          <Plus aria-hidden />
          Create your first store
        </Button>
      </CreateStoreDialog>
    </Card>
  )
}
