//! Operations that the platform begins by itself about a subject, one at a time: how the last one ended.

use std::time::Duration;

use serde_json::Value;
use sqlx::PgExecutor;
use uuid::Uuid;

use super::error::while_doing;
use crate::domain::{OperationStatus, Result};

/// The newest operation about a subject.
#[derive(Debug, Clone)]
pub struct Last {
    pub id: Uuid,
    /// Its flow.
    pub kind: String,
    pub input: Value,
    /// How it ended; none while it is open.
    pub ended: Option<Ended>,
    /// How long ago that was.
    pub since: Option<Duration>,
}

/// How an operation ended.
#[derive(Debug, Clone)]
pub struct Ended {
    /// Its status, of those that are not open.
    pub status: OperationStatus,
    pub output: Option<Value>,
    /// Why it failed, for people.
    pub error: Option<String>,
}

/// The newest operation about a subject, if there was one.
pub async fn last(db: impl PgExecutor<'_>, subject_type: &str, subject: Uuid) -> Result<Option<Last>> {
    let row = sqlx::query!(
        r#"select id, kind, status as "status: OperationStatus", input, output, error_message,
                  extract(epoch from now() - finished_at)::float8 as since
           from operations where subject_type = $1 and subject_id = $2
           order by created_at desc, id desc limit 1"#,
        subject_type,
        subject
    )
    .fetch_optional(db)
    .await
    .map_err(while_doing("read the last operation about a subject"))?;
    Ok(row.map(|row| Last {
        id: row.id,
        kind: row.kind,
        input: row.input,
        ended: (!row.status.is_open()).then_some(Ended {
            status: row.status,
            output: row.output,
            error: row.error_message,
        }),
        since: row.since.map(|seconds| Duration::from_secs_f64(seconds.max(0.0))),
    }))
}

/// How an operation ended; none while it is open.
pub async fn ended(db: impl PgExecutor<'_>, operation: Uuid) -> Result<Option<Ended>> {
    let row = sqlx::query_as!(
        Ended,
        r#"select status as "status: OperationStatus", output, error_message as error from operations where id = $1"#,
        operation
    )
    .fetch_optional(db)
    .await
    .map_err(while_doing("see whether an operation has ended"))?;
    Ok(row.filter(|row| !row.status.is_open()))
}

/// Forgets, with their steps, the operations about subjects of a type that ended more than fourteen days ago: what the
/// platform did by itself is history that nobody goes on with, and any request that named one has been forgotten before.
/// Answers how many.
pub async fn forget(db: impl PgExecutor<'_>, subject_type: &str) -> Result<u64> {
    // Locked: one that a person retries at this moment has not ended any more.
    sqlx::query!(
        "with ended as (
           select id from operations
           where subject_type = $1 and status in ('succeeded', 'failed', 'cancelled')
             and finished_at < now() - interval '14 days'
           limit 10000 for update),
         steps as (delete from operation_steps where operation_id in (select id from ended))
         delete from operations where id in (select id from ended)",
        subject_type
    )
    .execute(db)
    .await
    .map_err(while_doing("forget operations that ended long ago"))
    .map(|done| done.rows_affected())
}
