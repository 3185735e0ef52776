import { Progress as ProgressPrimitive } from "radix-ui"
import { cn } from "@/lib/utils"

interface ProgressProps {
  label: string
  value: number
  max: number
  /** The same in words, such as `4 of 9 steps`. */
  text: string
  className?: string
}

/** How much of something counted is done. */
export function Progress({ label, value, max, text, className }: ProgressProps) {
  const share = max === 0 ? 0 : (value / max) * 100
  return (
    <ProgressPrimitive.Root
      data-slot="progress"
      aria-label={label}
      value={Math.min(value, max)}
      max={Math.max(max, 1)}
      getValueLabel={() => text}
      className={cn("h-1.5 w-full overflow-hidden rounded-full bg-muted", className)}
    >
      <ProgressPrimitive.Indicator
        className="relative h-full overflow-hidden rounded-full bg-primary transition-[width] duration-500 after:absolute after:inset-0 after:animate-sheen after:bg-linear-to-r after:from-transparent after:via-white/50 after:to-transparent"
        style={{ width: `${Math.max(share, 4)}%` }}
      />
    </ProgressPrimitive.Root>
  )
}
