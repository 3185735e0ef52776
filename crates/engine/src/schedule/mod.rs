//! Webhooks by time: cron triggers and one-off scheduled events, as Hasura's.
//!
//! The tables are Hasura's (`hdb_catalog`), with a column more (`locked`) that ends the claim of an instance that was
//! killed. Events of a cron trigger are written ahead; whoever claims a due event with `SKIP LOCKED` delivers it.

mod admin;
mod catalog;
mod record;
mod source;
mod target;
mod times;
mod worker;

use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;

pub use admin::{Kind, NewEvent, Selection, create_event, delete_event, events, invocations};
pub use catalog::prepare;
pub use target::fault;
pub use times::{Schedule, ScheduleError};
pub use worker::Worker;

/// How schedules are kept.
#[derive(Clone)]
pub struct ScheduleOptions {
    /// How often the tables are looked at when nothing is known to fall due.
    pub poll: Duration,
    /// What the time is.
    pub clock: Clock,
}

/// Tells the time.
pub type Clock = Arc<dyn Fn() -> OffsetDateTime + Send + Sync>;

impl Default for ScheduleOptions {
    fn default() -> Self {
        Self { poll: Duration::from_secs(10), clock: Arc::new(OffsetDateTime::now_utc) }
    }
}
