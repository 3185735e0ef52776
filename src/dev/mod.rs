//! The local stack supervisor: private servers, readiness, seed data.
//!
//! [`servers`] starts PostgreSQL, Redis and NATS as private children on loopback; `northstack dev`
//! and the integration tests share it, so that what is tested is what runs.

mod progress;
mod seed;
pub mod servers;
mod stack;
mod state;

pub use progress::Progress;
pub use seed::{Cluster, DEMO_APPLICATION, DEMO_EMAIL, DEMO_PASSWORD, seed};
pub use stack::{Stack, StackOptions};
pub use state::{DIRECTORY_VARIABLE, State, directory, running};
