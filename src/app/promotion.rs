//! Deployments that wait for a person: promote them, or give them up.

use serde_json::json;
use uuid::Uuid;

use super::deployments::DeploymentOperation;
use super::requests::Key;
use super::stores::audit_of;
use super::{App, Caller};
use crate::db::deployments::{self, Deployment};
use crate::db::operations::{self, Operation};
use crate::domain::workload::Strategy;
use crate::domain::{Code, DeploymentStatus, Error, Result, TeamRole};
use crate::workflow::flows::application::{PROMOTE, Stand};
use crate::workflow::signal;

impl App {
    /// Lets a paused deployment go on: a canary to its next share, or to all pods when `full`; blue and green to the
    /// switch. Doing it twice is doing it once.
    ///
    /// # Errors
    /// `not-found`, `forbidden`, `illegal-transition` for one that does not pause, `idempotency-conflict`.
    pub async fn promote_deployment(
        &self,
        caller: &Caller,
        id: Uuid,
        full: bool,
        key: Option<&str>,
    ) -> Result<DeploymentOperation> {
        let provisioning = self.provisioning()?;
        let key = Key::of(caller, key, "promoteDeployment", &json!({ "id": id, "full": full }))?;
        let (deployment, operation) = self.authorised_deployment(caller, id).await?;
        let kind = self
            .db
            .transaction(&audit_of(caller), async |mut tx| {
                // The worker writes under the operation's lock: what is read after it is what is waited for.
                operations::lock_open(&mut tx, &operation.subject_type, operation.subject_id).await?;
                if key.repeats(&mut tx, operation.id).await? {
                    return Ok(operation.kind.clone());
                }
                let now = deployments::find(&mut *tx, id).await?.ok_or_else(missing)?;
                if now.status != DeploymentStatus::Paused {
                    return Err(not_paused(&now, &operation));
                }
                let name = awaited(&now, full)?;
                let payload = json!({ "full": full });
                let (_, kind) = signal(&mut tx, operation.id, &name, &payload, caller.actor.user_id()).await?;
                Ok(kind)
            })
            .await?;
        provisioning.nudge.send(&kind);
        Ok(made(&deployment, &operation))
    }

    /// Ends a deployment that has not come to its end, or discards one that failed: the revision before serves alone
    /// again.
    ///
    /// # Errors
    /// `not-found`, `forbidden`, `illegal-transition` for one that has ended, `idempotency-conflict`.
    pub async fn abort_deployment(&self, caller: &Caller, id: Uuid, key: Option<&str>) -> Result<DeploymentOperation> {
        let key = Key::of(caller, key, "abortDeployment", &json!({ "id": id }))?;
        let (deployment, operation) = self.authorised_deployment(caller, id).await?;
        self.end_operation(caller, &operation, &key).await?;
        Ok(made(&deployment, &operation))
    }

    async fn authorised_deployment(&self, caller: &Caller, id: Uuid) -> Result<(Deployment, Operation)> {
        let deployment = deployments::find(self.db.pool(), id).await?.ok_or_else(missing)?;
        self.authorised_application(caller, deployment.application_id, TeamRole::Developer)
            .await
            .map_err(|error| if error.code() == Code::NotFound { missing() } else { error })?;
        let operation = match deployment.operation_id {
            Some(operation) => operations::find(self.db.pool(), operation).await?,
            None => None,
        };
        let operation =
            operation.ok_or_else(|| Error::new(Code::IllegalTransition, "no operation carries this deployment out"))?;
        Ok((deployment, operation))
    }
}

fn missing() -> Error {
    Error::not_found("deployment")
}

/// Why a deployment cannot be promoted, and what can be done with it instead.
fn not_paused(now: &Deployment, operation: &Operation) -> Error {
    let Deployment { revision, status, .. } = now;
    let what_then = match status {
        DeploymentStatus::Failed => format!(
            ": go on with it by retryOperation (northstack operations retry {}), or take it back by abortDeployment \
             (northstack abort)",
            operation.id
        ),
        DeploymentStatus::Queued => ": it has not begun yet".to_owned(),
        _ => String::new(),
    };
    let message = format!("revision {revision} is {status}; only a paused one can be promoted{what_then}");
    Error::new(Code::IllegalTransition, message)
}

fn made(deployment: &Deployment, operation: &Operation) -> DeploymentOperation {
    DeploymentOperation {
        application: deployment.application_id,
        deployment: deployment.id,
        operation: operation.id,
        supersedes: None,
    }
}

/// The signal that a paused deployment waits for.
fn awaited(deployment: &Deployment, full: bool) -> Result<String> {
    if Strategy::parse(&deployment.strategy)? != Strategy::Canary {
        return Ok(PROMOTE.to_owned());
    }
    let stand = deployment.progress.get("canary").cloned().unwrap_or_default();
    let stand: Stand =
        serde_json::from_value(stand).map_err(|source| Error::internal("read where a canary stands", source))?;
    Ok(if full { stand.full_signal() } else { stand.next_signal() })
}
