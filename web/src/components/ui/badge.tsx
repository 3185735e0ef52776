import { cva } from "class-variance-authority"
import type { ComponentProps } from "react"
import type { Tone } from "@/lib/status"
import { cn } from "@/lib/utils"

const badgeVariants = cva(
  "inline-flex shrink-0 items-center gap-1.5 rounded-full border px-2.5 py-1 text-xs font-semibold whitespace-nowrap [&_svg]:size-3.5",
  {
    variants: {
      tone: {
        success: "border-success-border bg-success-bg text-success",
        warning: "border-warning-border bg-warning-bg text-warning",
        danger: "border-danger-border bg-danger-bg text-danger",
        info: "border-info-border bg-info-bg text-info",
        neutral: "border-neutral-border bg-neutral-bg text-neutral",
      },
    },
  },
)

export function Badge({ tone, className, ...props }: ComponentProps<"span"> & { tone: Tone }) {
  return <span data-slot="badge" className={cn(badgeVariants({ tone }), className)} {...props} />
}
