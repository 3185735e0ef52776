import { Zap } from "lucide-react"

/** The product's mark and name. */
export function Brand() {
  return (
    <span className="flex min-w-0 items-center gap-2.5">
      <span
        aria-hidden
        className="grid size-9 shrink-0 place-items-center rounded-xl bg-linear-to-br from-blue-500 to-blue-700 text-white shadow-sm"
      >
        <Zap className="size-5 fill-current" />
      </span>
      <span className="truncate text-base font-extrabold sm:text-lg tracking-tight">NorthStack</span>
    </span>
  )
}
