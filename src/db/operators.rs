//! What operators see and do about operations, whatever their flow.

use serde::Serialize;
use serde_json::Value;
use sqlx::{PgConnection, PgExecutor};
use time::OffsetDateTime;
use uuid::Uuid;

use super::error::while_doing;
use crate::domain::{Direction, OperationStatus, Result};

/// An operation, as operators see it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Seen {
    pub id: Uuid,
    /// Its flow.
    pub kind: String,
    /// The flow's version.
    pub flow_version: i32,
    /// How far it is.
    pub status: OperationStatus,
    /// Which way it goes through its steps.
    pub direction: Direction,
    pub team_id: Uuid,
    /// What `subject_id` names.
    pub subject_type: String,
    /// The row that it is about.
    pub subject_id: Uuid,
    pub lane: Option<String>,
    /// Whether it waits for its turn there.
    pub lane_blocked: bool,
    /// The operation that took its place before it began.
    pub superseded_by: Option<Uuid>,
    /// Why it failed or was superseded.
    pub error_message: Option<String>,
    /// Why it needs a person.
    pub stuck_reason: Option<String>,
    /// Who works on it.
    pub lease_holder: Option<String>,
    /// How often it was claimed.
    pub generation: i64,
    /// Seconds until it is due; negative when it is overdue; none when it waits for a signal or its turn alone.
    pub due_in: Option<f64>,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it ended.
    #[serde(with = "time::serde::rfc3339::option")]
    pub finished_at: Option<OffsetDateTime>,
}

/// Which operations to list.
#[derive(Debug, Clone, Copy, Default)]
pub struct Filter<'a> {
    /// This one only.
    pub id: Option<Uuid>,
    /// Of this status only.
    pub status: Option<OperationStatus>,
    /// Of this flow only.
    pub kind: Option<&'a str>,
    /// Of this team only.
    pub team: Option<Uuid>,
    /// Only those that could not be taken back.
    pub stuck: bool,
}

/// The newest operations, newest first.
pub async fn list(db: impl PgExecutor<'_>, filter: Filter<'_>, limit: i64) -> Result<Vec<Seen>> {
    sqlx::query_as!(
        Seen,
        "select id, kind, flow_version, status as \"status: OperationStatus\",
                direction as \"direction: Direction\", team_id, subject_type, subject_id, lane, lane_blocked,
                superseded_by, error_message, stuck_reason, lease_holder, generation,
                case when isfinite(available_at) and id in (select id from open_operations)
                     then extract(epoch from available_at - now())::float8 end as due_in,
                created_at, finished_at
         from operations
         where ($1::text is null or status = $1) and ($2::text is null or kind = $2)
           and ($3::uuid is null or team_id = $3) and (not $4 or stuck_reason is not null)
           and ($5::uuid is null or id = $5)
         order by created_at desc, id desc limit $6",
        filter.status.map(OperationStatus::as_str),
        filter.kind,
        filter.team,
        filter.stuck,
        filter.id,
        limit
    )
    .fetch_all(db)
    .await
    .map_err(while_doing("list operations"))
}

/// One operation.
pub async fn find(db: impl PgExecutor<'_>, id: Uuid) -> Result<Option<Seen>> {
    Ok(list(db, Filter { id: Some(id), ..Filter::default() }, 1).await?.pop())
}

/// A signal that an operation got.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Signal {
    pub name: String,
    /// What it said.
    pub payload: Value,
    /// Who sent it.
    pub sent_by: Option<Uuid>,
    /// When it came.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
}

/// The signals that an operation got, oldest first.
pub async fn signals(db: impl PgExecutor<'_>, operation: Uuid) -> Result<Vec<Signal>> {
    sqlx::query_as!(
        Signal,
        "select name, payload, sent_by, created_at from operation_signals where operation_id = $1
         order by created_at, name",
        operation
    )
    .fetch_all(db)
    .await
    .map_err(while_doing("list an operation's signals"))
}

/// Takes an open operation from whoever works on it: no write of theirs happens any more.
pub async fn fence_off(db: &mut PgConnection, id: Uuid) -> Result<()> {
    sqlx::query!("update operations set generation = generation + 1 where id = $1", id)
        .execute(db)
        .await
        .map_err(while_doing("take an operation from its worker"))
        .map(drop)
}

/// Marks the step at which an operation stands as failed, and gives its name. `None` when no step has begun.
pub async fn fail_current_step(db: &mut PgConnection, id: Uuid, reason: &str) -> Result<Option<String>> {
    sqlx::query_scalar!(
        "update operation_steps set
           status = case when status = 'undoing' then 'undo_failed' else 'failed' end, detail = $2, finished_at = now()
         where operation_id = $1 and status in ('running', 'waiting', 'undoing')
         returning name",
        id,
        reason
    )
    .fetch_optional(db)
    .await
    .map_err(while_doing("fail an operation's step"))
}

/// Says of a failed operation that nobody need look after it any more, and why.
pub async fn close(db: &mut PgConnection, id: Uuid, reason: &str) -> Result<()> {
    sqlx::query!(
        "update operations set stuck_reason = null, error_message = concat_ws('; ', error_message, $2::text)
         where id = $1 and status = 'failed'",
        id,
        reason
    )
    .execute(db)
    .await
    .map_err(while_doing("close a failed operation"))
    .map(drop)
}
