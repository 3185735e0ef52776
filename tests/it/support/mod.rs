//! What every test may ask for: a private PostgreSQL, Redis and NATS shared by the whole run, and a database of its own.

mod fleet;
pub mod matrix;
mod pause;
mod servers;
mod service;
mod shared;
mod simulated;

pub use fleet::Fleet;
pub use pause::Pause;
pub use servers::{database, empty_database, servers};
pub use service::{ACTION_SECRET, Answer, Service, request};
pub use shared::shared_directory;
pub use simulated::{newest, order};
