//! createStore, retryStore, deleteStore, revealStoreCredentials.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Action;
use crate::app::stores::{NewStore, StoreOperation};
use crate::http::{ActionError, ActionResult, AppState};

/// Arguments of `createStore`; also the body of `POST /api/stores`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateInput {
    name: String,
    #[serde(rename = "type")]
    kind: Option<String>,
    team_id: Option<Uuid>,
    pub(in crate::http) idempotency_key: Option<String>,
}

impl From<CreateInput> for NewStore {
    fn from(input: CreateInput) -> Self {
        Self { name: input.name, kind: input.kind, team_id: input.team_id, idempotency_key: input.idempotency_key }
    }
}

/// Arguments of `retryStore` and `deleteStore`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StoreInput {
    id: Uuid,
    idempotency_key: Option<String>,
}

/// Arguments of `revealStoreCredentials`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevealInput {
    id: Uuid,
}

/// The GraphQL type `StoreOperation`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StoreOperationOutput {
    store_id: Uuid,
    operation_id: Uuid,
}

impl From<StoreOperation> for Json<StoreOperationOutput> {
    fn from(made: StoreOperation) -> Self {
        Json(StoreOperationOutput { store_id: made.store, operation_id: made.operation })
    }
}

/// The GraphQL type `StoreCredentials`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CredentialsOutput<'a> {
    username: &'a str,
    password: &'a str,
    admin_url: &'a str,
}

/// `createStore`
pub async fn create(State(state): State<AppState>, action: Action<CreateInput>) -> ActionResult<StoreOperationOutput> {
    Ok(state.app.create_store(&action.caller, &action.input.into()).await?.into())
}

/// `retryStore`
pub async fn retry(State(state): State<AppState>, action: Action<StoreInput>) -> ActionResult<StoreOperationOutput> {
    let StoreInput { id, idempotency_key } = action.input;
    Ok(state.app.retry_store(&action.caller, id, idempotency_key.as_deref()).await?.into())
}

/// `deleteStore`
pub async fn delete(State(state): State<AppState>, action: Action<StoreInput>) -> ActionResult<StoreOperationOutput> {
    let StoreInput { id, idempotency_key } = action.input;
    Ok(state.app.delete_store(&action.caller, id, idempotency_key.as_deref()).await?.into())
}

/// `revealStoreCredentials`
pub async fn reveal_credentials(
    State(state): State<AppState>,
    action: Action<RevealInput>,
) -> Result<Response, ActionError> {
    let revealed = state.app.reveal_store_credentials(&action.caller, action.input.id).await?;
    let output = CredentialsOutput {
        username: &revealed.username,
        password: revealed.password.expose(),
        admin_url: &revealed.admin_url,
    };
    Ok(([(CACHE_CONTROL, HeaderValue::from_static("no-store"))], Json(output)).into_response())
}
