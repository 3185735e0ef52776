//! Clients of the systems that NorthStack drives, over one guarded HTTP client.

pub mod hasura;
