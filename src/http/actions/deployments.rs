//! deployApplication, rollbackDeployment, promoteDeployment, abortDeployment, compareRevisions.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Action;
use crate::app::deployments::{DeploymentOperation, NewDeployment, Rollback};
use crate::http::{ActionResult, AppState};

/// Arguments of `deployApplication`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeployInput {
    id: Uuid,
    image: Option<String>,
    commit: Option<String>,
    strategy: Option<String>,
    idempotency_key: Option<String>,
}

/// Arguments of `rollbackDeployment`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RollbackInput {
    application_id: Uuid,
    revision: Option<i32>,
    idempotency_key: Option<String>,
}

/// Arguments of `promoteDeployment`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PromoteInput {
    id: Uuid,
    full: Option<bool>,
    idempotency_key: Option<String>,
}

/// Arguments of `abortDeployment`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AbortInput {
    id: Uuid,
    idempotency_key: Option<String>,
}

/// Arguments of `compareRevisions`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CompareInput {
    application_id: Uuid,
    from: i32,
    to: i32,
}

/// The GraphQL type `DeploymentOperation`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeploymentOutput {
    application_id: Uuid,
    deployment_id: Uuid,
    operation_id: Uuid,
    supersedes: Option<i32>,
}

impl From<DeploymentOperation> for DeploymentOutput {
    fn from(made: DeploymentOperation) -> Self {
        let DeploymentOperation { application, deployment, operation, supersedes } = made;
        Self { application_id: application, deployment_id: deployment, operation_id: operation, supersedes }
    }
}

/// The GraphQL type `RollbackResult`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RollbackOutput {
    #[serde(flatten)]
    deployment: DeploymentOutput,
    restores: i32,
    not_restored: Vec<String>,
}

impl From<Rollback> for RollbackOutput {
    fn from(made: Rollback) -> Self {
        Self { deployment: made.deployment.into(), restores: made.revision, not_restored: made.not_restored }
    }
}

/// The GraphQL type `RevisionComparison`.
#[derive(Debug, Serialize)]
pub struct ComparisonOutput {
    changes: Vec<ChangeOutput>,
}

/// The GraphQL type `RevisionChange`.
#[derive(Debug, Serialize)]
struct ChangeOutput {
    field: String,
    from: Option<String>,
    to: Option<String>,
}

/// `deployApplication`
pub async fn deploy(State(state): State<AppState>, action: Action<DeployInput>) -> ActionResult<DeploymentOutput> {
    let DeployInput { id, image, commit, strategy, idempotency_key } = action.input;
    let new = NewDeployment { image, commit, strategy, build: None };
    let made = state.app.deploy_application(&action.caller, id, &new, idempotency_key.as_deref()).await?;
    Ok(Json(made.into()))
}

/// `rollbackDeployment`
pub async fn rollback(State(state): State<AppState>, action: Action<RollbackInput>) -> ActionResult<RollbackOutput> {
    let RollbackInput { application_id, revision, idempotency_key } = action.input;
    let app = &state.app;
    let made = app.rollback_deployment(&action.caller, application_id, revision, idempotency_key.as_deref()).await?;
    Ok(Json(made.into()))
}

/// `promoteDeployment`
pub async fn promote(State(state): State<AppState>, action: Action<PromoteInput>) -> ActionResult<DeploymentOutput> {
    let PromoteInput { id, full, idempotency_key } = action.input;
    let (app, full, key) = (&state.app, full.unwrap_or(false), idempotency_key.as_deref());
    Ok(Json(app.promote_deployment(&action.caller, id, full, key).await?.into()))
}

/// `abortDeployment`
pub async fn abort(State(state): State<AppState>, action: Action<AbortInput>) -> ActionResult<DeploymentOutput> {
    let AbortInput { id, idempotency_key } = action.input;
    Ok(Json(state.app.abort_deployment(&action.caller, id, idempotency_key.as_deref()).await?.into()))
}

/// `compareRevisions`
pub async fn compare(State(state): State<AppState>, action: Action<CompareInput>) -> ActionResult<ComparisonOutput> {
    let CompareInput { application_id, from, to } = action.input;
    let changes = state.app.compare_revisions(&action.caller, application_id, from, to).await?;
    let changes = changes.into_iter().map(|it| ChangeOutput { field: it.field, from: it.from, to: it.to }).collect();
    Ok(Json(ComparisonOutput { changes }))
}
