import { Check, Copy, X } from "lucide-react"
import { useEffect, useState } from "react"
import { Button } from "@/components/ui/button"

type State = "idle" | "copied" | "failed"

/** Copies `value`; says so for two seconds, also when the browser refuses. */
export function CopyButton({ value, label }: { value: string; label: string }) {
  const [state, setState] = useState<State>("idle")
  useEffect(() => {
    if (state === "idle") return undefined
    const timer = setTimeout(() => setState("idle"), 2000)
    return () => clearTimeout(timer)
  }, [state])

  const copy = async () => {
    try {
      await navigator.clipboard.writeText(value)
      setState("copied")
    } catch {
      setState("failed")
    }
  }

  const Icon = state === "copied" ? Check : state === "failed" ? X : Copy
  return (
    <>
      <Button variant="ghost" size="iconSm" aria-label={`Copy ${label}`} onClick={() => void copy()}>
        <Icon aria-hidden className={state === "copied" ? "text-success" : undefined} />
      </Button>
      <span role="status" className="sr-only">
        {state === "copied" ? "Copied" : state === "failed" ? "Could not copy" : ""}
      </span>
    </>
  )
}
