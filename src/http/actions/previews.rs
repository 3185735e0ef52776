//! createPreviewEnvironment, deletePreviewEnvironment.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Action;
use crate::app::previews::{NewPreview, PreviewOperation};
use crate::http::{ActionResult, AppState};

/// Arguments of `createPreviewEnvironment`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateInput {
    application_id: Uuid,
    name: String,
    branch: Option<String>,
    pull_request: Option<i32>,
    image: Option<String>,
    replicas: Option<i64>,
    variables: Option<BTreeMap<String, String>>,
    ttl_seconds: Option<i64>,
    idempotency_key: Option<String>,
}

/// Arguments of `deletePreviewEnvironment`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeleteInput {
    id: Uuid,
    idempotency_key: Option<String>,
}

/// The GraphQL type `PreviewOperation`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PreviewOutput {
    preview_environment_id: Uuid,
    operation_id: Uuid,
}

impl From<PreviewOperation> for Json<PreviewOutput> {
    fn from(made: PreviewOperation) -> Self {
        Json(PreviewOutput { preview_environment_id: made.preview, operation_id: made.operation })
    }
}

/// `createPreviewEnvironment`
pub async fn create(State(state): State<AppState>, action: Action<CreateInput>) -> ActionResult<PreviewOutput> {
    let input = action.input;
    let new = NewPreview {
        name: input.name,
        branch: input.branch,
        pull_request: input.pull_request,
        image: input.image,
        replicas: input.replicas,
        variables: input.variables.unwrap_or_default(),
        ttl_seconds: input.ttl_seconds,
    };
    let key = input.idempotency_key.as_deref();
    Ok(state.app.create_preview(&action.caller, input.application_id, &new, key).await?.into())
}

/// `deletePreviewEnvironment`
pub async fn delete(State(state): State<AppState>, action: Action<DeleteInput>) -> ActionResult<PreviewOutput> {
    let DeleteInput { id, idempotency_key } = action.input;
    Ok(state.app.delete_preview(&action.caller, id, idempotency_key.as_deref()).await?.into())
}
