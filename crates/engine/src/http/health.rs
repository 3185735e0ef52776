//! Health, version and configuration.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;

use super::respond;
use crate::outbound::VERSION;
use crate::serving::Surface;

#[derive(Deserialize)]
pub(super) struct HealthQuery {
    strict: Option<String>,
}

/// `GET /healthz`: whether the database answers and the metadata is consistent.
pub(super) async fn healthz(State(surface): State<Arc<Surface>>, Query(query): Query<HealthQuery>) -> Response {
    let asked = tokio::time::timeout(
        Duration::from_secs(5),
        sqlx::query_scalar::<_, i32>("select 1").fetch_one(surface.core.pool()),
    );
    if !matches!(asked.await, Ok(Ok(_))) {
        return respond::text(500, "ERROR");
    }
    let consistent = surface.core.current().inconsistencies.is_empty();
    match (consistent, query.strict.as_deref()) {
        (true, _) => respond::text(200, "OK"),
        (false, Some("true")) => respond::text(500, "ERROR: inconsistent objects in schema"),
        (false, _) => respond::text(200, "WARN: inconsistent objects in schema"),
    }
}

/// `GET /v1/version`.
pub(super) async fn version() -> Response {
    respond::value(&json!({"server_type": "ce", "version": VERSION}))
}

/// `GET /v1alpha1/config`, which the console and the CLI ask.
pub(super) async fn config(State(surface): State<Arc<Surface>>, headers: HeaderMap) -> Response {
    let admin = match surface.auth.authenticator.authenticate(&headers).await {
        Ok(identity) => Surface::require_admin(&identity, "$", "You have to be an admin to access this endpoint"),
        Err(error) => Err(error),
    };
    if let Err(error) = admin {
        return respond::api_error(&error, false);
    }
    let refetch = json!({"batch_size": 100, "refetch_delay": 1});
    respond::value(&json!({
        "version": VERSION,
        "is_function_permissions_inferred": surface.options.infer_function_permissions,
        "is_remote_schema_permissions_enabled": surface.options.remote_schema_permissions,
        "is_admin_secret_set": surface.auth.authenticator.has_admin_secret(),
        "is_auth_hook_set": false,
        "is_jwt_set": !surface.auth.authenticator.verifiers().is_empty(),
        "jwt": [],
        "is_allow_list_enabled": surface.options.allow_list,
        "live_queries": refetch,
        "streaming_queries": refetch,
        "console_assets_dir": null,
        "experimental_features": [],
        "is_prometheus_metrics_enabled": false,
        "default_naming_convention": "hasura-default",
    }))
}
