//! The durable runner, over a toy flow and real PostgreSQL.

mod crash;
mod runner;
mod toy;
