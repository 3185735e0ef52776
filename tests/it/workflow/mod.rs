//! The durable runner, over a toy flow and real PostgreSQL.

mod crash;
mod fairness;
mod lanes;
mod operators;
mod processes;
mod runner;
mod script;
mod signals;
mod toy;

pub use toy::{Toy, World};
