//! Event triggers: changes captured by SQL triggers in the same transaction, delivered to webhooks at least once.
//!
//! The tables are Hasura's (`hdb_catalog`), with two columns more: `row_key` and `sequence` keep the events of one
//! row in order, also across several instances of the engine.

mod admin;
mod catalog;
mod deliver;
mod payload;
mod record;
mod source;
mod trace;
mod triggers;

pub use admin::{EventAdminError, event_by_id, event_logs, invocation_logs, invoke, redeliver};
pub use catalog::prepare;
pub use deliver::Deliverer;
pub use trace::trace_context;
pub use triggers::install;
pub(crate) use triggers::quote;

/// The channel on which the database tells that an event was written.
pub const CHANNEL: &str = "northstack_events";
