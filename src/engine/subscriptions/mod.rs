//! Live queries and streams: cohorts that share one statement, and the change feed that wakes them.

pub mod feed;
