//! Live queries and streams: cohorts that share one statement, and the change feed that wakes them.

mod cohort;
pub mod feed;
mod hub;
mod pace;

pub use cohort::{Asked, Fetch, Fetched, Subscriber};
pub use hub::{Hub, HubOptions, Plan, Subscription};

#[cfg(test)]
mod tests;
