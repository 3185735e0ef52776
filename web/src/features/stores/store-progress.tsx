import { Progress } from "@/components/ui/progress"
import { StepList } from "@/features/stores/step-list"
import { progressOf, stepTitle, type Step } from "@/features/stores/store-model"

interface StoreProgressProps {
  name: string
  /** What is being done: `Provisioning` or `Deleting`. */
  act: string
  steps: readonly Step[]
}

/** The steps of what is being done to a store, live. */
export function StoreProgress({ name, act, steps }: StoreProgressProps) {
  const { done, total, current } = progressOf(steps)
  const text = `${done} of ${total} steps`
  return (
    <section aria-label={`${act} ${name}`} className="rounded-xl border bg-background/60 p-3.5">
      <div className="mb-2 flex items-baseline justify-between gap-3 text-xs font-semibold">
        <span>{act}…</span>
        <span className="text-muted-foreground tabular-nums">{text}</span>
      </div>
      <Progress label={`${act} ${name}`} value={done} max={total} text={text} className="mb-3.5" />
      <StepList steps={steps} label={`Steps of ${act.toLowerCase()} ${name}`} />
      <p role="status" className="sr-only">
        {current === null ? "" : `${name}: ${stepTitle(current)}, ${text} done`}
      </p>
    </section>
  )
}
