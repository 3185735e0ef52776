import { RadioGroup as RadioGroupPrimitive } from "radix-ui"
import { useId, type ComponentProps, type ReactNode } from "react"
import { cn } from "@/lib/utils"

export function RadioCardGroup({ className, ...props }: ComponentProps<typeof RadioGroupPrimitive.Root>) {
  return (
    <RadioGroupPrimitive.Root
      data-slot="radio-card-group"
      className={cn("grid gap-2.5 sm:grid-cols-2", className)}
      {...props}
    />
  )
}

interface RadioCardProps extends ComponentProps<typeof RadioGroupPrimitive.Item> {
  icon: ReactNode
  title: string
  note: string
}

/** One choice, drawn as a card with an icon, a name and a line of words. */
export function RadioCard({ icon, title, note, className, ...props }: RadioCardProps) {
  const id = useId()
  return (
    <RadioGroupPrimitive.Item
      data-slot="radio-card"
      aria-labelledby={`${id}-title`}
      aria-describedby={`${id}-note`}
      className={cn(
        "group flex items-center gap-3 rounded-xl border-2 border-border p-3 text-left transition-colors",
        "enabled:hover:border-input data-[state=checked]:border-primary data-[state=checked]:bg-info-bg",
        "disabled:cursor-not-allowed disabled:border-dashed disabled:bg-muted/50",
        className,
      )}
      {...props}
    >
      <span
        aria-hidden
        className="grid size-10 shrink-0 place-items-center rounded-lg bg-muted text-muted-foreground group-data-[state=checked]:bg-primary group-data-[state=checked]:text-primary-foreground [&_svg]:size-5"
      >
        {icon}
      </span>
      <span className="grid min-w-0 gap-0.5">
        <span id={`${id}-title`} className="text-sm font-semibold">
          {title}
        </span>
        <span id={`${id}-note`} className="text-xs text-muted-foreground">
          {note}
        </span>
      </span>
    </RadioGroupPrimitive.Item>
  )
}
