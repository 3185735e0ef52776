//! setSecret, revealSecret, deleteSecret.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Action;
use crate::app::secrets::NewSecret;
use crate::domain::Redacted;
use crate::http::{ActionError, ActionResult, AppState};

/// Arguments of `setSecret`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SetInput {
    id: Option<Uuid>,
    team_id: Option<Uuid>,
    application_id: Option<Uuid>,
    name: Option<String>,
    value: Redacted,
    idempotency_key: Option<String>,
}

/// Arguments of `revealSecret` and `deleteSecret`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretInput {
    id: Uuid,
}

/// The GraphQL type `SecretVersion`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SecretVersionOutput {
    secret_id: Uuid,
    version: i32,
}

/// The GraphQL type `DeletedSecret`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeletedSecretOutput {
    secret_id: Uuid,
}

/// The GraphQL type `RevealedSecret`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RevealedOutput<'a> {
    secret_id: Uuid,
    name: &'a str,
    version: i32,
    value: &'a str,
}

/// `setSecret`
pub async fn set(State(state): State<AppState>, action: Action<SetInput>) -> ActionResult<SecretVersionOutput> {
    let SetInput { id, team_id: team, application_id: application, name, value, idempotency_key } = action.input;
    let new = NewSecret { id, team, application, name, value, idempotency_key };
    let set = state.app.set_secret(&action.caller, &new).await?;
    Ok(Json(SecretVersionOutput { secret_id: set.id, version: set.version }))
}

/// `revealSecret`
pub async fn reveal(State(state): State<AppState>, action: Action<SecretInput>) -> Result<Response, ActionError> {
    let revealed = state.app.reveal_secret(&action.caller, action.input.id).await?;
    let output = RevealedOutput {
        secret_id: revealed.id,
        name: &revealed.name,
        version: revealed.version,
        value: revealed.value.expose(),
    };
    Ok(([(CACHE_CONTROL, HeaderValue::from_static("no-store"))], Json(output)).into_response())
}

/// `deleteSecret`
pub async fn delete(State(state): State<AppState>, action: Action<SecretInput>) -> ActionResult<DeletedSecretOutput> {
    state.app.delete_secret(&action.caller, action.input.id).await?;
    Ok(Json(DeletedSecretOutput { secret_id: action.input.id }))
}
