//! retryOperation, cancelOperation.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Action;
use crate::http::{ActionResult, AppState};

/// Arguments of both.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OperationInput {
    id: Uuid,
    idempotency_key: Option<String>,
}

/// The GraphQL type `OperationResult`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OperationOutput {
    operation_id: Uuid,
}

/// `retryOperation`
pub async fn retry(State(state): State<AppState>, action: Action<OperationInput>) -> ActionResult<OperationOutput> {
    let OperationInput { id, idempotency_key } = action.input;
    let operation_id = state.app.retry_operation(&action.caller, id, idempotency_key.as_deref()).await?;
    Ok(Json(OperationOutput { operation_id }))
}

/// `cancelOperation`
pub async fn cancel(State(state): State<AppState>, action: Action<OperationInput>) -> ActionResult<OperationOutput> {
    let OperationInput { id, idempotency_key } = action.input;
    let operation_id = state.app.cancel_operation(&action.caller, id, idempotency_key.as_deref()).await?;
    Ok(Json(OperationOutput { operation_id }))
}
