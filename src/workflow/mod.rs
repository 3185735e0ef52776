//! The durable runner: journal, leases, waits, retry, undo; and the flows.
//!
//! An operation is a row; a flow is the list of steps that carries it out. A [`Runner`] claims due operations under a
//! lease, does one step after the other, and writes each step's result before it begins the next. A step that waits
//! for the world gives the operation back, so that no task is held. Whatever happens to the process, the next claim
//! goes on from the journal; a step that was interrupted is done again, which is why each is idempotent.

pub mod faults;
pub mod flow;
pub mod flows;
pub mod nudge;
#[cfg(feature = "dev")]
pub mod testing;

mod control;
mod enqueue;
mod execute;
mod journal;
mod operator;
mod retry;
mod runner;
mod signal;
mod undo;

pub use control::{Control, Controlled};
pub use enqueue::{Enqueued, Idempotency, NewOperation, before, digest, enqueue, keep, used};
pub use faults::Faults;
pub use flow::{Flow, Limits, Progress, Registry, Step, StepContext, Transition};
pub use nudge::Nudge;
pub use operator::{Abandoned, abandon};
pub use runner::{Options, Runner};
pub use signal::{Signalled, signal};
