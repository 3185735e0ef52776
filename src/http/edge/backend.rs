//! Where GraphQL requests go: the engine in this process, or a Hasura elsewhere.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::HeaderName;
use axum::http::header::ACCEPT_ENCODING;
use axum::response::{IntoResponse, Response};
use tower::ServiceExt;

use super::proxy::Proxy;
use super::violations;
use crate::domain::Result;
use crate::http::{AppState, RestError, router};

/// The GraphQL backend.
#[derive(Clone)]
pub enum Backend {
    /// The embedded engine's router.
    Embedded(Router),
    /// A Hasura reached over HTTP.
    External(Arc<Proxy>),
}

impl Backend {
    /// A Hasura at `endpoint`, such as `http://hasura:8080`.
    pub fn external(endpoint: &str) -> Result<Self> {
        Ok(Self::External(Arc::new(Proxy::new(endpoint)?)))
    }

    pub(in crate::http) async fn answer(self, mut request: Request) -> Response {
        // What authenticates Hasura to us means nothing in the other direction.
        request.headers_mut().remove(HeaderName::from_static(router::ACTION_SECRET_HEADER));
        // The answer is read here, and compressed for the client after that.
        request.headers_mut().remove(ACCEPT_ENCODING);
        let response = match self {
            Self::Embedded(engine) => match engine.oneshot(request).await {
                Ok(response) => response.map(Body::new),
                Err(never) => match never {},
            },
            Self::External(proxy) => {
                proxy.forward(request).await.unwrap_or_else(|error| RestError::from(error).into_response())
            }
        };
        violations::in_words(response).await
    }
}

/// Passes the request on as it is.
pub async fn forward(State(state): State<AppState>, request: Request) -> Response {
    state.backend.answer(request).await
}
