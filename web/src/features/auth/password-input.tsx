import { Eye, EyeOff } from "lucide-react"
import { useState, type ComponentProps } from "react"
import { Button } from "@/components/ui/button"
import { Input } from "@/components/ui/input"

/** A password field whose text can be shown. */
export function PasswordInput(props: Omit<ComponentProps<typeof Input>, "type">) {
  const [shown, setShown] = useState(false)
  const Icon = shown ? EyeOff : Eye
  return (
    <div className="relative">
      <Input type={shown ? "text" : "password"} className="pr-11" {...props} />
      <Button
        variant="ghost"
        size="icon"
        aria-label={shown ? "Hide password" : "Show password"}
        className="absolute top-1 right-1"
        onClick={() => setShown(!shown)}
      >
        <Icon aria-hidden />
      </Button>
    </div>
  )
}
