import { cva, type VariantProps } from "class-variance-authority"
import { LoaderCircle } from "lucide-react"
import { Slot } from "radix-ui"
import type { ComponentProps } from "react"
import { cn } from "@/lib/utils"

const buttonVariants = cva(
  "inline-flex shrink-0 items-center justify-center gap-2 rounded-lg text-sm font-semibold whitespace-nowrap transition-colors disabled:opacity-60 aria-disabled:opacity-60 [&_svg]:shrink-0 [&_svg:not([class*='size-'])]:size-4",
  {
    variants: {
      variant: {
        primary: "bg-primary text-primary-foreground shadow-sm enabled:hover:bg-primary-hover",
        secondary: "border bg-card text-card-foreground hover:bg-muted",
        ghost: "text-muted-foreground hover:bg-muted hover:text-foreground",
        danger: "bg-danger-solid text-white shadow-sm enabled:hover:bg-danger-solid-hover",
        dangerGhost: "text-muted-foreground hover:bg-danger-bg hover:text-danger",
      },
      size: {
        sm: "h-8 px-3",
        md: "h-10 px-4",
        lg: "h-11 px-5",
        icon: "size-9",
        iconSm: "size-7 rounded-md",
      },
    },
    defaultVariants: { variant: "primary", size: "md" },
  },
)

interface ButtonProps extends ComponentProps<"button">, VariantProps<typeof buttonVariants> {
  asChild?: boolean
  /** Something is being sent: shows a spinner, stays focusable, ignores clicks. */
  loading?: boolean
}

export function Button({ className, variant, size, asChild, loading, children, ...props }: ButtonProps) {
  const classes = cn(buttonVariants({ variant, size }), className)
  if (asChild) {
    return (
      <Slot.Root data-slot="button" className={classes} {...props}>
        {children}
      </Slot.Root>
    )
  }
  return (
    <button
      data-slot="button"
      type="button"
      {...props}
      className={classes}
      {...(loading
        ? { "aria-disabled": true, "aria-busy": true, onClick: (event) => event.preventDefault() }
        : {})}
    >
      {loading ? <LoaderCircle aria-hidden className="motion-safe:animate-spin" /> : null}
      {children}
    </button>
  )
}
