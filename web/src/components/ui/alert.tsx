import { cva, type VariantProps } from "class-variance-authority"
import type { ComponentProps, ReactNode } from "react"
import { cn } from "@/lib/utils"

const alertVariants = cva(
  "flex items-start gap-2.5 rounded-xl border p-3 text-sm [&>svg]:mt-0.5 [&>svg]:size-4 [&>svg]:shrink-0",
  {
    variants: {
      tone: {
        info: "border-info-border bg-info-bg text-info",
        danger: "border-danger-border bg-danger-bg text-danger",
        warning: "border-warning-border bg-warning-bg text-warning",
      },
    },
    defaultVariants: { tone: "info" },
  },
)

interface AlertProps extends ComponentProps<"div">, VariantProps<typeof alertVariants> {
  icon: ReactNode
}

/** A box of words that matter now. Give it `role="alert"` when it appears after an act. */
export function Alert({ icon, tone, className, children, ...props }: AlertProps) {
  return (
    <div data-slot="alert" className={cn(alertVariants({ tone }), className)} {...props}>
      {icon}
      <div className="min-w-0 flex-1 wrap-anywhere">{children}</div>
    </div>
  )
}
