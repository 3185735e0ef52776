//! The journal of an operation's steps. Every function here runs in a transaction that has checked the lease
//! ([`super::operations::fence`]) or that inserts the operation.

use std::time::Duration;

use serde_json::Value;
use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

use super::error::while_doing;
use crate::domain::{Result, StepStatus};

/// One step's row in the journal.
#[derive(Debug, Clone)]
pub struct Step {
    /// Its place in the flow, from 0.
    pub ordinal: i32,
    /// Its name in the flow.
    pub name: String,
    /// How far it is.
    pub status: StepStatus,
    /// Tries since the world last answered.
    pub attempt: i32,
    /// What it is doing, for people.
    pub detail: Option<String>,
    pub result: Option<Value>,
    /// Seconds since it began, without outages, by the database's clock; 0 when it has not.
    pub seconds: f64,
    /// Seconds of them for which it waited for signals.
    pub parked: f64,
    /// Seconds since when what it needs is away; `None` when that is there.
    pub outage: Option<f64>,
}

/// What a try of a step has had before it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tried {
    /// The try's number; 0 for a look at something that is waited for.
    pub attempt: u32,
    /// How long ago the step first began, without outages.
    pub elapsed: Duration,
    /// How much of that it has waited for signals.
    pub parked: Duration,
    /// How long what it needs has been away, as of the last try.
    pub outage: Option<Duration>,
}

impl Step {
    /// The same as a try, for a look that is no new one.
    pub fn tried(&self) -> Tried {
        Tried {
            attempt: u32::try_from(self.attempt).unwrap_or(0),
            elapsed: seconds(self.seconds),
            parked: seconds(self.parked),
            outage: self.outage.map(seconds),
        }
    }
}

fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

/// Why a step waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waits {
    /// The world answered, and is not there yet.
    World,
    /// For a signal.
    Signal,
    /// Its work failed, and is done again.
    Fault,
    /// What it needs is away as a whole.
    Outage,
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
        "select ordinal, name, status as \"status: StepStatus\", attempt, detail, result,
                coalesce(extract(epoch from now() - started_at) - outage_seconds
                           - coalesce(extract(epoch from now() - outage_since), 0), 0)::float8 as \"seconds!\",
                (parked_seconds + coalesce(extract(epoch from now() - parked_since), 0))::float8 as \"parked!\",
                extract(epoch from now() - outage_since)::float8 as outage
         from operation_steps where operation_id = $1 order by ordinal",
        operation
    )
    .fetch_all(db)
    .await
    .map_err(while_doing("read an operation's steps"))
}

/// Begins a try of a step. Its detail says so: what was said of the try before is true no more, but for an outage, which
/// lasts until a try says otherwise.
pub async fn begin(
    db: &mut PgConnection,
    operation: Uuid,
    ordinal: i32,
    status: StepStatus,
    tries: i32,
) -> Result<Tried> {
    let row = sqlx::query!(
        "update operation_steps step set
           started_at = case when before.fresh then now() else coalesce(step.started_at, now()) end,
           attempt = case when before.fresh then 1 else step.attempt + 1 end,
           detail = case when before.fresh or step.attempt = 0 and step.outage_since is null then null
                         when step.outage_since is not null then step.detail
                         else format('try %s of %s', step.attempt + 1, $4::integer) end,
           outage_since = case when before.fresh then null else step.outage_since end,
           outage_seconds = case when before.fresh then 0 else step.outage_seconds end,
           parked_since = null,
           parked_seconds = case when before.fresh then 0
             else step.parked_seconds + coalesce(extract(epoch from now() - step.parked_since), 0) end,
           status = $3, finished_at = null
         from (select id, status in ('pending', 'failed', 'undo_failed') or (status <> $3 and $3 = 'undoing') as fresh
               from operation_steps where operation_id = $1 and ordinal = $2) before
         where step.id = before.id
         returning step.attempt,
           (extract(epoch from now() - step.started_at) - step.outage_seconds
             - coalesce(extract(epoch from now() - step.outage_since), 0))::float8 as \"seconds!\",
           step.parked_seconds as parked, extract(epoch from now() - step.outage_since)::float8 as outage",
        operation,
        ordinal,
        status.as_str(),
        tries
    )
    .fetch_one(db)
    .await
    .map_err(while_doing("begin a step"))?;
    Ok(Tried {
        attempt: u32::try_from(row.attempt).unwrap_or(0),
        elapsed: seconds(row.seconds),
        parked: seconds(row.parked),
        outage: row.outage.map(seconds),
    })
}

/// Ends a step with its result (kept when `None`). False when that is recorded already, as after a commit whose
/// answer was lost.
pub async fn finish(
    db: &mut PgConnection,
    operation: Uuid,
    ordinal: i32,
    status: StepStatus,
    detail: Option<&str>,
    result: Option<&Value>,
) -> Result<bool> {
    sqlx::query!(
        "update operation_steps set status = $3, detail = $4, result = coalesce($5, result), finished_at = now()
         where operation_id = $1 and ordinal = $2 and status in ('running', 'waiting', 'undoing')",
        operation,
        ordinal,
        status.as_str(),
        detail,
        result
    )
    .execute(db)
    .await
    .map_err(while_doing("finish a step"))
    .map(|done| done.rows_affected() == 1)
}

/// Says what a step waits for, and why. `attempt` 0 means that the world answered: faults count anew from here. The time
/// of an outage, and that of a wait for a signal, are counted until the step's next word.
pub async fn wait(
    db: &mut PgConnection,
    operation: Uuid,
    ordinal: i32,
    status: StepStatus,
    attempt: i32,
    detail: &str,
    why: Waits,
) -> Result<()> {
    sqlx::query!(
        "update operation_steps set status = $3, attempt = $4, detail = $5,
           outage_seconds = outage_seconds
             + case when $6 then 0 else coalesce(extract(epoch from now() - outage_since), 0) end,
           outage_since = case when $6 then coalesce(outage_since, now()) end,
           parked_seconds = parked_seconds + coalesce(extract(epoch from now() - parked_since), 0),
           parked_since = case when $7 then now() end
         where operation_id = $1 and ordinal = $2
           and (status, attempt, coalesce(detail, ''), outage_since is not null, parked_since is not null)
             is distinct from ($3, $4, $5, $6, $7)",
        operation,
        ordinal,
        status.as_str(),
        attempt,
        detail,
        why == Waits::Outage,
        why == Waits::Signal
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
