//! The service over HTTP: every route in one list, actions, event webhooks, remote schema, health.

pub mod actions;
pub mod auth;
mod cookie;
pub mod edge;
mod envelope;
mod error;
mod event_stream;
pub mod events;
mod extract;
mod health;
mod metrics;
mod openapi;
mod pages;
pub mod remote_schema;
pub mod router;
mod server;
mod session;
mod settings;
mod state;
mod stores;
mod streams;

pub use edge::Backend;
pub use envelope::Envelope;
pub use error::{ActionError, ActionResult, RestError, RestResult};
pub use extract::{Body, SignedIn, parse_json};
pub use metrics::install_recorder;
pub use router::{Access, internal, portal, router};
pub use server::serve;
pub use session::Sessions;
pub use settings::Settings;
pub use state::AppState;
