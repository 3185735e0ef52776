import { formatAbsolute, formatRelative } from "@/lib/format"
import { useNow } from "@/lib/use-now"

/** A moment as its distance from now, renewed each half minute; the exact time is in the title. */
export function TimeAgo({ iso }: { iso: string }) {
  const now = useNow(30_000)
  return (
    <time dateTime={iso} title={formatAbsolute(iso)}>
      {formatRelative(iso, now)}
    </time>
  )
}
