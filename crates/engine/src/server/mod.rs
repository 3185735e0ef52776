//! The engine's HTTP and WebSocket surface.

mod admission;
mod allow_list;
mod backend;
mod core;
mod explain;
pub(crate) mod graphql;
mod health;
mod live;
mod planning;
mod rates;
pub(crate) mod request;
pub(crate) mod respond;
mod results;
mod router;
mod runtime;
mod socket;
mod start;
mod surface;
mod turns;
mod windows;

pub use admission::{Admission, Wording};
pub use backend::{Accept, Answer, Backend, Current, Outcome, SubscriptionPlan};
pub use core::{Server, ServerError};
pub use rates::{OperationRates, RateSource};
pub use router::router;
pub use start::SurfaceError;
pub use surface::{Surface, SurfaceLimits};
pub use turns::TurnLimits;
