//! Operations of any kind: go on with a failed one, or end one and take back what it did.

use serde_json::json;
use uuid::Uuid;

use super::requests::Key;
use super::stores::{audit_of, open, resume};
use super::{App, Caller};
use crate::db::operations::{self, Operation};
use crate::db::stores::{self, Severity};
use crate::domain::{Code, Error, Result, StoreStatus, TeamRole};
use crate::workflow::flows::{application, store};

impl App {
    /// Goes on with a failed operation at the step that failed.
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
        match operation.subject_type.as_str() {
            store::SUBJECT => {
                self.newest_of_store(&operation).await?;
                self.retry_on_store(caller, operation.subject_id, &key).await.map(|resumed| resumed.operation)
            }
            application::SUBJECT => self.retry_on_application(caller, &operation, &key).await,
            application::preview::SUBJECT => self.retry_on_preview(caller, &operation, &key).await,
            other => Err(unsupported(other)),
        }
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
        let provisioning = self.provisioning()?;
        let flow = provisioning.flows.get(&operation.kind, operation.flow_version);
        if !flow.is_some_and(|flow| flow.cancellable()) {
            return Err(Error::new(Code::IllegalTransition, "this operation cannot be stopped once it was asked for"));
        }
        match operation.subject_type.as_str() {
            store::SUBJECT => {}
            application::SUBJECT => return self.cancel_on_application(caller, &operation, &key).await,
            application::preview::SUBJECT => return self.cancel_on_preview(caller, &operation, &key).await,
            other => return Err(unsupported(other)),
        }
        self.db
            .transaction(&audit_of(caller), async |mut tx| {
                let store = operation.subject_id;
                let newest = operations::lock_newest(&mut tx, store::SUBJECT, store).await?;
                let current = newest.filter(|newest| newest.id == id).ok_or_else(superseded)?;
                if key.repeats(&mut tx, id).await? {
                    return Ok(());
                }
                if current.cancel_requested_at.is_some() && open(&current) {
                    return Ok(());
                }
                if open(&current) {
                    stores::move_to(&mut tx, store, StoreStatus::Deleting).await?;
                    operations::request_cancel(&mut tx, id).await?;
                } else if current.status == "failed" {
                    resume(&mut tx, &current, "undo", StoreStatus::Deleting).await?;
                } else {
                    let message = format!("the operation has {} already", current.status);
                    return Err(Error::new(Code::IllegalTransition, message));
                }
                stores::log(&mut tx, store, "cancelling", "The creation is being stopped", Severity::Warning).await
            })
            .await?;
        provisioning.nudge.send(&operation.kind);
        Ok(id)
    }

    async fn authorised_operation(&self, caller: &Caller, id: Uuid) -> Result<Operation> {
        let missing = || Error::not_found("operation");
        let operation = operations::find(self.db.pool(), id).await?.ok_or_else(missing)?;
        self.authorise(&caller.actor, operation.team_id, TeamRole::Developer)
            .await
            .map_err(|error| if error.code() == Code::NotFound { missing() } else { error })?;
        Ok(operation)
    }

    async fn newest_of_store(&self, operation: &Operation) -> Result<()> {
        let newest = operations::newest(self.db.pool(), &operation.subject_type, operation.subject_id).await?;
        if newest == Some(operation.id) { Ok(()) } else { Err(superseded()) }
    }
}

pub(super) fn superseded() -> Error {
    Error::new(Code::IllegalTransition, "a newer operation took the place of this one")
}

fn unsupported(subject: &str) -> Error {
    Error::new(Code::IllegalTransition, format!("an operation on a {subject} cannot be changed"))
}
