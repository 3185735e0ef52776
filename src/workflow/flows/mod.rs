//! The flows, one directory each.
