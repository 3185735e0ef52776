//! Stores: the use cases by both faces, and the flows against the simulated cluster.

pub mod at_once;
mod background;
mod bench;
mod broken;
mod journey;
mod matrix;
mod names;
mod outage;
mod refusals;
mod walls;

pub use bench::Town;
