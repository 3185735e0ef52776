//! Applications: deployments, rollbacks, size and restarts, against the simulated cluster.

mod account;
mod at_once;
pub mod bench;
mod gapless;
mod gateway;
mod giving_way;
mod healing;
mod journey;
mod matrix;
mod previews;
mod real;
mod refusals;
mod removal;
mod repeated;
mod standing;
mod strategies;

pub use bench::Town;
