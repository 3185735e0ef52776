import { ChevronRight, OctagonAlert } from "lucide-react"
import { CopyButton } from "@/components/copy-button"
import { Alert } from "@/components/ui/alert"
import { StepList } from "@/features/stores/step-list"
import type { Store } from "@/features/stores/store-model"
import { asSentence } from "@/lib/format"

/** Why a store failed, and where. */
export function StoreFailure({ store }: { store: Store }) {
  const operation = store.operations[0]
  const reason = store.error ?? operation?.error_message ?? "The reason was not recorded."

  return (
    <div className="grid gap-3">
      <Alert tone="danger" icon={<OctagonAlert aria-hidden />}>
        <div className="flex items-start justify-between gap-2">
          <p className="min-w-0">{asSentence(reason)}</p>
          <CopyButton value={reason} label="error" />
        </div>
      </Alert>
      {operation && operation.steps.length > 0 ? (
        <details className="group rounded-xl border bg-background/60">
          <summary className="flex cursor-pointer list-none items-center gap-1.5 rounded-xl p-3 text-sm font-medium">
            <ChevronRight aria-hidden className="size-4 transition-transform group-open:rotate-90" />
            What was done
          </summary>
          <div className="px-3.5 pt-0.5 pb-3.5">
            <StepList steps={operation.steps} label={`Steps of ${store.name}`} />
          </div>
        </details>
      ) : null}
    </div>
  )
}
