//! Delivery to webhooks. Event triggers, schedules and asynchronous actions are its sources: each claims what is due
//! from its own table and writes down there what came of it. [`Queue`] is the loop that has them do so; [`Target`] makes
//! the requests of triggers and events, which are tried again as [`Retries`] says. Actions make their own, and once only.

mod outcome;
mod queue;
mod send;
mod target;

pub(crate) use outcome::{Log, LogFormat, Next, Outcome, Retries};
pub(crate) use queue::{Found, LEASE_SLACK, Look, Pace, Queue, Slot, Source};
pub(crate) use target::{Settings, Target};
