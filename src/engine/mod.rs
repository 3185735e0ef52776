//! The embedded Hasura-compatible engine: `metadata` → `schema` → `plan` → `sql` → `execute` → `subscriptions`.

pub mod actions;
pub mod auth;
pub mod callers;
pub mod catalog;
pub mod error;
pub mod events;
pub mod metadata;
mod metadata_api;
pub mod options;
pub mod outbound;
pub mod remote;
pub mod request;
mod rest;
pub mod schema;
pub mod server;
pub mod session;
pub mod subscriptions;

pub use callers::{ActionAnswer, ActionCall, Callers, NoCallers, Pending, RemoteCall, RequestContext};
pub use error::{ErrorCode, GraphqlError};
pub use options::{EngineOptions, Limits, MetadataSource};
pub use request::Request;
pub use session::Session;
