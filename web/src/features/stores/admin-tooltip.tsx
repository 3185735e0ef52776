import { useMutation } from "@apollo/client/react"
import { useEffect, useState, type ReactNode } from "react"
import { Tooltip } from "@/components/ui/tooltip"
import { RevealStoreCredentialsDocument } from "@/features/stores/stores.generated"
import { describeError } from "@/lib/errors"

/** Somebody who only passes by does not ask: each time the login is shown is audited. */
const pause = 400

interface AdminTooltipProps {
  storeId: string
  /** The link to the store's admin. */
  children: ReactNode
}

/** The admin login where it is about to be needed, on hover and focus; forgotten when it goes. */
export function AdminTooltip({ storeId, children }: AdminTooltipProps) {
  const [open, setOpen] = useState(false)
  const [reveal, { data, error, reset }] = useMutation(RevealStoreCredentialsDocument, {
    fetchPolicy: "no-cache",
  })
  useEffect(() => {
    if (!open) return undefined
    const timer = setTimeout(() => {
      // The error is shown from the hook's state.
      reveal({ variables: { id: storeId } }).catch(() => undefined)
    }, pause)
    return () => {
      clearTimeout(timer)
      reset()
    }
  }, [open, reveal, reset, storeId])

  const credentials = data?.revealStoreCredentials
  return (
    <Tooltip
      onOpenChange={setOpen}
      content={
        error ? (
          describeError(error).message
        ) : (
          <>
            Login:{" "}
            {credentials ? (
              <span className="font-mono">
                {credentials.username} / {credentials.password}
              </span>
            ) : (
              "…"
            )}
          </>
        )
      }
    >
      {children}
    </Tooltip>
  )
}
