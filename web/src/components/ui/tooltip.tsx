import { Tooltip as TooltipPrimitive } from "radix-ui"
import type { ComponentProps, ReactNode } from "react"

export function TooltipProvider(props: ComponentProps<typeof TooltipPrimitive.Provider>) {
  return <TooltipPrimitive.Provider delayDuration={300} {...props} />
}

interface TooltipProps {
  content: ReactNode
  /** Told when it appears and when it goes. */
  onOpenChange?: (open: boolean) => void
  /** The element it describes; it takes a ref and event handlers. */
  children: ReactNode
}

/** A hint on hover and focus. It only describes: what it says is never needed to act. */
export function Tooltip({ content, onOpenChange, children }: TooltipProps) {
  return (
    <TooltipPrimitive.Root onOpenChange={onOpenChange}>
      <TooltipPrimitive.Trigger asChild>{children}</TooltipPrimitive.Trigger>
      <TooltipPrimitive.Portal>
        <TooltipPrimitive.Content
          data-slot="tooltip-content"
          sideOffset={6}
          collisionPadding={12}
          className="z-50 max-w-64 animate-in rounded-lg bg-foreground px-2.5 py-1.5 text-xs font-medium text-background shadow-lg fade-in-0"
        >
          {content}
        </TooltipPrimitive.Content>
      </TooltipPrimitive.Portal>
    </TooltipPrimitive.Root>
  )
}
