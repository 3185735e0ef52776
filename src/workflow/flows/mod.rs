//! The flows, one directory each.

pub mod store;
