import { Plus } from "lucide-react"
import { useState, type ReactNode } from "react"
import { Button } from "@/components/ui/button"
import { Dialog, DialogContent, DialogTrigger } from "@/components/ui/dialog"
import { CreateStoreForm } from "@/features/stores/create-store-form"
import { useCreatableTeams } from "@/features/stores/use-creatable-teams"

/** The button that creates a store, and its dialog. It cannot be closed while it is sending. */
export function CreateStoreDialog({ children }: { children?: ReactNode }) {
  const [open, setOpen] = useState(false)
  const [sending, setSending] = useState(false)
  // Known before the dialog opens, so that no field comes in while somebody types.
  useCreatableTeams()
  return (
    <Dialog open={open} onOpenChange={(next) => !sending && setOpen(next)}>
      <DialogTrigger asChild>
        {children ?? (
          <Button size="lg">
            <Plus aria-hidden />
            Create Store
          </Button>
        )}
      </DialogTrigger>
      <DialogContent title="Create New Store" description="A complete shop in its own Kubernetes namespace.">
        <CreateStoreForm
          onSending={setSending}
          onCreated={() => setOpen(false)}
          onCancel={() => setOpen(false)}
        />
      </DialogContent>
    </Dialog>
  )
}
