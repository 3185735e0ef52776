//! A database that was put back from a backup: nobody may go on under a lease that the backup remembers.
//!
//! A lease that was held when the backup was taken looks as good as ever in the database that was put back, and the
//! generations that were given since will be given again. So whoever held an operation could write into one that has
//! gone back to an earlier step, and the bridge go on behind events that are not written any more. Likewise the numbers
//! of revisions: what the cluster has under one that was given since would pass for the next one of that number.

use sqlx::PgConnection;

use super::error::while_doing;
use crate::domain::Result;

/// How much was taken from whoever held it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Fenced {
    /// Operations that are open, or that can be queued again.
    pub operations: u64,
    /// Leases of background work.
    pub leases: u64,
    /// Applications, whose next revisions have numbers that were not given before.
    pub applications: u64,
}

/// Takes every lease away, and leaves out the numbers that may have been given after the backup was taken. Generations go
/// on from the database's time in seconds, and revisions from that in minutes: beyond any given before, as long as since
/// the last such leap no operation was claimed more than once a second, and no application deployed more than once a
/// minute.
pub async fn fence(connection: &mut PgConnection) -> Result<Fenced> {
    let operations = sqlx::query!(
        "update operations set
           generation = greatest(generation + 1, extract(epoch from now())::bigint),
           available_at = case when lease_holder is null then available_at else least(available_at, now()) end,
           lease_holder = null, lease_expires_at = null
         where status in ('queued', 'running', 'waiting', 'failed')"
    )
    .execute(&mut *connection)
    .await
    .map_err(while_doing("take the leases of operations"))?;
    let leases = sqlx::query!(
        "update leases set
           generation = greatest(generation + 1, extract(epoch from now())::bigint), expires_at = '-infinity'"
    )
    .execute(&mut *connection)
    .await
    .map_err(while_doing("take the leases of background work"))?;
    let applications = sqlx::query!(
        "update applications set least_revision = greatest(least_revision, (extract(epoch from now()) / 60)::integer)"
    )
    .execute(connection)
    .await
    .map_err(while_doing("leave out the numbers of revisions"))?;
    Ok(Fenced {
        operations: operations.rows_affected(),
        leases: leases.rows_affected(),
        applications: applications.rows_affected(),
    })
}
