//! Durable operations: enqueue, fenced writes, retry and cancellation. [`super::claims`] hands them to workers.
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
use super::{Audit, lanes};
use crate::domain::{Direction, OperationStatus, Result};

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
    /// The lane with the operation's turn in it, from [`super::lanes::take_turn`].
    pub lane: Option<(&'a str, i64)>,
}

/// An operation as its worker and its readers see it.
#[derive(Debug, Clone)]
pub struct Operation {
    pub id: Uuid,
    /// The flow, such as `store.create`.
    pub kind: String,
    /// The flow's version.
    pub flow_version: i32,
    /// How far it is.
    pub status: OperationStatus,
    pub team_id: Uuid,
    /// What `subject_id` names.
    pub subject_type: String,
    /// The row that it is about.
    pub subject_id: Uuid,
    pub requested_by: Option<Uuid>,
    /// The flow's input.
    pub input: Value,
    /// The correlation id of the request that made it.
    pub correlation_id: String,
    /// Which way it goes through its steps.
    pub direction: Direction,
    /// Counts the claims; fences a worker that lost its lease.
    pub generation: i64,
    /// When somebody asked for its end.
    pub cancel_requested_at: Option<OffsetDateTime>,
    /// Why it failed, for people.
    pub error_message: Option<String>,
    /// Digest of the request that made it, where it had an idempotency key.
    pub idempotency_digest: Option<String>,
    /// The lane in which one operation at a time is worked on.
    pub lane: Option<String>,
    /// Whether it waits for its turn in the lane.
    pub lane_blocked: bool,
}

/// One claim of one operation: what every write of its worker must name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    pub operation: Uuid,
    /// The generation under which it was claimed.
    pub generation: i64,
    /// The worker's name.
    pub holder: String,
}

/// Queries whole operations: by what follows the columns, and its arguments. Of a view's columns sqlx does not know that
/// they are never null, so that is said here.
macro_rules! operations {
    ($rest:literal $(, $argument:expr)* $(,)?) => {
        sqlx::query_as!(
            $crate::db::operations::Operation,
            "select id as \"id!\", kind as \"kind!\", flow_version as \"flow_version!\",
                    status as \"status!: crate::domain::OperationStatus\", team_id as \"team_id!\",
                    subject_type as \"subject_type!\", subject_id as \"subject_id!\", requested_by, input as \"input!\",
                    correlation_id as \"correlation_id!\", direction as \"direction!: crate::domain::Direction\",
                    generation as \"generation!\", cancel_requested_at, error_message, idempotency_digest, lane,
                    lane_blocked as \"lane_blocked!\" " + $rest,
            $($argument),*
        )
    };
}
pub(super) use operations;

/// Inserts an operation, due at once, or in a lane when [`super::lanes::pass_on`] says so. `None` when the same user used the idempotency key before.
pub async fn insert(db: impl PgExecutor<'_>, new: &Insert<'_>) -> Result<Option<Uuid>> {
    sqlx::query_scalar!(
        "insert into operations
           (kind, flow_version, team_id, subject_type, subject_id, requested_by, input, idempotency_key,
            idempotency_digest, correlation_id, lane, lane_turn, lane_blocked, available_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $11::text is not null,
                 case when $11::text is null then now() else 'infinity' end)
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
        new.lane.map(|(lane, _)| lane),
        new.lane.map_or(0, |(_, turn)| turn),
    )
    .fetch_optional(db)
    .await
    .map_err(while_doing("insert an operation"))
}

/// An operation by its id.
pub async fn find(db: impl PgExecutor<'_>, id: Uuid) -> Result<Option<Operation>> {
    operations!(
        "from operations
         where id = $1",
        id
    )
    .fetch_optional(db)
    .await
    .map_err(while_doing("read an operation"))
}

/// An operation by its id, locked until the transaction ends.
pub async fn lock(db: &mut PgConnection, id: Uuid) -> Result<Option<Operation>> {
    operations!(
        "from operations
         where id = $1 for update",
        id
    )
    .fetch_optional(db)
    .await
    .map_err(while_doing("lock an operation"))
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
    operations!(
        "from operations
         where subject_type = $1 and subject_id = $2
         order by created_at desc, id desc limit 1 for update",
        subject_type,
        subject
    )
    .fetch_optional(db)
    .await
    .map_err(while_doing("read a subject's newest operation"))
}

/// Locks the open operations about a subject, oldest first, until the transaction ends. A use case locks operations
/// before the subject's own row, as workers do. What it read then may be out of date by the time at which it has that
/// row, which another request held: it reads them once more, and judges by what it finds then.
pub async fn lock_open(db: &mut PgConnection, subject_type: &str, subject: Uuid) -> Result<Vec<Operation>> {
    operations!(
        "from open_operations
         where subject_type = $1 and subject_id = $2
         order by created_at, id for update",
        subject_type,
        subject
    )
    .fetch_all(db)
    .await
    .map_err(while_doing("lock a subject's open operations"))
}

/// How many operations of other kinds about a subject are not finished.
pub async fn count_open_of_others(
    db: impl PgExecutor<'_>,
    subject_type: &str,
    subject: Uuid,
    kind: &str,
) -> Result<i64> {
    sqlx::query_scalar!(
        "select count(*) as \"count!\" from open_operations
         where subject_type = $1 and subject_id = $2 and kind <> $3",
        subject_type,
        subject,
        kind
    )
    .fetch_one(db)
    .await
    .map_err(while_doing("count a subject's open operations of other kinds"))
}

/// The open operations about a subject as they are now, oldest first. For those that hold the subject's row: what began
/// between [`lock_open`] and that lock is among them.
pub async fn list_open(db: impl PgExecutor<'_>, subject_type: &str, subject: Uuid) -> Result<Vec<Operation>> {
    operations!(
        "from open_operations
         where subject_type = $1 and subject_id = $2
         order by created_at, id",
        subject_type,
        subject
    )
    .fetch_all(db)
    .await
    .map_err(while_doing("list a subject's open operations"))
}

/// How many other operations about a subject are not finished.
pub async fn count_other_open(db: impl PgExecutor<'_>, subject_type: &str, subject: Uuid, except: Uuid) -> Result<i64> {
    sqlx::query_scalar!(
        "select count(*) as \"count!\" from open_operations
         where subject_type = $1 and subject_id = $2 and id <> $3",
        subject_type,
        subject,
        except
    )
    .fetch_one(db)
    .await
    .map_err(while_doing("count a subject's open operations"))
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

/// Locks the operation for the transaction, whose actor it names as [`Audit::apply`] does, in the same round trip.
/// Answers whether the operation's end was asked for; `None` when the lease was lost.
pub async fn fence(db: &mut PgConnection, lease: &Lease, audit: &Audit) -> Result<Option<bool>> {
    let fenced = sqlx::query!(
        "select cancel_requested_at is not null as \"cancelled!\",
                set_config('hasura.user', $4, true) as actor,
                set_config('northstack.correlation_id', $5, true) as correlation
         from operations where id = $1 and generation = $2 and lease_holder = $3 for update",
        lease.operation,
        lease.generation,
        lease.holder,
        audit.session(),
        audit.correlation_id.as_deref().unwrap_or_default()
    )
    .fetch_optional(db)
    .await
    .map_err(while_doing("check a lease"))?;
    Ok(fenced.map(|row| row.cancelled))
}

/// Says that a claimed operation makes progress again (it may have been `waiting`).
pub async fn mark_running(db: &mut PgConnection, id: Uuid) -> Result<()> {
    sqlx::query!("update operations set status = 'running' where id = $1 and status <> 'running'", id)
        .execute(db)
        .await
        .map_err(while_doing("mark an operation as running"))
        .map(drop)
}

/// Gives the lease back and parks the operation for `delay`, or for as long as nobody wakes it. It is due at once when
/// its end was asked for, or a signal came since it was claimed.
pub async fn park(db: &mut PgConnection, id: Uuid, delay: Option<Duration>) -> Result<()> {
    sqlx::query!(
        "update operations set
           status = 'waiting', lease_holder = null, lease_expires_at = null,
           available_at = case when woken or (cancel_requested_at is not null and direction = 'forward') then now()
                               else coalesce(now() + make_interval(secs => $2), 'infinity') end
         where id = $1",
        id,
        delay.map(|delay| delay.as_secs_f64())
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
           lease_holder = null, lease_expires_at = null,
           available_at = case when lane_blocked then 'infinity' else now() end
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
    /// That it succeeded, failed or was cancelled.
    pub status: OperationStatus,
    pub output: Option<&'a Value>,
    /// The stable code of its failure.
    pub error_code: Option<&'a str>,
    /// Its failure, for people.
    pub error_message: Option<&'a str>,
    /// Why it cannot be undone without a person, when an undo failed.
    pub stuck_reason: Option<&'a str>,
}

/// Ends an operation, gives its lease back, and lets the next of its lane have its turn.
pub async fn finish(db: &mut PgConnection, id: Uuid, ending: &Ending<'_>) -> Result<()> {
    let lane = sqlx::query_scalar!(
        "update operations set
           status = $2, output = coalesce($3, output), error_code = $4, error_message = $5, stuck_reason = $6,
           finished_at = now(), lease_holder = null, lease_expires_at = null
         where id = $1
         returning lane",
        id,
        ending.status.as_str(),
        ending.output,
        ending.error_code,
        ending.error_message,
        ending.stuck_reason
    )
    .fetch_optional(&mut *db)
    .await
    .map_err(while_doing("finish an operation"))?
    .flatten();
    match lane {
        Some(lane) => lanes::pass_on(db, &lane).await,
        None => Ok(()),
    }
}

/// Queues a failed operation again, at the end of its lane. False when it is not failed (any more).
pub async fn requeue(db: &mut PgConnection, id: Uuid, direction: Direction) -> Result<bool> {
    let failed = sqlx::query_scalar!("select lane from operations where id = $1 and status = 'failed' for update", id)
        .fetch_optional(&mut *db)
        .await
        .map_err(while_doing("lock a failed operation"))?;
    let Some(lane) = failed else { return Ok(false) };
    let turn = match &lane {
        Some(lane) => lanes::take_turn(db, lane).await?,
        None => 0,
    };
    sqlx::query!(
        "update operations set
           status = 'queued', direction = $2, error_code = null, error_message = null, stuck_reason = null,
           cancel_requested_at = case when $2 = 'forward' then null else coalesce(cancel_requested_at, now()) end,
           finished_at = null, lease_holder = null, lease_expires_at = null,
           lane_turn = $3, lane_blocked = lane is not null,
           available_at = case when lane is null then now() else 'infinity' end
         where id = $1",
        id,
        direction.as_str(),
        turn
    )
    .execute(&mut *db)
    .await
    .map_err(while_doing("queue an operation again"))?;
    if let Some(lane) = &lane {
        lanes::pass_on(db, lane).await?;
    }
    Ok(true)
}

/// Says which operation takes the place of one whose end was asked for.
pub async fn set_successor(db: &mut PgConnection, id: Uuid, by: Uuid) -> Result<()> {
    sqlx::query!("update operations set superseded_by = $2 where id = $1", id, by)
        .execute(db)
        .await
        .map_err(while_doing("say what took an operation's place"))
        .map(drop)
}

/// Asks for the end of one open operation. False when it is not open (any more).
pub async fn request_cancel(db: &mut PgConnection, id: Uuid) -> Result<bool> {
    sqlx::query!(
        "update open_operations set
           cancel_requested_at = coalesce(cancel_requested_at, now()),
           available_at = case when lease_holder is null then least(available_at, now()) else available_at end
         where id = $1",
        id
    )
    .execute(db)
    .await
    .map_err(while_doing("ask for the end of an operation"))
    .map(|done| done.rows_affected() == 1)
}
