//! The local stack supervisor: private servers, readiness, seed data.
//!
//! [`servers`] starts PostgreSQL, Redis and NATS as private children on loopback; `northstack dev`
//! and the integration tests share it, so that what is tested is what runs.

mod progress;
pub mod servers;
mod state;

pub use progress::Progress;
pub use state::State;
