import { RotateCw, TriangleAlert } from "lucide-react"
import { Button } from "@/components/ui/button"
import { Card } from "@/components/ui/card"

interface ErrorPanelProps {
  title: string
  message: string
  onRetry: () => void
}

/** What stands in place of content that could not be had. */
export function ErrorPanel({ title, message, onRetry }: ErrorPanelProps) {
  return (
    <Card role="alert" className="grid justify-items-center gap-3 px-6 py-14 text-center">
      <span className="grid size-14 place-items-center rounded-2xl bg-danger-bg text-danger">
        <TriangleAlert aria-hidden className="size-7" />
      </span>
      <h2 className="text-lg font-bold">{title}</h2>
      <p className="max-w-md text-sm text-muted-foreground">{message}</p>
      <Button variant="secondary" className="mt-2" onClick={onRetry}>
        <RotateCw aria-hidden />
        Try again
      </Button>
    </Card>
  )
}
