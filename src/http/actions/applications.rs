//! scaleApplication, restartApplication, startApplication, stopApplication, deleteApplication.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Action;
use crate::app::applications::{ApplicationOperation, NewSize};
use crate::http::{ActionResult, AppState};

/// Arguments of `scaleApplication`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ScaleInput {
    id: Uuid,
    replicas: Option<i64>,
    min_replicas: Option<i64>,
    max_replicas: Option<i64>,
    cpu_percent: Option<i64>,
    idempotency_key: Option<String>,
}

/// Arguments of the others.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApplicationInput {
    id: Uuid,
    idempotency_key: Option<String>,
}

/// The GraphQL type `ApplicationOperation`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ApplicationOutput {
    application_id: Uuid,
    operation_id: Uuid,
}

impl From<ApplicationOperation> for Json<ApplicationOutput> {
    fn from(made: ApplicationOperation) -> Self {
        Json(ApplicationOutput { application_id: made.application, operation_id: made.operation })
    }
}

/// `scaleApplication`
pub async fn scale(State(state): State<AppState>, action: Action<ScaleInput>) -> ActionResult<ApplicationOutput> {
    let ScaleInput { id, replicas, min_replicas, max_replicas, cpu_percent, idempotency_key } = action.input;
    let size = NewSize { replicas, min_replicas, max_replicas, cpu_percent };
    Ok(state.app.scale_application(&action.caller, id, &size, idempotency_key.as_deref()).await?.into())
}

/// `restartApplication`
pub async fn restart(
    State(state): State<AppState>,
    action: Action<ApplicationInput>,
) -> ActionResult<ApplicationOutput> {
    let ApplicationInput { id, idempotency_key } = action.input;
    Ok(state.app.restart_application(&action.caller, id, idempotency_key.as_deref()).await?.into())
}

/// `startApplication`
pub async fn start(State(state): State<AppState>, action: Action<ApplicationInput>) -> ActionResult<ApplicationOutput> {
    let ApplicationInput { id, idempotency_key } = action.input;
    Ok(state.app.start_application(&action.caller, id, idempotency_key.as_deref()).await?.into())
}

/// `stopApplication`
pub async fn stop(State(state): State<AppState>, action: Action<ApplicationInput>) -> ActionResult<ApplicationOutput> {
    let ApplicationInput { id, idempotency_key } = action.input;
    Ok(state.app.stop_application(&action.caller, id, idempotency_key.as_deref()).await?.into())
}

/// `deleteApplication`
pub async fn delete(
    State(state): State<AppState>,
    action: Action<ApplicationInput>,
) -> ActionResult<ApplicationOutput> {
    let ApplicationInput { id, idempotency_key } = action.input;
    Ok(state.app.delete_application(&action.caller, id, idempotency_key.as_deref()).await?.into())
}
