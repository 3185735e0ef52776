import type { ReactNode } from "react"
import { Brand } from "@/components/brand"
import { ThemeMenu } from "@/components/theme-menu"
import { Card } from "@/components/ui/card"

interface AuthLayoutProps {
  title: string
  subtitle: string
  children: ReactNode
  footer: ReactNode
}

/** The frame of the pages before sign-in. */
export function AuthLayout({ title, subtitle, children, footer }: AuthLayoutProps) {
  return (
    <div className="flex min-h-dvh flex-col">
      <header className="flex items-center justify-between px-4 py-4 sm:px-6">
        <Brand />
        <ThemeMenu />
      </header>
      <main className="flex flex-1 items-start justify-center px-4 pt-[6vh] pb-16">
        <div className="w-full max-w-md">
          <Card className="p-6 sm:p-8">
            <h1 tabIndex={-1} className="text-2xl font-bold tracking-tight">
              {title}
            </h1>
            <p className="mt-1 mb-6 text-sm text-muted-foreground">{subtitle}</p>
            {children}
          </Card>
          <p className="mt-5 text-center text-sm text-muted-foreground">{footer}</p>
        </div>
      </main>
    </div>
  )
}
