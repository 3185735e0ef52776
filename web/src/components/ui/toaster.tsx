import { Toaster as Sonner } from "sonner"
import { useTheme } from "@/lib/theme"

/** The outcome of acts, at most three at a time. Errors stay longer; a hovered or focused one stays. */
export function Toaster() {
  const theme = useTheme((state) => state.theme)
  return (
    <Sonner
      theme={theme}
      visibleToasts={3}
      closeButton
      duration={5000}
      position="bottom-right"
      toastOptions={{
        classNames: {
          toast: "!rounded-xl !font-sans !border-border !bg-card !text-card-foreground !shadow-xl",
          description: "!text-muted-foreground",
          actionButton: "!bg-primary !text-primary-foreground",
          closeButton: "!border-border !bg-card !text-card-foreground",
          success: "[&_[data-icon]]:!text-success",
          error: "[&_[data-icon]]:!text-danger",
        },
      }}
    />
  )
}
