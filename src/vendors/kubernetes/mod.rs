//! Kubernetes by its API: server-side apply, reads, exec, and requests through a service. Nothing here knows whether
//! the server is real.

mod amount;
mod client;
mod ended;
mod ending;
mod error;
mod exec;
mod gateway;
mod health;
mod look;
mod object;
mod proxy;
mod said;
mod strangers;
mod trouble;
mod watch;

pub use amount::amount;
pub use client::{Client, Source};
pub use ending::{ending, namespace_ending};
pub use error::translate;
pub use exec::{Command, Output};
pub use gateway::{BackendRef, HttpRoute, HttpRouteRule, HttpRouteSpec, ParentRef, RouteParent, Unserved};
pub use health::{Readiness, Rollout, diagnose, readiness, rolled_out};
pub use look::{LogQuery, PodUsage, Usage, happened};
pub use object::Object;
pub use proxy::{Answer, Published};
pub use said::said;
pub use strangers::{Stranger, strangers};
pub use trouble::{Diagnosis, Trouble, container_trouble, over, trouble};
pub use watch::Sight;

/// The field manager under which everything is applied.
pub const FIELD_MANAGER: &str = "northstack";
