//! Operations of any kind: go on with a failed one, or end one and take back what it did. Who may is judged here; what an
//! operation allows is judged by [`Control`].

use serde_json::json;
use uuid::Uuid;

use super::removal::remove_copies;
use super::requests::Key;
use super::stores::audit_of;
use super::{App, Caller};
use crate::db::operations::{self, Operation};
use crate::domain::{Code, Error, Result, TeamRole};
use crate::workflow::flows::application::{delete, preview};
use crate::workflow::{Control, Controlled};

impl App {
    /// Goes on with a failed operation at the step that failed. One that is being worked on is left at that.
    ///
    /// # Errors
    /// `not-found`, `forbidden`, `illegal-transition` when it has not failed or a newer one took its place,
    /// `idempotency-conflict`.
    pub async fn retry_operation(&self, caller: &Caller, id: Uuid, key: Option<&str>) -> Result<Uuid> {
        let key = Key::of(caller, key, "retryOperation", &json!({ "id": id }))?;
        let operation = self.authorised_operation(caller, id).await?;
        if let Some(first) = key.first(self.db.pool()).await? {
            return Ok(first.operation);
        }
        let provisioning = self.provisioning()?;
        self.db
            .transaction(&audit_of(caller), async |mut tx| {
                let control = Control::lock(&mut tx, &provisioning.flows, id).await?;
                if key.repeats(&mut tx, id).await? {
                    return Ok(());
                }
                let done = control.retry(&mut tx).await?;
                if done == Controlled::Done && operation.kind == delete::DELETE {
                    remove_copies(&mut tx, provisioning, caller, operation.subject_id).await?;
                }
                Ok(())
            })
            .await?;
        provisioning.nudge.send(&operation.kind);
        if operation.kind == delete::DELETE {
            provisioning.nudge.send(preview::DELETE);
        }
        Ok(id)
    }

    /// Ends an operation between two of its steps and takes back what it did; discards a failed one likewise.
    ///
    /// # Errors
    /// `not-found`, `forbidden`, `illegal-transition` when it has ended or cannot be taken back,
    /// `idempotency-conflict`.
    pub async fn cancel_operation(&self, caller: &Caller, id: Uuid, key: Option<&str>) -> Result<Uuid> {
        let key = Key::of(caller, key, "cancelOperation", &json!({ "id": id }))?;
        let operation = self.authorised_operation(caller, id).await?;
        if let Some(first) = key.first(self.db.pool()).await? {
            return Ok(first.operation);
        }
        self.end_operation(caller, &operation, &key).await?;
        Ok(id)
    }

    /// The same for a caller who may, under a key of another action.
    pub(super) async fn end_operation(&self, caller: &Caller, operation: &Operation, key: &Key<'_>) -> Result<()> {
        let provisioning = self.provisioning()?;
        self.db
            .transaction(&audit_of(caller), async |mut tx| {
                let control = Control::lock(&mut tx, &provisioning.flows, operation.id).await?;
                if key.repeats(&mut tx, operation.id).await? {
                    return Ok(());
                }
                control.cancel(&mut tx).await.map(drop)
            })
            .await?;
        provisioning.nudge.send(&operation.kind);
        Ok(())
    }

    async fn authorised_operation(&self, caller: &Caller, id: Uuid) -> Result<Operation> {
        let missing = || Error::not_found("operation");
        let operation = operations::find(self.db.pool(), id).await?.ok_or_else(missing)?;
        self.authorise(&caller.actor, operation.team_id, TeamRole::Developer)
            .await
            .map_err(|error| if error.code() == Code::NotFound { missing() } else { error })?;
        Ok(operation)
    }
}
