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
pub mod catalog;
mod engine;
pub mod error;
pub mod events;
pub mod execute;
mod fault;
mod http;
pub mod json;
pub mod kriti;
pub mod metadata;
pub mod options;
pub mod outbound;
pub mod plan;
mod plan_cache;
pub mod remote;
pub mod request;
mod retry;
pub mod schedule;
pub mod schema;
pub mod server;
pub mod serving;
pub mod session;
pub mod sql;
mod state;
mod store;
pub mod subscriptions;
pub mod transform;
mod webhook;

pub use engine::Engine;
pub use error::{ErrorCode, GraphqlError};
pub use execute::{Executor, Response};
pub use fault::EngineError;
pub use options::{EngineOptions, Limits, MetadataSource};
pub use outbound::caller::{ActionAnswer, ActionCall, Callers, NoCallers, Pending, RemoteCall, RequestContext};
pub use request::Request;
pub use session::Session;
pub use state::State;
