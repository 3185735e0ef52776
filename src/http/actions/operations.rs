//! retryOperation, cancelOperation.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Action;
use crate::http::{ActionResult, AppState};

/// Arguments of both.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OperationInput {
    id: Uuid,
}

/// The GraphQL type `OperationResult`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OperationOutput {
    operation_id: Uuid,
}

/// `retryOperation`
pub async fn retry(State(state): State<AppState>, action: Action<OperationInput>) -> ActionResult<OperationOutput> {
    let operation_id = state.app.retry_operation(&action.caller, action.input.id).await?;
    Ok(Json(OperationOutput { operation_id }))
}

/// `cancelOperation`
pub async fn cancel(State(state): State<AppState>, action: Action<OperationInput>) -> ActionResult<OperationOutput> {
    let operation_id = state.app.cancel_operation(&action.caller, action.input.id).await?;
    Ok(Json(OperationOutput { operation_id }))
}
