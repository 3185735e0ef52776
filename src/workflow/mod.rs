//! The durable runner: journal, leases, waits, retry, undo; and the flows.

pub mod flows;
