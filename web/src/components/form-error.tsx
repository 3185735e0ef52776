import { CircleAlert } from "lucide-react"
import { useEffect, useRef } from "react"
import { Alert } from "@/components/ui/alert"

/** The error of a whole form; it takes the focus when it appears and when it changes. */
export function FormError({ message }: { message: string }) {
  return <FocusedError key={message} message={message} />
}

function FocusedError({ message }: { message: string }) {
  const box = useRef<HTMLDivElement>(null)
  useEffect(() => box.current?.focus(), [])
  return (
    <Alert ref={box} role="alert" tabIndex={-1} tone="danger" icon={<CircleAlert aria-hidden />}>
      {message}
    </Alert>
  )
}
