//! Durable operations: enqueue, claim under a lease, fenced writes, retry and cancellation.
//!
//! Leases and due times are the database's own (`now()`): no worker's clock is trusted. A worker's write names the
//! operation's id, the generation under which it was claimed and its own name; a write whose lease was taken over
//! matches no row.

use serde_json::Value;
use sqlx::{PgConnection, PgExecutor};
use std::time::Duration;
use time::OffsetDateTime;
use uuid::Uuid;

use super::error::while_doing;
use crate::domain::Result;

/// An operation to be inserted.
#[derive(Debug)]
pub struct Insert<'a> {
    /// The flow, such as `store.create`.
    pub kind: &'a str,
    /// The flow's version, to which the run is pinned.
    pub flow_version: i32,
    /// The team that the operation belongs to.
    pub team_id: Uuid,
    /// What `subject_id` names, such as `store`.
    pub subject_type: &'a str,
    /// The row that the operation is about.
    pub subject_id: Uuid,
    /// The user who asked, if a person did.
    pub requested_by: Option<Uuid>,
    /// The flow's input.
    pub input: &'a Value,
    /// The caller's key for "the same request again".
    pub idempotency_key: Option<&'a str>,
    /// SHA-256 of the request under that key.
    pub idempotency_digest: Option<&'a str>,
    /// The request's correlation id.
    pub correlation_id: &'a str,
}

/// An operation as its worker and its readers see it.
#[derive(Debug, Clone)]
pub struct Operation {
    /// Its id.
    pub id: Uuid,
    /// The flow, such as `store.create`.
    pub kind: String,
    /// The flow's version.
    pub flow_version: i32,
    /// Its status word.
    pub status: String,
    /// The team that it belongs to.
    pub team_id: Uuid,
    /// What `subject_id` names.
    pub subject_type: String,
    /// The row that it is about.
    pub subject_id: Uuid,
    /// The user who asked.
    pub requested_by: Option<Uuid>,
    /// The flow's input.
    pub input: Value,
    /// The correlation id of the request that made it.
    pub correlation_id: String,
    /// `forward` or `undo`.
    pub direction: String,
    /// Counts the claims; fences a worker that lost its lease.
    pub generation: i64,
    /// When somebody asked for its end.
    pub cancel_requested_at: Option<OffsetDateTime>,
    /// Why it failed, for people.
    pub error_message: Option<String>,
    /// Digest of the request that made it, where it had an idempotency key.
    pub idempotency_digest: Option<String>,
}

/// One claim of one operation: what every write of its worker must name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The operation.
    pub operation: Uuid,
    /// The generation under which it was claimed.
    pub generation: i64,
    /// The worker's name.
    pub holder: String,
}

/// Inserts an operation, due at once. `None` when the same user used the idempotency key before.
pub async fn insert(db: impl PgExecutor<'_>, new: &Insert<'_>) -> Result<Option<Uuid>> {
    sqlx::query_scalar!(
        "insert into operations
           (kind, flow_version, team_id, subject_type, subject_id, requested_by, input, idempotency_key,
            idempotency_digest, correlation_id)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
         on conflict (requested_by, idempotency_key) where idempotency_key is not null do nothing
         returning id",
        new.kind,
        new.flow_version,
        new.team_id,
        new.subject_type,
        new.subject_id,
        new.requested_by,
        new.input,
        new.idempotency_key,
        new.idempotency_digest,
        new.correlation_id,
    )
    .fetch_optional(db)
    .await
    .map_err(while_doing("insert an operation"))
}

/// An operation by its id.
pub async fn find(db: impl PgExecutor<'_>, id: Uuid) -> Result<Option<Operation>> {
    sqlx::query_as!(
        Operation,
        "select id, kind, flow_version, status, team_id, subject_type, subject_id, requested_by, input, correlation_id,
                direction, generation, cancel_requested_at, error_message, idempotency_digest
         from operations where id = $1",
        id
    )
    .fetch_optional(db)
    .await
    .map_err(while_doing("read an operation"))
}

/// The id of the newest operation about a subject.
pub async fn newest(db: impl PgExecutor<'_>, subject_type: &str, subject: Uuid) -> Result<Option<Uuid>> {
    sqlx::query_scalar!(
        "select id from operations where subject_type = $1 and subject_id = $2
         order by created_at desc, id desc limit 1",
        subject_type,
        subject
    )
    .fetch_optional(db)
    .await
    .map_err(while_doing("find a subject's newest operation"))
}

/// The newest operation about a subject, locked until the transaction ends.
pub async fn lock_newest(db: &mut PgConnection, subject_type: &str, subject: Uuid) -> Result<Option<Operation>> {
    sqlx::query_as!(
        Operation,
        "select id, kind, flow_version, status, team_id, subject_type, subject_id, requested_by, input, correlation_id,
                direction, generation, cancel_requested_at, error_message, idempotency_digest
         from operations where subject_type = $1 and subject_id = $2
         order by created_at desc, id desc limit 1 for update",
        subject_type,
        subject
    )
    .fetch_optional(db)
    .await
    .map_err(while_doing("read a subject's newest operation"))
}

/// Locks the open operations about a subject, oldest first, until the transaction ends. A use case locks operations
/// before the subject's own row, as workers do.
pub async fn lock_open(db: &mut PgConnection, subject_type: &str, subject: Uuid) -> Result<Vec<Operation>> {
    sqlx::query_as!(
        Operation,
        "select id, kind, flow_version, status, team_id, subject_type, subject_id, requested_by, input, correlation_id,
                direction, generation, cancel_requested_at, error_message, idempotency_digest
         from operations
         where subject_type = $1 and subject_id = $2 and status in ('queued', 'running', 'waiting')
         order by created_at, id for update",
        subject_type,
        subject
    )
    .fetch_all(db)
    .await
    .map_err(while_doing("lock a subject's open operations"))
}

/// How many other operations about a subject are not finished.
pub async fn count_other_open(db: impl PgExecutor<'_>, subject_type: &str, subject: Uuid, except: Uuid) -> Result<i64> {
    sqlx::query_scalar!(
        "select count(*) as \"count!\" from operations
         where subject_type = $1 and subject_id = $2 and id <> $3 and status in ('queued', 'running', 'waiting')",
        subject_type,
        subject,
        except
    )
    .fetch_one(db)
    .await
    .map_err(while_doing("count a subject's open operations"))
}

/// Claims up to `limit` due operations of the known flows: nobody else gets them until `lease` has passed.
///
/// An operation whose lease lapsed is due again, so the same statement takes over from a worker that died.
pub async fn claim(
    db: impl PgExecutor<'_>,
    holder: &str,
    lease: Duration,
    known: &[(String, i32)],
    limit: i64,
) -> Result<Vec<Operation>> {
    let (kinds, versions): (Vec<String>, Vec<i32>) = known.iter().cloned().unzip();
    sqlx::query_as!(
        Operation,
        "with due as (
           select id from operations
           where status in ('queued', 'running', 'waiting') and available_at <= now()
             and exists (
               select 1 from unnest($3::text[], $4::integer[]) known (kind, version)
               where known.kind = operations.kind and known.version = operations.flow_version)
           order by available_at, id
           limit $5
           for update skip locked
         )
         update operations o set
           generation = o.generation + 1,
           lease_holder = $1,
           lease_expires_at = now() + make_interval(secs => $2),
           available_at = now() + make_interval(secs => $2),
           status = case when o.status = 'waiting' then 'waiting' else 'running' end,
           started_at = coalesce(o.started_at, now())
         from due
         where o.id = due.id
         returning o.id, o.kind, o.flow_version, o.status, o.team_id, o.subject_type, o.subject_id, o.requested_by,
                   o.input, o.correlation_id, o.direction, o.generation, o.cancel_requested_at, o.error_message,
                   o.idempotency_digest",
        holder,
        lease.as_secs_f64(),
        &kinds,
        &versions,
        limit
    )
    .fetch_all(db)
    .await
    .map_err(while_doing("claim operations"))
}

/// How long until the next open operation is due; zero when one is due already.
pub async fn next_due(db: impl PgExecutor<'_>, known: &[(String, i32)]) -> Result<Option<Duration>> {
    let (kinds, versions): (Vec<String>, Vec<i32>) = known.iter().cloned().unzip();
    let seconds = sqlx::query_scalar!(
        "select extract(epoch from min(available_at) - now())::float8
         from operations
         where status in ('queued', 'running', 'waiting')
           and exists (
             select 1 from unnest($1::text[], $2::integer[]) known (kind, version)
             where known.kind = operations.kind and known.version = operations.flow_version)",
        &kinds,
        &versions
    )
    .fetch_one(db)
    .await
    .map_err(while_doing("find the next due operation"))?;
    Ok(seconds.map(|seconds| Duration::from_secs_f64(seconds.max(0.0))))
}

/// Open operations that need a flow or a version of one that is not among the known: (kind, version, how many).
pub async fn unknown(db: impl PgExecutor<'_>, known: &[(String, i32)]) -> Result<Vec<(String, i32, i64)>> {
    let (kinds, versions): (Vec<String>, Vec<i32>) = known.iter().cloned().unzip();
    let rows = sqlx::query!(
        "select kind, flow_version, count(*) as \"count!\" from operations
         where status in ('queued', 'running', 'waiting')
           and not exists (
             select 1 from unnest($1::text[], $2::integer[]) known (kind, version)
             where known.kind = operations.kind and known.version = operations.flow_version)
         group by kind, flow_version order by kind, flow_version",
        &kinds,
        &versions
    )
    .fetch_all(db)
    .await
    .map_err(while_doing("look for operations of unknown flows"))?;
    Ok(rows.into_iter().map(|row| (row.kind, row.flow_version, row.count)).collect())
}

/// Extends a lease; answers whether the operation's end was asked for meanwhile. `None` when the lease was lost.
pub async fn renew(db: impl PgExecutor<'_>, lease: &Lease, length: Duration) -> Result<Option<bool>> {
    sqlx::query_scalar!(
        "update operations set
           lease_expires_at = now() + make_interval(secs => $4),
           available_at = now() + make_interval(secs => $4)
         where id = $1 and generation = $2 and lease_holder = $3
         returning cancel_requested_at is not null as \"cancelled!\"",
        lease.operation,
        lease.generation,
        lease.holder,
        length.as_secs_f64()
    )
    .fetch_optional(db)
    .await
    .map_err(while_doing("renew a lease"))
}

/// Locks the operation for the transaction and answers whether its end was asked for. `None` when the lease was lost.
pub async fn fence(db: &mut PgConnection, lease: &Lease) -> Result<Option<bool>> {
    sqlx::query_scalar!(
        "select cancel_requested_at is not null as \"cancelled!\" from operations
         where id = $1 and generation = $2 and lease_holder = $3 for update",
        lease.operation,
        lease.generation,
        lease.holder
    )
    .fetch_optional(db)
    .await
    .map_err(while_doing("check a lease"))
}

/// Says that a claimed operation makes progress again (it may have been `waiting`).
pub async fn mark_running(db: &mut PgConnection, id: Uuid) -> Result<()> {
    sqlx::query!("update operations set status = 'running' where id = $1 and status <> 'running'", id)
        .execute(db)
        .await
        .map_err(while_doing("mark an operation as running"))
        .map(drop)
}

/// Gives the lease back and parks the operation for `delay`; an operation whose end was asked for is due at once.
pub async fn park(db: &mut PgConnection, id: Uuid, delay: Duration) -> Result<()> {
    sqlx::query!(
        "update operations set
           status = 'waiting', lease_holder = null, lease_expires_at = null,
           available_at = case when cancel_requested_at is not null and direction = 'forward' then now()
                               else now() + make_interval(secs => $2) end
         where id = $1",
        id,
        delay.as_secs_f64()
    )
    .execute(db)
    .await
    .map_err(while_doing("park an operation"))
    .map(drop)
}

/// Gives the lease back so that another worker may go on at once.
pub async fn release(db: &mut PgConnection, id: Uuid) -> Result<()> {
    sqlx::query!(
        "update operations set
           status = case when status = 'running' then 'queued' else status end,
           lease_holder = null, lease_expires_at = null, available_at = now()
         where id = $1",
        id
    )
    .execute(db)
    .await
    .map_err(while_doing("release an operation"))
    .map(drop)
}

/// Turns an operation round: its steps are undone from here on.
pub async fn turn_back(db: &mut PgConnection, id: Uuid) -> Result<()> {
    sqlx::query!("update operations set direction = 'undo', status = 'running' where id = $1", id)
        .execute(db)
        .await
        .map_err(while_doing("turn an operation round"))
        .map(drop)
}

/// How an operation ended.
#[derive(Debug)]
pub struct Ending<'a> {
    /// `succeeded`, `failed` or `cancelled`.
    pub status: &'a str,
    /// What it produced.
    pub output: Option<&'a Value>,
    /// The stable code of its failure.
    pub error_code: Option<&'a str>,
    /// Its failure, for people.
    pub error_message: Option<&'a str>,
    /// Why it cannot be undone without a person, when an undo failed.
    pub stuck_reason: Option<&'a str>,
}

/// Ends an operation and gives its lease back.
pub async fn finish(db: &mut PgConnection, id: Uuid, ending: &Ending<'_>) -> Result<()> {
    sqlx::query!(
        "update operations set
           status = $2, output = coalesce($3, output), error_code = $4, error_message = $5, stuck_reason = $6,
           finished_at = now(), lease_holder = null, lease_expires_at = null
         where id = $1",
        id,
        ending.status,
        ending.output,
        ending.error_code,
        ending.error_message,
        ending.stuck_reason
    )
    .execute(db)
    .await
    .map_err(while_doing("finish an operation"))
    .map(drop)
}

/// Queues a failed operation again. False when it is not failed (any more).
pub async fn requeue(db: &mut PgConnection, id: Uuid, direction: &str) -> Result<bool> {
    sqlx::query!(
        "update operations set
           status = 'queued', direction = $2, error_code = null, error_message = null, stuck_reason = null,
           cancel_requested_at = case when $2 = 'forward' then null else coalesce(cancel_requested_at, now()) end,
           finished_at = null, available_at = now(), lease_holder = null, lease_expires_at = null
         where id = $1 and status = 'failed'",
        id,
        direction
    )
    .execute(db)
    .await
    .map_err(while_doing("queue an operation again"))
    .map(|done| done.rows_affected() == 1)
}

/// Asks for the end of one open operation. False when it is not open (any more).
pub async fn request_cancel(db: &mut PgConnection, id: Uuid) -> Result<bool> {
    sqlx::query!(
        "update operations set
           cancel_requested_at = coalesce(cancel_requested_at, now()),
           available_at = case when lease_holder is null then least(available_at, now()) else available_at end
         where id = $1 and status in ('queued', 'running', 'waiting')",
        id
    )
    .execute(db)
    .await
    .map_err(while_doing("ask for the end of an operation"))
    .map(|done| done.rows_affected() == 1)
}

/// Lets every lease lapse now, as time would: the operations are due, and their workers do not know. For tests and for
/// an operator who knows that the workers are dead.
pub async fn lapse(db: impl PgExecutor<'_>) -> Result<u64> {
    sqlx::query!(
        "update operations set lease_expires_at = now(), available_at = now()
         where status in ('queued', 'running', 'waiting') and lease_holder is not null"
    )
    .execute(db)
    .await
    .map_err(while_doing("let leases lapse"))
    .map(|done| done.rows_affected())
}
