//! Applications: deployments, rollbacks, size and restarts, against the simulated cluster.

mod account;
mod at_once;
pub mod bench;
mod gateway;
mod giving_way;
mod journey;
mod matrix;
mod previews;
mod refusals;
mod removal;
mod repeated;
mod standing;
mod strategies;

pub use bench::Town;
