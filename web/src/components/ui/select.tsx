import { ChevronDown } from "lucide-react"
import type { ComponentProps } from "react"
import { cn } from "@/lib/utils"

/** The browser's own select, drawn like an input. */
export function Select({ className, children, ...props }: ComponentProps<"select">) {
  return (
    <span className="relative grid">
      <select
        data-slot="select"
        className={cn(
          "h-11 w-full min-w-0 appearance-none truncate rounded-lg border border-input bg-background pr-9 pl-3 text-base text-foreground transition-colors sm:text-sm",
          "disabled:opacity-60 aria-invalid:border-danger",
          className,
        )}
        {...props}
      >
        {children}
      </select>
      <ChevronDown
        aria-hidden
        className="pointer-events-none absolute top-1/2 right-3 size-4 -translate-y-1/2 text-muted-foreground"
      />
    </span>
  )
}
