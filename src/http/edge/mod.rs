//! What surrounds every route: correlation, panics, limits, CORS, security headers, compression, and the way to GraphQL.

mod address;
pub mod alias;
pub mod backend;
mod correlation;
mod cors;
mod headers;
mod host;
pub(super) mod limits;
mod origin;
mod panic;
mod proxy;
pub(super) mod refusal;
mod timeout;
mod violations;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::{CompressionLayer, CompressionLevel};

use super::AppState;

pub use address::{CLIENT_ADDRESS_HEADER, CLIENT_DEVICE_HEADER, ClientAddress};
pub use backend::Backend;
pub use correlation::{CorrelationId, REQUEST_ID_HEADER};
pub use violations::error_in_words;

/// Wraps the routes; the first layer here is the nearest to them.
pub(super) fn around(router: Router, state: &AppState) -> Router {
    let settings = &state.settings;
    router
        .layer(DefaultBodyLimit::disable())
        .layer(middleware::from_fn(refusal::too_large))
        .layer(CatchPanicLayer::custom(panic::answer))
        .layer(middleware::from_fn_with_state(state.clone(), timeout::limit))
        .layer(CompressionLayer::new().quality(CompressionLevel::Fastest))
        .layer(middleware::from_fn_with_state(state.clone(), origin::guard))
        .layer(cors::layer(&settings.live))
        .layer(middleware::from_fn_with_state(state.clone(), host::guard))
        .layer(middleware::from_fn_with_state(state.clone(), headers::secure))
        .layer(middleware::from_fn_with_state(state.clone(), address::resolve))
        .layer(middleware::from_fn(correlation::follow))
}
