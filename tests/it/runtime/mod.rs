//! What is seen of running applications through the remote schema, against the simulated cluster.

mod seen;
pub mod town;
mod why;
