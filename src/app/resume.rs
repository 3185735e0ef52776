//! Going on with a failed operation on an application, and ending one.

use uuid::Uuid;

use super::operations::superseded;
use super::removal::remove_copies;
use super::requests::Key;
use super::stores::{audit_of, open};
use super::{App, Caller};
use crate::db::operations::{self, Operation};
use crate::db::{PgTx, applications, deployments, steps};
use crate::domain::{ApplicationStatus, Code, DeploymentStatus, Error, Result};
use crate::workflow::flows::application::delete::DELETE;
use crate::workflow::flows::application::{SUBJECT, preview};

impl App {
    /// Goes on with a failed operation on an application at the step that failed.
    pub(super) async fn retry_on_application(
        &self,
        caller: &Caller,
        operation: &Operation,
        key: &Key<'_>,
    ) -> Result<Uuid> {
        let provisioning = self.provisioning()?;
        self.db
            .transaction(&audit_of(caller), async |mut tx| {
                let newest = operations::lock_newest(&mut tx, SUBJECT, operation.subject_id).await?;
                let current = newest.filter(|newest| newest.id == operation.id).ok_or_else(superseded)?;
                if key.repeats(&mut tx, current.id).await? || open(&current) {
                    return Ok(());
                }
                resume(&mut tx, &current, &current.direction).await?;
                if current.kind == DELETE {
                    remove_copies(&mut tx, provisioning, caller, current.subject_id).await?;
                }
                Ok(())
            })
            .await?;
        provisioning.nudge.send(&operation.kind);
        provisioning.nudge.send(preview::DELETE);
        Ok(operation.id)
    }

    /// Ends an operation on an application and takes back what it did; a failed one likewise, if it is the newest.
    pub(super) async fn cancel_on_application(
        &self,
        caller: &Caller,
        operation: &Operation,
        key: &Key<'_>,
    ) -> Result<Uuid> {
        let provisioning = self.provisioning()?;
        let (id, subject) = (operation.id, operation.subject_id);
        self.db
            .transaction(&audit_of(caller), async |mut tx| {
                let running = operations::lock_open(&mut tx, SUBJECT, subject).await?;
                if key.repeats(&mut tx, id).await? {
                    return Ok(());
                }
                if running.iter().any(|open| open.id == id) {
                    return operations::request_cancel(&mut tx, id).await.map(drop);
                }
                let newest = operations::lock_newest(&mut tx, SUBJECT, subject).await?;
                let current = newest.filter(|newest| newest.id == id).ok_or_else(superseded)?;
                if current.status == "failed" {
                    return resume(&mut tx, &current, "undo").await;
                }
                let message = format!("the operation has {} already", current.status);
                Err(Error::new(Code::IllegalTransition, message))
            })
            .await?;
        provisioning.nudge.send(&operation.kind);
        Ok(id)
    }
}

/// Queues a failed operation again, and moves its deployment and application along.
async fn resume(tx: &mut PgTx, failed: &Operation, direction: &str) -> Result<()> {
    let refused = || Error::new(Code::IllegalTransition, "only a failed operation can be gone on with");
    if direction == "forward"
        && let Some(deployment) = deployments::of_operation(&mut **tx, failed.id).await?
        && !deployments::move_to(tx, deployment.id, DeploymentStatus::Deploying, None).await?
    {
        return Err(refused());
    }
    if !operations::requeue(tx, failed.id, direction).await? {
        return Err(refused());
    }
    if failed.kind == DELETE {
        return applications::move_to(tx, failed.subject_id, ApplicationStatus::Deleting).await.map(drop);
    }
    // One that had not begun finds the application as it is.
    let begun = steps::list(&mut **tx, failed.id).await?.iter().any(|step| step.status == "succeeded");
    if begun {
        applications::move_to(tx, failed.subject_id, ApplicationStatus::Deploying).await?;
    }
    Ok(())
}
