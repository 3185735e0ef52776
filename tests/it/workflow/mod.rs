//! The durable runner, over a toy flow and real PostgreSQL.

mod crash;
mod fairness;
mod lanes;
mod runner;
mod script;
mod signals;
mod toy;
