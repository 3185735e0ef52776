//! The embedded Hasura-compatible engine: `metadata` → `schema` → `plan` → `sql` → `execute` → `subscriptions`.
//!
//! [`Engine`] holds the current [`State`]; a request is planned against a state and run by the [`Executor`]:
//!
//! ```text
//! let state = engine.state();
//! let planned = state.plan(&session, &request)?;
//! let response = engine.executor().run(&context, &planned).await?;
//! ```

pub mod actions;
pub mod auth;
pub mod callers;
pub mod catalog;
pub mod error;
pub mod events;
pub mod execute;
pub mod json;
pub mod kriti;
pub mod metadata;
mod metadata_api;
pub mod options;
pub mod outbound;
pub mod plan;
mod plan_cache;
pub mod remote;
pub mod request;
mod rest;
pub mod schedule;
pub mod schema;
pub mod server;
pub mod session;
pub mod sql;
mod start;
mod state;
mod store;
pub mod subscriptions;
pub mod transform;
mod tries;
mod webhook;

pub use callers::{ActionAnswer, ActionCall, Callers, NoCallers, Pending, RemoteCall, RequestContext};
pub use error::{ErrorCode, GraphqlError};
pub use execute::{Executor, Response};
pub use options::{EngineOptions, Limits, MetadataSource};
pub use request::Request;
pub use session::Session;
pub use start::{Engine, EngineError};
pub use state::State;
