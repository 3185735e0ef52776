//! Signals: what the outside world or a person tells an operation that waits for it. The first of a name stands.

use serde_json::Value;
use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

use super::error::while_doing;
use crate::domain::{OperationStatus, Result};

/// Locks an operation for the transaction and answers its kind and status. `None` when there is none.
pub async fn lock(db: &mut PgConnection, operation: Uuid) -> Result<Option<(String, OperationStatus)>> {
    let row = sqlx::query!(
        "select kind, status as \"status: OperationStatus\" from operations where id = $1 for update",
        operation
    )
    .fetch_optional(db)
    .await
    .map_err(while_doing("lock an operation"))?;
    Ok(row.map(|row| (row.kind, row.status)))
}

/// Keeps a signal for a locked operation. False when one of that name came before: it stands.
pub async fn insert(
    db: &mut PgConnection,
    operation: Uuid,
    name: &str,
    payload: &Value,
    sent_by: Option<Uuid>,
) -> Result<bool> {
    sqlx::query!(
        "insert into operation_signals (operation_id, name, payload, sent_by) values ($1, $2, $3, $4)
         on conflict (operation_id, name) do nothing",
        operation,
        name,
        payload,
        sent_by
    )
    .execute(db)
    .await
    .map_err(while_doing("keep a signal"))
    .map(|done| done.rows_affected() == 1)
}

/// Makes a locked operation due now if it waits, and due again at once if it is being worked on and then waits.
pub async fn wake(db: &mut PgConnection, operation: Uuid) -> Result<()> {
    sqlx::query!(
        "update open_operations set
           woken = true,
           available_at = case when lease_holder is null and not lane_blocked then least(available_at, now())
                               else available_at end
         where id = $1",
        operation
    )
    .execute(db)
    .await
    .map_err(while_doing("wake an operation"))
    .map(drop)
}

/// What a signal of this name said, if it came.
pub async fn find(db: impl PgExecutor<'_>, operation: Uuid, name: &str) -> Result<Option<Value>> {
    sqlx::query_scalar!("select payload from operation_signals where operation_id = $1 and name = $2", operation, name)
        .fetch_optional(db)
        .await
        .map_err(while_doing("read a signal"))
}
