//! Stores: the use cases by both faces, and the flows against the simulated cluster.

mod background;
mod bench;
mod journey;
mod matrix;
mod refusals;

pub use bench::Town;
