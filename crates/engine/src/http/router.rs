//! The routes.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{any, get};

use super::{explain, graphql, health, metadata_api, request, respond, rest, socket};
use crate::error::{ErrorCode, GraphqlError};
use crate::outbound::caller::REQUEST_ID;
use crate::serving::Surface;

/// Every route of the engine.
pub fn router(surface: Arc<Surface>) -> Router {
    Router::new()
        .route("/v1/graphql", any(graphql_endpoint))
        .route("/v1alpha1/graphql", any(older_graphql_endpoint))
        .route("/v1/graphql/explain", any(explain_endpoint))
        .route("/v1/metadata", any(metadata_endpoint))
        .route("/v2/query", any(query_endpoint))
        .route("/v1/query", any(query_endpoint))
        .route("/v1/version", get(health::version))
        .route("/v1alpha1/config", get(health::config))
        .route("/healthz", get(health::healthz))
        .route("/hasura/healthz", get(health::healthz))
        .route("/api/swagger/json", get(swagger_endpoint))
        .route("/api/rest/{*path}", any(rest_endpoint))
        .fallback(|| async { respond::api_error(&missing(), false) })
        .method_not_allowed_fallback(|| async { respond::api_error(&wrong_method(), false) })
        .layer(middleware::from_fn(with_request_id))
        .with_state(surface)
}

fn missing() -> GraphqlError {
    GraphqlError::new(ErrorCode::NotFound, "resource does not exist")
}

fn wrong_method() -> GraphqlError {
    GraphqlError::new(ErrorCode::MethodNotAllowed, "this resource does not take that method").with_status(405)
}

/// Each request is known by an id, the client's or a new one, which goes along to webhooks and comes back.
async fn with_request_id(mut request: Request, next: Next) -> Response {
    let id = match request.headers().get(REQUEST_ID) {
        Some(id) => id.clone(),
        None => {
            let id = uuid::Builder::from_random_bytes(rand::random()).into_uuid();
            let id = HeaderValue::from_str(&id.to_string()).unwrap_or_else(|_| HeaderValue::from_static("-"));
            request.headers_mut().insert(REQUEST_ID, id.clone());
            id
        }
    };
    let mut response = next.run(request).await;
    response.headers_mut().insert(REQUEST_ID, id);
    response
}

async fn graphql_endpoint(State(surface): State<Arc<Surface>>, request: Request) -> Response {
    graphql_at(surface, request, false).await
}

async fn older_graphql_endpoint(State(surface): State<Arc<Surface>>, request: Request) -> Response {
    graphql_at(surface, request, true).await
}

async fn graphql_at(surface: Arc<Surface>, request: Request, statuses: bool) -> Response {
    match *request.method() {
        Method::POST => {
            let (parts, body) = request.into_parts();
            match read(&surface, body).await {
                Ok(body) => graphql::post(&surface, Arc::new(parts.headers), &body, statuses).await,
                Err(response) => response,
            }
        }
        Method::GET => {
            let (mut parts, _) = request.into_parts();
            match WebSocketUpgrade::from_request_parts(&mut parts, &()).await {
                Ok(upgrade) => socket::upgrade(surface, upgrade, parts),
                Err(_) => {
                    let error = request::persisted_query();
                    let status = if statuses { error.http_status() } else { 200 };
                    respond::json(status, graphql::error_body(&surface, None, &error))
                }
            }
        }
        _ => respond::api_error(&wrong_method(), false),
    }
}

async fn read(surface: &Surface, body: Body) -> Result<axum::body::Bytes, Response> {
    to_bytes(body, surface.limits.sizes.body).await.map_err(|_| {
        let message = format!("the request body is longer than {} bytes, or was cut off", surface.limits.sizes.body);
        respond::api_error(&GraphqlError::new(ErrorCode::BadRequest, message).with_status(413), false)
    })
}

/// Headers and body of a request that must be a POST.
async fn posted(surface: &Surface, request: Request) -> Result<(HeaderMap, axum::body::Bytes), Response> {
    if request.method() != Method::POST {
        return Err(respond::api_error(&wrong_method(), false));
    }
    let (parts, body) = request.into_parts();
    Ok((parts.headers, read(surface, body).await?))
}

async fn metadata_endpoint(State(surface): State<Arc<Surface>>, request: Request) -> Response {
    api(surface, request, metadata_api::Endpoint::Metadata).await
}

async fn query_endpoint(State(surface): State<Arc<Surface>>, request: Request) -> Response {
    api(surface, request, metadata_api::Endpoint::Query).await
}

async fn api(surface: Arc<Surface>, request: Request, endpoint: metadata_api::Endpoint) -> Response {
    let (headers, body) = match posted(&surface, request).await {
        Ok(posted) => posted,
        Err(response) => return response,
    };
    let identity = match surface.auth.authenticator.authenticate(&headers).await {
        Ok(identity) => identity,
        Err(error) => return respond::api_error(&error, false),
    };
    match metadata_api::handle(&surface, &identity, endpoint, &body).await {
        Ok(value) => respond::value(&value),
        Err(error) => respond::api_error(&error, surface.shows_internals(Some(&identity.session))),
    }
}

async fn explain_endpoint(State(surface): State<Arc<Surface>>, request: Request) -> Response {
    let (headers, body) = match posted(&surface, request).await {
        Ok(posted) => posted,
        Err(response) => return response,
    };
    match explain::answer(&surface, &headers, &body).await {
        Ok(value) => respond::value(&value),
        Err(error) => respond::api_error(&error, true),
    }
}

async fn rest_endpoint(State(surface): State<Arc<Surface>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = match read(&surface, body).await {
        Ok(body) => body,
        Err(response) => return response,
    };
    rest::answer(&surface, &parts, &body).await
}

async fn swagger_endpoint(State(surface): State<Arc<Surface>>, request: Request) -> Response {
    match surface
        .auth
        .authenticator
        .authenticate(request.headers())
        .await
        .and_then(|identity| Surface::require_admin(&identity, "$", "You have to be an admin to access this endpoint"))
    {
        Ok(()) => respond::value(&rest::swagger(&surface.core.current().metadata)),
        Err(error) => respond::api_error(&error, false),
    }
}
