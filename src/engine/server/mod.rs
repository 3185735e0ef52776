//! The engine's HTTP and WebSocket surface.

mod allow_list;
mod backend;
pub(crate) mod graphql;
mod health;
pub(crate) mod request;
pub(crate) mod respond;
mod router;
mod runtime;
mod socket;
mod start;
mod surface;

pub use backend::{Answer, Backend, Current, Inconsistency, Outcome};
pub use router::router;
pub use start::SurfaceError;
pub use surface::{Surface, SurfaceLimits};
