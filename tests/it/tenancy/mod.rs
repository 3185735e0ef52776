//! Who may do what in the database: the product's own metadata over its own schema, with the engine that serves it.

mod audited;
mod foreign_keys;
mod memberships;
mod rules;
mod secrets;
mod strangers;
mod world;
mod written;

pub use world::{World, refused};
