//! Stores: the use cases by both faces, and the flows against the simulated cluster.

mod bench;
mod journey;
mod refusals;
