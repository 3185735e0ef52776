//! Applications: deployments, rollbacks, size and restarts, against the simulated cluster.

mod account;
mod at_once;
pub mod bench;
mod gateway;
mod journey;
mod matrix;
mod previews;
mod refusals;
mod repeated;
mod standing;
mod strategies;

pub use bench::Town;
