//! Where GraphQL requests go: the engine in this process, or a Hasura elsewhere.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderName, Uri};
use axum::response::{IntoResponse, Response};
use tower::ServiceExt;

use super::proxy::Proxy;
use crate::domain::{Code, Error, Result};
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

    async fn answer(self, mut request: Request) -> Response {
        // What authenticates Hasura to us means nothing in the other direction.
        request.headers_mut().remove(HeaderName::from_static(router::ACTION_SECRET_HEADER));
        match self {
            Self::Embedded(engine) => match engine.oneshot(request).await {
                Ok(response) => response.map(Body::new),
                Err(never) => match never {},
            },
            Self::External(proxy) => {
                proxy.forward(request).await.unwrap_or_else(|error| RestError::from(error).into_response())
            }
        }
    }
}

/// Passes the request on as it is.
pub async fn forward(State(state): State<AppState>, request: Request) -> Response {
    state.backend.answer(request).await
}

/// `/api/v1/...` is Hasura's `/api/rest/v1/...`.
pub async fn forward_rest_alias(State(state): State<AppState>, mut request: Request) -> Response {
    match rest_uri(request.uri()) {
        Some(uri) => {
            *request.uri_mut() = uri;
            state.backend.answer(request).await
        }
        None => RestError::from(Error::new(Code::NotFound, "no such route")).into_response(),
    }
}

fn rest_uri(uri: &Uri) -> Option<Uri> {
    let rest = uri.path_and_query()?.as_str().strip_prefix("/api/v1/")?;
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(format!("/api/rest/v1/{rest}")).ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_alias_keeps_path_and_query() {
        let alias = |uri: &'static str| rest_uri(&Uri::from_static(uri)).map(|uri| uri.to_string());
        assert_eq!(alias("/api/v1/projects/1?limit=2&x=%2F").as_deref(), Some("/api/rest/v1/projects/1?limit=2&x=%2F"));
        assert_eq!(alias("/api/v2/projects"), None);
    }
}
