import { AlertDialog as AlertDialogPrimitive } from "radix-ui"
import type { ComponentProps, ReactNode } from "react"
import { overlayClasses, panelClasses } from "@/components/ui/dialog"
import { cn } from "@/lib/utils"

export function AlertDialog(props: ComponentProps<typeof AlertDialogPrimitive.Root>) {
  return <AlertDialogPrimitive.Root data-slot="alert-dialog" {...props} />
}

export function AlertDialogCancel(props: ComponentProps<typeof AlertDialogPrimitive.Cancel>) {
  return <AlertDialogPrimitive.Cancel data-slot="alert-dialog-cancel" {...props} />
}

interface AlertDialogContentProps extends Omit<ComponentProps<typeof AlertDialogPrimitive.Content>, "title"> {
  title: ReactNode
  description: ReactNode
}

/** The panel of a question that must be answered: a click beside it does not close it. */
export function AlertDialogContent({
  title,
  description,
  className,
  children,
  ...props
}: AlertDialogContentProps) {
  return (
    <AlertDialogPrimitive.Portal>
      <AlertDialogPrimitive.Overlay data-slot="alert-dialog-overlay" className={overlayClasses} />
      <AlertDialogPrimitive.Content
        data-slot="alert-dialog-content"
        className={cn(panelClasses, className)}
        {...props}
      >
        <header className="mb-4">
          <AlertDialogPrimitive.Title className="text-lg font-bold tracking-tight wrap-anywhere">
            {title}
          </AlertDialogPrimitive.Title>
          <AlertDialogPrimitive.Description className="mt-1 text-sm text-muted-foreground">
            {description}
          </AlertDialogPrimitive.Description>
        </header>
        {children}
      </AlertDialogPrimitive.Content>
    </AlertDialogPrimitive.Portal>
  )
}
