//! Which worker has which operation: claims under a lease, shared fairly between teams.
//!
//! Leases and due times are the database's own (`now()`). What waits for its turn in a lane, or for a signal alone, is
//! due at infinity, so that no claim looks at it.

use std::time::Duration;

use sqlx::PgExecutor;

use super::error::while_doing;
use super::operations::Operation;
use crate::domain::{Direction, OperationStatus, Result};

/// What a worker asks for.
#[derive(Debug, Clone, Copy)]
pub struct Claim<'a> {
    /// The worker's name.
    pub holder: &'a str,
    /// How long the claim holds without renewal.
    pub lease: Duration,
    /// The flows that the worker knows, by kind and version.
    pub known: &'a [(String, i32)],
    /// At most so many operations.
    pub limit: i64,
    /// How many operations of one team may be worked on at once, whoever works on them.
    pub per_team: i64,
}

/// Claims due operations of the known flows: nobody else gets them until the lease has passed.
///
/// Teams take turns: the team with the fewest operations at work comes first, and within a team what has been due for
/// longest. An operation whose lease lapsed is due again, so the same statement takes over from a worker that died.
/// Several workers that claim at the very same time may together exceed `per_team` by what each of them claims.
pub async fn claim(db: impl PgExecutor<'_>, claim: &Claim<'_>) -> Result<Vec<Operation>> {
    let (kinds, versions): (Vec<String>, Vec<i32>) = claim.known.iter().cloned().unzip();
    // The recursion steps from one team with open operations to the next through an index, whatever their number.
    sqlx::query_as!(
        Operation,
        "with recursive team (id) as (
           (select team_id from open_operations order by team_id limit 1)
           union all
           select (select o.team_id from open_operations o where o.team_id > team.id order by o.team_id limit 1)
           from team where team.id is not null
         ), candidate as (
           select due.id, due.available_at,
                  busy.count + row_number() over (partition by team.id order by due.available_at, due.id) as turn
           from team
           cross join lateral (
             select count(*) as count from open_operations o
             where o.team_id = team.id and o.lease_holder is not null and o.lease_expires_at > now()
           ) busy
           cross join lateral (
             select o.id, o.available_at from open_operations o
             where o.team_id = team.id and o.available_at <= now()
               and exists (
                 select 1 from unnest($3::text[], $4::integer[]) known (kind, version)
                 where known.kind = o.kind and known.version = o.flow_version)
             order by o.available_at, o.id
             limit least($5, greatest($6 - busy.count, 0))
           ) due
         ), due as (
           select id from open_operations
           where id = any (array(select id from candidate order by turn, available_at, id limit $5))
             and available_at <= now()
           for update skip locked
         )
         update operations o set
           generation = o.generation + 1,
           lease_holder = $1,
           lease_expires_at = now() + make_interval(secs => $2),
           available_at = now() + make_interval(secs => $2),
           status = case when o.status = 'waiting' then 'waiting' else 'running' end,
           started_at = coalesce(o.started_at, now()),
           woken = false
         from due
         where o.id = due.id
         returning o.id, o.kind, o.flow_version, o.status as \"status: OperationStatus\", o.team_id, o.subject_type,
                   o.subject_id, o.requested_by, o.input, o.correlation_id, o.direction as \"direction: Direction\",
                   o.generation, o.cancel_requested_at, o.error_message, o.idempotency_digest, o.lane, o.lane_blocked",
        claim.holder,
        claim.lease.as_secs_f64(),
        &kinds,
        &versions,
        claim.limit,
        claim.per_team
    )
    .fetch_all(db)
    .await
    .map_err(while_doing("claim operations"))
}

/// How long until the next operation can be claimed; zero when one can be already. What a team's limit holds back does
/// not count: it can be claimed once another operation of the team lets go, and whoever had that one looks again then.
pub async fn next_due(db: impl PgExecutor<'_>, known: &[(String, i32)], per_team: i64) -> Result<Option<Duration>> {
    let (kinds, versions): (Vec<String>, Vec<i32>) = known.iter().cloned().unzip();
    let seconds = sqlx::query_scalar!(
        "with recursive team (id) as (
           (select team_id from open_operations order by team_id limit 1)
           union all
           select (select o.team_id from open_operations o where o.team_id > team.id order by o.team_id limit 1)
           from team where team.id is not null
         )
         select extract(epoch from min(due.available_at) - now())::float8
         from team
         cross join lateral (
           select count(*) as count from open_operations o
           where o.team_id = team.id and o.lease_holder is not null and o.lease_expires_at > now()
         ) busy
         cross join lateral (
           select o.available_at from open_operations o
           where o.team_id = team.id
             and o.available_at < 'infinity' and (o.available_at > now() or busy.count < $3)
             and exists (
               select 1 from unnest($1::text[], $2::integer[]) known (kind, version)
               where known.kind = o.kind and known.version = o.flow_version)
           order by o.available_at, o.id limit 1
         ) due",
        &kinds,
        &versions,
        per_team
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
        "select kind as \"kind!\", flow_version as \"flow_version!\", count(*) as \"count!\" from open_operations o
         where not exists (
             select 1 from unnest($1::text[], $2::integer[]) known (kind, version)
             where known.kind = o.kind and known.version = o.flow_version)
         group by kind, flow_version order by kind, flow_version",
        &kinds,
        &versions
    )
    .fetch_all(db)
    .await
    .map_err(while_doing("look for operations of unknown flows"))?;
    Ok(rows.into_iter().map(|row| (row.kind, row.flow_version, row.count)).collect())
}

/// Who holds leases of open operations.
pub async fn holders(db: impl PgExecutor<'_>) -> Result<Vec<String>> {
    sqlx::query_scalar!(
        "select distinct lease_holder as \"holder!\" from open_operations where lease_holder is not null"
    )
    .fetch_all(db)
    .await
    .map_err(while_doing("look who holds leases"))
}

/// Takes the leases of these holders away: their operations are due, and whoever still writes under them is refused.
pub async fn take_from(db: impl PgExecutor<'_>, holders: &[String]) -> Result<u64> {
    sqlx::query!(
        "update open_operations set
           generation = generation + 1, lease_holder = null, lease_expires_at = null, available_at = now()
         where lease_holder = any ($1)",
        holders
    )
    .execute(db)
    .await
    .map_err(while_doing("take leases from workers that have ended"))
    .map(|done| done.rows_affected())
}

/// Lets every lease lapse now, as time would: the operations are due, and their workers do not know. For tests and for
/// an operator who knows that the workers are dead.
#[cfg(feature = "dev")]
pub async fn lapse(db: impl PgExecutor<'_>) -> Result<u64> {
    sqlx::query!(
        "update open_operations set lease_expires_at = now(), available_at = now() where lease_holder is not null"
    )
    .execute(db)
    .await
    .map_err(while_doing("let leases lapse"))
    .map(|done| done.rows_affected())
}
