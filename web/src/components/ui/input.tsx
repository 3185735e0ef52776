import type { ComponentProps } from "react"
import { cn } from "@/lib/utils"

export function Input({ className, type = "text", ...props }: ComponentProps<"input">) {
  return (
    <input
      data-slot="input"
      type={type}
      className={cn(
        "h-11 w-full min-w-0 rounded-lg border border-input bg-background px-3 text-base text-foreground transition-colors sm:text-sm",
        "placeholder:text-muted-foreground disabled:opacity-60 aria-invalid:border-danger",
        className,
      )}
      {...props}
    />
  )
}
