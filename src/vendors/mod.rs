//! Clients of the systems that NorthStack drives, over one guarded HTTP client.

mod error;
pub mod hasura;
pub mod kubernetes;

pub use error::{Error, Result};
