//! Kubernetes by its API: server-side apply, reads, exec, and requests through a service. Nothing here knows whether
//! the server is real.

mod client;
mod ending;
mod error;
mod exec;
mod gateway;
mod health;
mod look;
mod object;
mod proxy;
mod watch;

pub use client::{Client, Source};
pub use ending::{ending, namespace_ending};
pub use error::translate;
pub use exec::{Command, Output};
pub use gateway::{BackendRef, HttpRoute, HttpRouteRule, HttpRouteSpec, ParentRef, RouteParent, Unserved};
pub use health::{Diagnosis, Readiness, Rollout, Trouble, diagnose, readiness, rolled_out, trouble};
pub use look::{LogQuery, PodUsage, Usage};
pub use object::Object;
pub use proxy::{Answer, Published};
pub use watch::Sight;

/// The field manager under which everything is applied.
pub const FIELD_MANAGER: &str = "northstack";
