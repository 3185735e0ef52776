import { randomId } from "@/lib/utils"

/**
 * Hands out idempotency keys: the same one as long as the same thing is asked for, so that a request that is
 * sent again after a lost answer is done once.
 */
export function idempotencyKeys(): (subject: string) => string {
  let last = { subject: "", key: "" }
  return (subject) => {
    if (last.key === "" || last.subject !== subject) last = { subject, key: randomId() }
    return last.key
  }
}
