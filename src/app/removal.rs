//! Deleting an application: an operation like every other, which ends what is open and removes all that there is of it.
//!
//! Rows are locked in the order in which workers lock them: an application's operations, then the application, then a
//! preview's operations, then the preview.

use serde_json::json;
use uuid::Uuid;

use super::applications::{ApplicationOperation, lane, missing, placed};
use super::requests::{self, Asked, Key};
use super::stores::audit_of;
use super::{App, Caller, Provisioning, previews as copies};
use crate::db::applications::{self, Application};
use crate::db::{PgTx, alerts, operations, previews};
use crate::domain::{ApplicationStatus, Code, Result, TeamRole};
use crate::workflow::flows::application::delete::{DELETE, Removal};
use crate::workflow::flows::application::drift::heal::HEAL;
use crate::workflow::flows::application::{self, SUBJECT, preview};

/// All that may wait in an application's lane: once it is to go, nothing of that is wanted any more.
const ALL: [&str; 9] = [
    application::ROLLING,
    application::CANARY,
    application::BLUE_GREEN,
    application::ROLLBACK,
    application::SCALE,
    application::RESTART,
    application::START,
    application::STOP,
    HEAL,
];

impl App {
    /// Removes an application with its pods, its address, its previews, its variables and its own secrets. What is open
    /// on it is ended first, and not taken back. Deleting one that is being deleted gives the operation that does.
    ///
    /// # Errors
    /// `not-found`, also for one that is deleted; `forbidden`, `idempotency-conflict`.
    pub async fn delete_application(
        &self,
        caller: &Caller,
        id: Uuid,
        key: Option<&str>,
    ) -> Result<ApplicationOperation> {
        let provisioning = self.provisioning()?;
        let row = applications::find_any(self.db.pool(), id).await?.ok_or_else(missing)?;
        self.authorise(&caller.actor, row.team_id, TeamRole::Developer)
            .await
            .map_err(|error| if error.code() == Code::NotFound { missing() } else { error })?;
        let key = Key::of(caller, key, "deleteApplication", &json!({ "id": id }))?;
        let operation = self
            .db
            .transaction(&audit_of(caller), async |mut tx| {
                operations::lock_open(&mut tx, SUBJECT, id).await?;
                let row = applications::lock_any(&mut tx, id).await?.ok_or_else(missing)?;
                if let Some(first) = key.first(&mut *tx).await? {
                    return Ok(first.operation);
                }
                if row.deleted {
                    return Err(missing());
                }
                begin(&mut tx, provisioning, caller, &row, &key).await
            })
            .await?;
        provisioning.nudge.send(DELETE);
        provisioning.nudge.send(preview::DELETE);
        Ok(ApplicationOperation { application: id, operation })
    }

    /// The same for a row that was marked as deleted by whoever may write it: what there is of it goes too. Nothing
    /// happens where that is under way, or done.
    ///
    /// # Errors
    /// `unavailable` when the database is.
    pub(super) async fn remove_marked(&self, caller: &Caller, id: Uuid) -> Result<()> {
        let Some(provisioning) = &self.provisioning else { return Ok(()) };
        let key = Key::of(caller, None, "deleteApplication", &json!({ "id": id }))?;
        self.db
            .transaction(&audit_of(caller), async |mut tx| {
                operations::lock_open(&mut tx, SUBJECT, id).await?;
                let Some(row) = applications::lock_any(&mut tx, id).await? else { return Ok(()) };
                if !row.deleted || row.status == ApplicationStatus::Deleted {
                    return Ok(());
                }
                begin(&mut tx, provisioning, caller, &row, &key).await.map(drop)
            })
            .await?;
        provisioning.nudge.send(DELETE);
        provisioning.nudge.send(preview::DELETE);
        Ok(())
    }
}

/// Starts the removal, or answers the one that is under way. The application's row is locked: of two at once, the second
/// sees the first.
async fn begin(
    tx: &mut PgTx,
    provisioning: &Provisioning,
    caller: &Caller,
    row: &Application,
    key: &Key<'_>,
) -> Result<Uuid> {
    // Once more, under the row's lock: what began in between is ended too.
    let open = operations::list_open(&mut **tx, SUBJECT, row.id).await?;
    if let Some(deletion) = open.iter().find(|operation| operation.kind == DELETE) {
        key.stands_for(tx, deletion.id).await?;
        return Ok(deletion.id);
    }
    applications::move_to(tx, row.id, ApplicationStatus::Deleting).await?;
    for operation in &open {
        operations::request_cancel(tx, operation.id).await?;
    }
    alerts::resolve_all(tx, SUBJECT, row.id).await?;
    remove_copies(tx, provisioning, caller, row.id).await?;
    let asked = Asked {
        kind: DELETE,
        team: row.team_id,
        subject_type: SUBJECT,
        subject: row.id,
        lane: Some(lane(row.id)),
        supersedes: &ALL,
    };
    requests::start(tx, provisioning, caller, asked, &Removal { target: placed(row) }, key).await
}

/// Asks for the end of an application's preview environments, also of those whose removal has failed.
pub(super) async fn remove_copies(
    tx: &mut PgTx,
    provisioning: &Provisioning,
    caller: &Caller,
    application: Uuid,
) -> Result<()> {
    for copy in previews::of_application(&mut **tx, application).await? {
        let key = Key::of(caller, None, "deletePreviewEnvironment", &json!({ "id": copy.id }))?;
        match copies::remove(tx, provisioning, caller, copy.id, &key).await {
            Ok(_) => {}
            Err(error) if error.code() == Code::IllegalTransition => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
