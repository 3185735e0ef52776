//! The journal of an operation's steps. Every function here runs in a transaction that has checked the lease
//! ([`super::operations::fence`]) or that inserts the operation.

use std::time::Duration;

use serde_json::Value;
use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

use super::error::while_doing;
use crate::domain::Result;

/// One step's row in the journal.
#[derive(Debug, Clone)]
pub struct Step {
    /// Its place in the flow, from 0.
    pub ordinal: i32,
    /// Its name in the flow.
    pub name: String,
    /// Its status word.
    pub status: String,
    /// Tries since the world last answered.
    pub attempt: i32,
    /// What it is doing, for people.
    pub detail: Option<String>,
    /// What it produced.
    pub result: Option<Value>,
    /// Seconds since it began, by the database's clock; 0 when it has not.
    pub seconds: f64,
}

/// Inserts an operation's steps, all pending, so that they are visible at once.
pub async fn insert(db: &mut PgConnection, operation: Uuid, names: &[String], titles: &[String]) -> Result<()> {
    sqlx::query!(
        "insert into operation_steps (operation_id, ordinal, name, title)
         select $1, (step.place - 1)::integer, step.name, step.title
         from unnest($2::text[], $3::text[]) with ordinality step (name, title, place)",
        operation,
        names,
        titles
    )
    .execute(db)
    .await
    .map_err(while_doing("insert an operation's steps"))
    .map(drop)
}

/// An operation's steps, in order.
pub async fn list(db: impl PgExecutor<'_>, operation: Uuid) -> Result<Vec<Step>> {
    sqlx::query_as!(
        Step,
        "select ordinal, name, status, attempt, detail, result,
                coalesce(extract(epoch from now() - started_at), 0)::float8 as \"seconds!\"
         from operation_steps where operation_id = $1 order by ordinal",
        operation
    )
    .fetch_all(db)
    .await
    .map_err(while_doing("read an operation's steps"))
}

/// Begins a try of a step. Answers the try's number and how long ago the step first began.
pub async fn begin(db: &mut PgConnection, operation: Uuid, ordinal: i32, status: &str) -> Result<(i32, Duration)> {
    let row = sqlx::query!(
        "update operation_steps set
           started_at = case when status in ('pending', 'failed', 'undo_failed') or (status <> $3 and $3 = 'undoing')
                             then now() else coalesce(started_at, now()) end,
           attempt = case when status in ('pending', 'failed', 'undo_failed') or (status <> $3 and $3 = 'undoing')
                          then 1 else attempt + 1 end,
           status = $3, finished_at = null
         where operation_id = $1 and ordinal = $2
         returning attempt, extract(epoch from now() - started_at)::float8 as \"seconds!\"",
        operation,
        ordinal,
        status
    )
    .fetch_one(db)
    .await
    .map_err(while_doing("begin a step"))?;
    Ok((row.attempt, Duration::from_secs_f64(row.seconds.max(0.0))))
}

/// Ends a step with its result (kept when `None`). False when that is recorded already, as after a commit whose
/// answer was lost.
pub async fn finish(
    db: &mut PgConnection,
    operation: Uuid,
    ordinal: i32,
    status: &str,
    detail: Option<&str>,
    result: Option<&Value>,
) -> Result<bool> {
    sqlx::query!(
        "update operation_steps set status = $3, detail = $4, result = coalesce($5, result), finished_at = now()
         where operation_id = $1 and ordinal = $2 and status in ('running', 'waiting', 'undoing')",
        operation,
        ordinal,
        status,
        detail,
        result
    )
    .execute(db)
    .await
    .map_err(while_doing("finish a step"))
    .map(|done| done.rows_affected() == 1)
}

/// Says what a step waits for. `attempt` 0 means that the world answered: faults count anew from here.
pub async fn wait(
    db: &mut PgConnection,
    operation: Uuid,
    ordinal: i32,
    status: &str,
    attempt: i32,
    detail: &str,
) -> Result<()> {
    sqlx::query!(
        "update operation_steps set status = $3, attempt = $4, detail = $5
         where operation_id = $1 and ordinal = $2
           and (status, attempt, coalesce(detail, '')) is distinct from ($3, $4, $5)",
        operation,
        ordinal,
        status,
        attempt,
        detail
    )
    .execute(db)
    .await
    .map_err(while_doing("record what a step waits for"))
    .map(drop)
}

/// Says what a step is doing.
pub async fn detail(db: &mut PgConnection, operation: Uuid, ordinal: i32, detail: &str) -> Result<()> {
    sqlx::query!(
        "update operation_steps set detail = $3
         where operation_id = $1 and ordinal = $2 and detail is distinct from $3",
        operation,
        ordinal,
        detail
    )
    .execute(db)
    .await
    .map_err(while_doing("record a step's detail"))
    .map(drop)
}

/// Marks begun steps that have nothing to undo as skipped, when an operation turns round.
pub async fn skip_begun(db: &mut PgConnection, operation: Uuid, without_undo: &[i32]) -> Result<()> {
    sqlx::query!(
        "update operation_steps set status = 'skipped', finished_at = now()
         where operation_id = $1 and ordinal = any($2) and status in ('running', 'waiting')",
        operation,
        without_undo
    )
    .execute(db)
    .await
    .map_err(while_doing("skip steps that have nothing to undo"))
    .map(drop)
}
