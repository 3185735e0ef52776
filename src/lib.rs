//! NorthStack: a platform-as-a-service control plane behind one live GraphQL API.
//!
//! The rooms and what each may use are listed in `docs/architecture.md`; the test
//! `rooms` in `tests/it` holds every `crate::<room>` use against that table.

pub mod app;
pub mod auth;
pub mod bus;
pub mod cache;
pub mod cli;
pub mod config;
pub mod db;
pub mod dev;
pub mod domain;
pub mod http;
pub mod vendors;
pub mod workflow;

pub use northstack_engine as engine;
#[cfg(feature = "dev")]
pub use northstack_sim as sim;
