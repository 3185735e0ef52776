//! Every route of the service, in one list: method, path, who may call it, and what answers.
//!
//! The router is made from this list and from nothing else, and the guard of each route from its [`Access`]:
//! a route that says nothing about its callers cannot be written.

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::handler::Handler;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter, any, on};

use http_body_util::Limited;
use tower_http::limit::RequestBodyLimitLayer;

use super::actions::{
    applications, deployments, identity, operations, previews, secrets, stores as store_actions, variables,
};
use super::edge::{self, alias, backend};
use super::state::Face;
use super::{
    ActionError, AppState, RestError, auth, event_stream, events, extract, health, openapi, pages, remote_schema,
    session, stores,
};
use crate::auth::same_secret;
use crate::domain::{Code, Error};

/// The header that Hasura shows with every action, event delivery and remote-schema request.
pub const ACTION_SECRET_HEADER: &str = "x-northstack-action-secret";

/// Most bytes that the engine may hand on: a row before and after a change, with all of its columns.
const INTERNAL_BODY_LIMIT: usize = 64 * 1024 * 1024;

/// Who may call a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anybody.
    Public,
    /// A person, by bearer access token; the handler finds them in [`crate::app::Caller`].
    SignedIn,
    /// Hasura or the embedded engine, by the shared secret in [`ACTION_SECRET_HEADER`].
    Hasura,
    /// Whomever the GraphQL engine admits: it authenticates and applies its roles' permissions itself.
    Engine,
    /// Whoever reaches the listener of metrics (`server.metrics_port`); the public listeners have no such route.
    Internal,
}

/// One route.
pub struct Route {
    /// The method; `None` for every method.
    pub method: Option<Method>,
    /// The path, with axum's `{parameter}` and `{*rest}`.
    pub path: &'static str,
    /// Who may call it.
    pub access: Access,
    handler: MethodRouter<AppState>,
}

/// Every route.
pub fn routes() -> Vec<Route> {
    use Access::{Engine, Hasura, Internal, Public, SignedIn};
    vec![
        // Health, metrics and keys.
        get("/health", Public, health::health),
        get("/health/live", Public, health::live),
        get("/health/ready", Public, health::ready),
        get("/metrics", Internal, health::metrics),
        get("/.well-known/jwks.json", Public, health::jwks),
        // Identity.
        post("/actions/register", Hasura, identity::register),
        post("/actions/login", Hasura, identity::login),
        post("/actions/refreshToken", Hasura, identity::refresh_token),
        post("/actions/logout", Hasura, identity::logout),
        post("/actions/me", Hasura, identity::me),
        post("/api/v1/auth/register", Public, auth::register),
        post("/api/v1/auth/login", Public, auth::login),
        post("/api/v1/auth/refresh", Public, auth::refresh),
        post("/api/v1/auth/logout", Public, auth::logout),
        get("/api/v1/auth/me", SignedIn, auth::me),
        // Applications and deployments.
        post("/actions/deployApplication", Hasura, deployments::deploy),
        post("/actions/rollbackDeployment", Hasura, deployments::rollback),
        post("/actions/promoteDeployment", Hasura, deployments::promote),
        post("/actions/abortDeployment", Hasura, deployments::abort),
        post("/actions/compareRevisions", Hasura, deployments::compare),
        post("/actions/scaleApplication", Hasura, applications::scale),
        post("/actions/restartApplication", Hasura, applications::restart),
        post("/actions/startApplication", Hasura, applications::start),
        post("/actions/stopApplication", Hasura, applications::stop),
        post("/actions/deleteApplication", Hasura, applications::delete),
        post("/actions/createPreviewEnvironment", Hasura, previews::create),
        post("/actions/deletePreviewEnvironment", Hasura, previews::delete),
        post("/actions/setEnvironmentVariables", Hasura, variables::set),
        post("/actions/setSecret", Hasura, secrets::set),
        post("/actions/revealSecret", Hasura, secrets::reveal),
        post("/actions/deleteSecret", Hasura, secrets::delete),
        // Stores and operations.
        post("/actions/createStore", Hasura, store_actions::create),
        post("/actions/retryStore", Hasura, store_actions::retry),
        post("/actions/deleteStore", Hasura, store_actions::delete),
        post("/actions/revealStoreCredentials", Hasura, store_actions::reveal_credentials),
        post("/actions/retryOperation", Hasura, operations::retry),
        post("/actions/cancelOperation", Hasura, operations::cancel),
        get("/api/stores", SignedIn, stores::list),
        post("/api/stores", SignedIn, stores::create),
        get("/api/stores/{id}", SignedIn, stores::show),
        delete("/api/stores/{id}", SignedIn, stores::delete),
        get("/api/metrics", SignedIn, stores::metrics),
        // Events as they come.
        get("/api/v1/events/stream", SignedIn, event_stream::follow),
        // Row changes, and the part of the graph that is not in the database.
        post("/events/{trigger}", Hasura, events::deliver),
        post("/graphql", Hasura, remote_schema::answer),
        // GraphQL and its REST endpoints: the embedded engine or Hasura.
        all("/v1/graphql", Engine, backend::forward),
        all("/v1/graphql/explain", Engine, backend::forward),
        all("/v1alpha1/graphql", Engine, backend::forward),
        all("/v1/metadata", Engine, backend::forward),
        all("/v2/query", Engine, backend::forward),
        all("/v1/version", Engine, backend::forward),
        all("/healthz", Engine, backend::forward),
        all("/api/swagger/json", Engine, backend::forward),
        all("/api/rest/{*endpoint}", Engine, backend::forward),
        all("/api/v1/{*endpoint}", Engine, alias::forward),
        get("/api/openapi.json", SignedIn, openapi::document),
        // Pages: the API explorer, and what it and the portal are made of.
        get("/", Public, pages::home),
        get("/explorer", Public, pages::explorer),
        get("/assets/{*file}", Public, pages::asset),
        get("/favicon.svg", Public, pages::asset),
    ]
}

fn route<H, T>(method: Method, filter: MethodFilter, path: &'static str, access: Access, handler: H) -> Route
where
    H: Handler<T, AppState>,
    T: 'static,
{
    Route { method: Some(method), path, access, handler: on(filter, handler) }
}

fn get<H: Handler<T, AppState>, T: 'static>(path: &'static str, access: Access, handler: H) -> Route {
    route(Method::GET, MethodFilter::GET, path, access, handler)
}

fn post<H: Handler<T, AppState>, T: 'static>(path: &'static str, access: Access, handler: H) -> Route {
    route(Method::POST, MethodFilter::POST, path, access, handler)
}

fn delete<H: Handler<T, AppState>, T: 'static>(path: &'static str, access: Access, handler: H) -> Route {
    route(Method::DELETE, MethodFilter::DELETE, path, access, handler)
}

fn all<H: Handler<T, AppState>, T: 'static>(path: &'static str, access: Access, handler: H) -> Route {
    Route { method: None, path, access, handler: any(handler) }
}

/// The service: every route behind its guard, and the edge around all of them.
pub fn router(state: AppState) -> Router {
    let state = AppState { face: Face::Api, ..state };
    edge::around(guarded_routes(&state, public).fallback(async || pages::unknown()), &state)
}

/// The same with the portal's pages beside it, under one origin.
pub fn portal(state: AppState) -> Router {
    let state = AppState { face: Face::Portal, ..state };
    edge::around(guarded_routes(&state, public).fallback(pages::file), &state)
}

/// What operators' tools ask for, apart from everybody's: the listener of `server.metrics_port`.
pub fn internal(state: AppState) -> Router {
    edge::around(guarded_routes(&state, |access| !public(access)).fallback(async || pages::unknown()), &state)
}

fn public(access: Access) -> bool {
    access != Access::Internal
}

fn guarded_routes(state: &AppState, listed: fn(Access) -> bool) -> Router {
    let mut router = Router::new();
    for Route { path, access, handler, .. } in routes().into_iter().filter(|route| listed(route.access)) {
        router = router.route(path, guarded(path, handler, access, state));
    }
    let router = router.method_not_allowed_fallback(|| async {
        let error = Error::invalid("method", "that route does not take that method");
        RestError::with_status(error, StatusCode::METHOD_NOT_ALLOWED)
    });
    router.with_state(state.clone())
}

fn guarded(path: &str, handler: MethodRouter<AppState>, access: Access, state: &AppState) -> MethodRouter<AppState> {
    let limited = |handler: MethodRouter<AppState>| {
        handler.route_layer(middleware::from_fn_with_state(state.clone(), edge::limits::limit))
    };
    // What the engine hands on was within the public limit when it came, and is a row or an action's whole call now.
    let most = match access {
        // Of the engine's callers the administrator alone may send so much, see `know_the_caller`.
        Access::Hasura | Access::Engine => INTERNAL_BODY_LIMIT.max(state.settings.body_limit),
        Access::Public | Access::SignedIn | Access::Internal => state.settings.body_limit,
    };
    let handler: MethodRouter<AppState> = handler.layer(RequestBodyLimitLayer::new(most));
    match access {
        Access::Public if path.starts_with("/api/") => limited(handler),
        Access::Public | Access::Internal => handler,
        // Routes of every method: `route_layer` would cover none of them.
        Access::Engine => handler
            .layer(middleware::from_fn_with_state(state.clone(), session::require_open))
            .layer(middleware::from_fn_with_state(state.clone(), edge::limits::limit))
            .layer(middleware::from_fn_with_state(state.clone(), know_the_caller)),
        Access::SignedIn => limited(handler).route_layer(middleware::from_fn_with_state(state.clone(), require_bearer)),
        Access::Hasura => handler.route_layer(middleware::from_fn_with_state(state.clone(), require_secret)),
    }
}

async fn require_bearer(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    match session::bearer(&state, &parts).await {
        Ok(signed_in) => {
            parts.extensions.insert(signed_in);
            next.run(Request::from_parts(parts, body)).await
        }
        Err(error) => {
            let request = Request::from_parts(parts, body);
            let limited = edge::limits::unwelcome(&state, &request).await;
            limited.unwrap_or_else(|| RestError::from(error).into_response())
        }
    }
}

/// Finds out by whose limit a request to the engine counts: a user's, or an address's. The engine authenticates by itself.
/// Who shows the administrator's secret has no limit, and may send bodies as large as Hasura does.
async fn know_the_caller(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    if is_admin(&state, &parts.headers) {
        parts.extensions.insert(edge::limits::Unlimited);
        return next.run(Request::from_parts(parts, body)).await;
    }
    if let Ok(signed_in) = extract::bearer(&state, &parts) {
        parts.extensions.insert(signed_in);
    }
    let most = state.settings.body_limit;
    let said = parts.headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if said.is_some_and(|length| length > most) {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    }
    next.run(Request::from_parts(parts, Body::new(Limited::new(body, most)))).await
}

fn is_admin(state: &AppState, headers: &HeaderMap) -> bool {
    let given = ["x-hasura-admin-secret", "x-hasura-access-key"].iter().find_map(|name| headers.get(*name));
    given.is_some_and(|given| {
        let right = state
            .settings
            .admin_secrets
            .iter()
            .filter(|secret| same_secret(given.as_bytes(), secret.expose().as_bytes()));
        right.count() > 0
    })
}

async fn require_secret(State(state): State<AppState>, request: Request, next: Next) -> Response {
    if has_action_secret(&state, request.headers()) {
        return next.run(request).await;
    }
    if let Some(limited) = edge::limits::unwelcome(&state, &request).await {
        return limited;
    }
    let message = format!("this route answers Hasura only, by the header {ACTION_SECRET_HEADER}");
    ActionError(Error::new(Code::Unauthenticated, message)).into_response()
}

/// Whether the request shows an action secret. Without a configured secret none is right.
pub(super) fn has_action_secret(state: &AppState, headers: &HeaderMap) -> bool {
    let mut given = headers.get_all(ACTION_SECRET_HEADER).iter();
    match (given.next(), given.next()) {
        (Some(given), None) => {
            let expected = state.settings.action_secrets.iter().map(|secret| secret.expose().as_bytes());
            // Each is compared, so that the time taken does not tell which one was right.
            let right =
                expected.filter(|secret| !secret.is_empty()).filter(|secret| same_secret(given.as_bytes(), secret));
            right.count() > 0
        }
        _ => false,
    }
}
