import {
  CheckCircle2,
  CircleDashed,
  CircleSlash,
  LoaderCircle,
  OctagonAlert,
  Trash2,
  Undo2,
  type LucideIcon,
} from "lucide-react"

/** How a status is meant to be felt. Colour is never alone: every status also has an icon and a word. */
export type Tone = "success" | "warning" | "danger" | "info" | "neutral"

/** How one status of the API is shown. */
export interface StatusLook {
  label: string
  tone: Tone
  icon: LucideIcon
  /** Something is being done: the icon turns. */
  busy: boolean
}

/** The statuses of a store, as the database's check constraint holds them. */
export type StoreStatus = "provisioning" | "ready" | "failed" | "deleting" | "deleted"

/** The statuses of an operation's step, as the database's check constraint holds them. */
export type StepStatus =
  | "pending"
  | "running"
  | "waiting"
  | "succeeded"
  | "failed"
  | "skipped"
  | "undoing"
  | "undone"
  | "undo_failed"

const storeLooks: Record<StoreStatus, StatusLook> = {
  provisioning: { label: "Provisioning", tone: "warning", icon: LoaderCircle, busy: true },
  ready: { label: "Ready", tone: "success", icon: CheckCircle2, busy: false },
  failed: { label: "Failed", tone: "danger", icon: OctagonAlert, busy: false },
  deleting: { label: "Deleting", tone: "neutral", icon: Trash2, busy: false },
  deleted: { label: "Deleted", tone: "neutral", icon: Trash2, busy: false },
}

const stepLooks: Record<StepStatus, StatusLook> = {
  pending: { label: "Pending", tone: "neutral", icon: CircleDashed, busy: false },
  running: { label: "Running", tone: "warning", icon: LoaderCircle, busy: true },
  waiting: { label: "Waiting", tone: "warning", icon: LoaderCircle, busy: true },
  succeeded: { label: "Done", tone: "success", icon: CheckCircle2, busy: false },
  failed: { label: "Failed", tone: "danger", icon: OctagonAlert, busy: false },
  skipped: { label: "Skipped", tone: "neutral", icon: CircleSlash, busy: false },
  undoing: { label: "Undoing", tone: "warning", icon: LoaderCircle, busy: true },
  undone: { label: "Undone", tone: "neutral", icon: Undo2, busy: false },
  undo_failed: { label: "Undo failed", tone: "danger", icon: OctagonAlert, busy: false },
}

function unknown(status: string): StatusLook {
  return { label: status, tone: "neutral", icon: CircleDashed, busy: false }
}

/** The look of a store's status; one that this portal does not know is shown by its raw word. */
export function storeStatusLook(status: string): StatusLook {
  return Object.hasOwn(storeLooks, status) ? storeLooks[status as StoreStatus] : unknown(status)
}

/** The look of a step's status; one that this portal does not know is shown by its raw word. */
export function stepStatusLook(status: string): StatusLook {
  return Object.hasOwn(stepLooks, status) ? stepLooks[status as StepStatus] : unknown(status)
}
