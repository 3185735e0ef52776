//! The durable runner, over a toy flow and real PostgreSQL.

mod crash;
mod fairness;
mod lanes;
pub mod operators;
pub mod processes;
pub mod runner;
mod script;
mod signals;
mod toy;

pub use toy::{Toy, World};
