//! setEnvironmentVariables.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Action;
use crate::app::variables::NewVariables;
use crate::http::{ActionResult, AppState};

/// Arguments of `setEnvironmentVariables`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VariablesInput {
    application_id: Uuid,
    variables: Option<BTreeMap<String, Option<String>>>,
    secrets: Option<BTreeMap<String, String>>,
    replace: Option<bool>,
    idempotency_key: Option<String>,
}

/// The GraphQL type `VariablesResult`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VariablesOutput {
    application_id: Uuid,
    count: usize,
    removed: u64,
}

/// `setEnvironmentVariables`
pub async fn set(State(state): State<AppState>, action: Action<VariablesInput>) -> ActionResult<VariablesOutput> {
    let VariablesInput { application_id, variables, secrets, replace, idempotency_key } = action.input;
    let new = NewVariables {
        variables: variables.unwrap_or_default(),
        secrets: secrets.unwrap_or_default(),
        replace: replace.unwrap_or(false),
    };
    let key = idempotency_key.as_deref();
    let set = state.app.set_environment_variables(&action.caller, application_id, &new, key).await?;
    Ok(Json(VariablesOutput { application_id: set.application, count: set.count, removed: set.removed }))
}
