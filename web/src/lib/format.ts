const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" })

/** A span of time in milliseconds as `7s`, `2m 14s` or `1h 05m`; below zero (clocks differ) reads as `0s`. */
export function formatDuration(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000))
  if (seconds < 60) return `${seconds}s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes}m ${String(seconds % 60).padStart(2, "0")}s`
  return `${Math.floor(minutes / 60)}h ${String(minutes % 60).padStart(2, "0")}m`
}

/** How long ago `iso` was, such as `3 minutes ago`; under a minute, and in the future, `just now`. */
export function formatRelative(iso: string, now: number): string {
  const seconds = Math.floor((now - Date.parse(iso)) / 1000)
  if (Number.isNaN(seconds)) return "—"
  if (seconds < 60) return "just now"
  if (seconds < 3600) return relative.format(-Math.floor(seconds / 60), "minute")
  if (seconds < 86_400) return relative.format(-Math.floor(seconds / 3600), "hour")
  return relative.format(-Math.floor(seconds / 86_400), "day")
}

/** The moment in the reader's zone, to the second and with the zone's name. */
export function formatAbsolute(iso: string): string {
  const date = new Date(iso)
  if (Number.isNaN(date.getTime())) return iso
  return date.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "long" })
}

/** `text` as a sentence: first letter upper case, a full stop at the end. The API's messages are lower case. */
export function asSentence(text: string): string {
  const trimmed = text.trim()
  if (trimmed === "") return trimmed
  const start = trimmed.charAt(0).toUpperCase() + trimmed.slice(1)
  return /[.!?…]$/.test(start) ? start : `${start}.`
}
