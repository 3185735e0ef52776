//! What keeps operations in order beside their workers: lapsed leases, and operations that need a person.

use std::time::Duration;

use sqlx::PgExecutor;
use uuid::Uuid;

use super::error::while_doing;
use crate::domain::Result;

/// How many open operations there are by status, for the metrics.
pub async fn open_by_status(db: impl PgExecutor<'_>) -> Result<Vec<(String, i64)>> {
    let rows =
        sqlx::query!("select status as \"status!\", count(*) as \"count!\" from open_operations group by status")
            .fetch_all(db)
            .await
            .map_err(while_doing("count open operations"))?;
    Ok(rows.into_iter().map(|row| (row.status, row.count)).collect())
}

/// Gives the leases that have lapsed back, so that `lease_holder` names only workers that live. Answers how many.
pub async fn sweep_lapsed(db: impl PgExecutor<'_>) -> Result<u64> {
    sqlx::query!(
        "update open_operations set generation = generation + 1, lease_holder = null, lease_expires_at = null
         where lease_expires_at < now()"
    )
    .execute(db)
    .await
    .map_err(while_doing("sweep lapsed leases"))
    .map(|done| done.rows_affected())
}

/// An operation that needs a person.
#[derive(Debug, Clone)]
pub struct Stuck {
    pub id: Uuid,
    pub team_id: Uuid,
    /// Its flow.
    pub kind: String,
    /// Why.
    pub reason: String,
}

/// The failed operations that could not be taken back.
pub async fn not_undone(db: impl PgExecutor<'_>) -> Result<Vec<Stuck>> {
    sqlx::query_as!(
        Stuck,
        "select id, team_id, kind, stuck_reason as \"reason!\" from operations
         where status = 'failed' and stuck_reason is not null order by created_at, id"
    )
    .fetch_all(db)
    .await
    .map_err(while_doing("look for operations that could not be taken back"))
}

/// The open operations that have been due for longer than `overdue` and that nobody has claimed.
pub async fn unclaimed(db: impl PgExecutor<'_>, overdue: Duration) -> Result<Vec<Stuck>> {
    sqlx::query_as!(
        Stuck,
        "select id as \"id!\", team_id as \"team_id!\", kind as \"kind!\",
                'version ' || flow_version || ' is due, and no worker has taken it' as \"reason!\"
         from open_operations
         where available_at < now() - make_interval(secs => $1)
           and (lease_expires_at is null or lease_expires_at < now())
         order by created_at, id",
        overdue.as_secs_f64()
    )
    .fetch_all(db)
    .await
    .map_err(while_doing("look for operations that nobody claims"))
}
