//! The flows, one directory each.

pub mod application;
pub mod store;
