import { useMutation } from "@apollo/client/react"
import { CircleAlert, ShieldCheck } from "lucide-react"
import { useId, useState, type ReactNode } from "react"
import { CopyButton } from "@/components/copy-button"
import { Alert } from "@/components/ui/alert"
import { Button } from "@/components/ui/button"
import { Popover, PopoverContent, PopoverTrigger } from "@/components/ui/popover"
import { Skeleton } from "@/components/ui/skeleton"
import { RevealStoreCredentialsDocument } from "@/features/stores/stores.generated"
import { describeError } from "@/lib/errors"

interface AdminCredentialsProps {
  storeId: string
  name: string
  /** The button that opens it. */
  children: ReactNode
}

/** The admin login, asked for when opened (each time is audited) and forgotten when closed. */
export function AdminCredentials({ storeId, name, children }: AdminCredentialsProps) {
  const titleId = useId()
  const [open, setOpen] = useState(false)
  const [reveal, { data, error, reset }] = useMutation(RevealStoreCredentialsDocument, {
    fetchPolicy: "no-cache",
  })
  const credentials = data?.revealStoreCredentials

  const ask = () => {
    // The error is shown from the hook's state.
    reveal({ variables: { id: storeId } }).catch(() => undefined)
  }
  const change = (next: boolean) => {
    setOpen(next)
    if (next) ask()
    else reset()
  }

  return (
    <Popover open={open} onOpenChange={change}>
      <PopoverTrigger asChild>{children}</PopoverTrigger>
      <PopoverContent aria-labelledby={titleId} aria-busy={!credentials && !error}>
        <h4 id={titleId} className="font-semibold">
          Admin login
          <span className="sr-only"> of {name}</span>
        </h4>
        {error ? (
          <>
            <Alert role="alert" tone="danger" icon={<CircleAlert aria-hidden />} className="mt-3">
              {describeError(error).message}
            </Alert>
            <Button variant="secondary" size="sm" className="mt-3" onClick={ask}>
              Try again
            </Button>
          </>
        ) : (
          <>
            <dl className="mt-3 grid gap-1.5 text-sm">
              <Credential label="Username" value={credentials?.username} />
              <Credential label="Password" value={credentials?.password} />
            </dl>
            <p className="mt-3 flex items-start gap-1.5 text-xs text-muted-foreground">
              <ShieldCheck aria-hidden className="mt-px size-3.5 shrink-0" />
              Showing it is recorded in the audit log.
            </p>
          </>
        )}
      </PopoverContent>
    </Popover>
  )
}

function Credential({ label, value }: { label: string; value: string | undefined }) {
  return (
    <div className="flex h-9 items-center gap-2 rounded-lg bg-muted pr-1 pl-3">
      <dt className="w-20 shrink-0 text-muted-foreground">{label}</dt>
      <dd className="flex min-w-0 flex-1 items-center gap-1">
        {value === undefined ? (
          <Skeleton className="h-4 w-full bg-border" />
        ) : (
          <>
            <code className="min-w-0 flex-1 truncate font-mono select-all">{value}</code>
            <CopyButton value={value} label={label.toLowerCase()} />
          </>
        )}
      </dd>
    </div>
  )
}
