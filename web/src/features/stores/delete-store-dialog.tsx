import { useMutation } from "@apollo/client/react"
import { Trash2, TriangleAlert } from "lucide-react"
import { useState } from "react"
import { FormError } from "@/components/form-error"
import { Alert } from "@/components/ui/alert"
import { AlertDialog, AlertDialogCancel, AlertDialogContent } from "@/components/ui/alert-dialog"
import { Button } from "@/components/ui/button"
import { DialogFooter } from "@/components/ui/dialog"
import { Field } from "@/components/ui/field"
import { Input } from "@/components/ui/input"
import type { Store } from "@/features/stores/store-model"
import { DeleteStoreDocument } from "@/features/stores/stores.generated"
import { describeError } from "@/lib/errors"

/** The store in question and the button that asked. */
export interface DeleteTarget {
  store: Store
  opener: HTMLElement
}

interface DeleteStoreDialogProps {
  target: DeleteTarget | null
  onClose: () => void
  /** The dialog has closed after the deletion began: where the focus goes is the page's to say. */
  onDeleted: () => void
}

/** Asks before a store is deleted: says what goes, and wants the exact name. */
export function DeleteStoreDialog({ target, onClose, onDeleted }: DeleteStoreDialogProps) {
  const [sending, setSending] = useState(false)
  const [confirmed, setConfirmed] = useState(false)
  // What the dialog is about while it fades out.
  const [shown, setShown] = useState(target)
  if (target !== null && target !== shown) setShown(target)
  return (
    <AlertDialog
      open={target !== null}
      onOpenChange={(open) => {
        if (!open && !sending) onClose()
      }}
    >
      {shown === null ? null : (
        <AlertDialogContent
          title={`Delete ${shown.store.name}?`}
          description="The store and everything in it will be gone. This cannot be undone."
          onCloseAutoFocus={(event) => {
            event.preventDefault()
            if (confirmed) onDeleted()
            else shown.opener.focus()
            setConfirmed(false)
          }}
        >
          <DeleteForm
            store={shown.store}
            onSending={setSending}
            onStarted={() => {
              setConfirmed(true)
              onClose()
            }}
          />
        </AlertDialogContent>
      )}
    </AlertDialog>
  )
}

interface DeleteFormProps {
  store: Store
  onSending: (sending: boolean) => void
  onStarted: () => void
}

function DeleteForm({ store, onSending, onStarted }: DeleteFormProps) {
  const [typed, setTyped] = useState("")
  const [problem, setProblem] = useState<string | null>(null)
  const [remove, { loading }] = useMutation(DeleteStoreDocument)
  const matches = typed.trim() === store.name.trim()

  const submit = async () => {
    if (!matches || loading) return
    setProblem(null)
    onSending(true)
    try {
      await remove({ variables: { id: store.id } })
      onStarted()
    } catch (error) {
      setProblem(describeError(error).message)
    } finally {
      onSending(false)
    }
  }

  return (
    <form
      noValidate
      className="grid gap-4"
      onSubmit={(event) => {
        event.preventDefault()
        void submit()
      }}
    >
      <Alert tone="danger" icon={<TriangleAlert aria-hidden />}>
        <p className="font-semibold">This will be deleted:</p>
        <ul className="mt-1.5 list-disc space-y-0.5 pl-4">
          <li>
            the Kubernetes namespace <code className="font-mono text-xs">{store.store_id}</code> with all that
            runs in it
          </li>
          <li>the MySQL database: products, orders and customers</li>
          <li>the WordPress files: uploads, themes and plugins</li>
          <li>the storefront's address and the admin login</li>
        </ul>
      </Alert>
      <Field
        label={
          <>
            Type <strong className="font-bold wrap-anywhere select-all">{store.name}</strong> to confirm
          </>
        }
      >
        {(control) => (
          <Input
            // Nothing is done before the name is typed, so the focus starts where it is needed.
            // oxlint-disable-next-line jsx-a11y/no-autofocus
            autoFocus
            autoComplete="off"
            autoCapitalize="off"
            spellCheck={false}
            value={typed}
            onChange={(event) => setTyped(event.target.value)}
            {...control}
          />
        )}
      </Field>
      {problem ? <FormError message={problem} /> : null}
      <DialogFooter className="mt-1">
        <AlertDialogCancel asChild>
          <Button variant="secondary" disabled={loading}>
            Cancel
          </Button>
        </AlertDialogCancel>
        <Button type="submit" variant="danger" disabled={!matches} loading={loading}>
          {loading ? null : <Trash2 aria-hidden />}
          {loading ? "Deleting…" : "Yes, Delete Store"}
        </Button>
      </DialogFooter>
    </form>
  )
}
