//! The local stack supervisor: private servers, readiness, seed data.
//!
//! [`servers`] starts PostgreSQL, Redis and NATS as private children on loopback; `northstack dev`
//! and the integration tests share it, so that what is tested is what runs. Without the feature `dev` a build can only
//! find the platform that another build runs.

#[cfg(feature = "dev")]
mod progress;
mod running;
#[cfg(feature = "dev")]
mod seed;
#[cfg(feature = "dev")]
pub mod servers;
#[cfg(feature = "dev")]
mod stack;
#[cfg(feature = "dev")]
mod state;

pub use running::{DIRECTORY_VARIABLE, directory, running};
#[cfg(feature = "dev")]
pub use {
    progress::Progress,
    seed::{Cluster, DEMO_APPLICATION, DEMO_EMAIL, DEMO_PASSWORD, seed},
    stack::{Stack, StackOptions},
    state::State,
};
