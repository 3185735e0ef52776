//! What events lead to in the tables: written by the handlers of events, each of which may get an event twice.

use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

use super::error::while_doing;
use crate::domain::Result;

/// Keeps that a consumer has handled an event. False when it had before: nothing more is to be done then.
pub async fn first_time(db: &mut PgConnection, consumer: &str, event: Uuid) -> Result<bool> {
    sqlx::query!(
        "insert into handled_events (consumer, event_id) values ($1, $2) on conflict do nothing",
        consumer,
        event
    )
    .execute(db)
    .await
    .map_err(while_doing("keep that an event was handled"))
    .map(|done| done.rows_affected() == 1)
}

/// Forgets events that were handled so long ago that no stream keeps them any more. Answers how many.
pub async fn forget(db: impl PgExecutor<'_>) -> Result<u64> {
    sqlx::query!("delete from handled_events where created_at < now() - interval '400 days'")
        .execute(db)
        .await
        .map_err(while_doing("forget events that were handled long ago"))
        .map(|done| done.rows_affected())
}

/// A build, and what waits for it.
#[derive(Debug, Clone)]
pub struct Build {
    /// The application that it is for.
    pub application: Uuid,
    pub status: String,
    /// What it made.
    pub image: Option<String>,
    /// The commit that it was made from.
    pub commit: Option<String>,
    /// Why it failed.
    pub error: Option<String>,
    /// Whether the application deploys what was built by itself.
    pub auto_deploy: bool,
}

/// A build by its id, with its application's wish.
pub async fn build(db: impl PgExecutor<'_>, id: Uuid) -> Result<Option<Build>> {
    sqlx::query_as!(
        Build,
        "select b.application_id as application, b.status, b.image, b.commit_sha as commit, b.error,
                coalesce(a.settings -> 'autoDeploy' = 'true'::jsonb, false)
                  and a.deleted_at is null as \"auto_deploy!\"
         from builds b join applications a on a.id = b.application_id
         where b.id = $1 and b.deleted_at is null",
        id
    )
    .fetch_optional(db)
    .await
    .map_err(while_doing("read a build"))
}

/// Says in the deployments that wait for a build how it goes. Answers the operations that carry them out.
pub async fn show_build(db: &mut PgConnection, build: Uuid, status: &str) -> Result<Vec<Uuid>> {
    sqlx::query_scalar!(
        "update deployments set progress = progress || jsonb_build_object('build', $2::text)
         where build_id = $1 and status in ('queued', 'building') and progress ->> 'build' is distinct from $2
         returning operation_id",
        build,
        status
    )
    .fetch_all(db)
    .await
    .map_err(while_doing("show a build's progress"))
    .map(|operations| operations.into_iter().flatten().collect())
}

/// Whether a deployment of a build was asked for.
pub async fn is_deployed(db: impl PgExecutor<'_>, build: Uuid) -> Result<bool> {
    sqlx::query_scalar!("select exists (select 1 from deployments where build_id = $1) as \"is!\"", build)
        .fetch_one(db)
        .await
        .map_err(while_doing("look for a build's deployment"))
}

/// A cluster, as its alerts need it.
#[derive(Debug, Clone)]
pub struct Cluster {
    pub team_id: Uuid,
    pub name: String,
    pub status: String,
    pub error: Option<String>,
}

/// A cluster by its id, locked until the transaction ends.
pub async fn lock_cluster(db: &mut PgConnection, id: Uuid) -> Result<Option<Cluster>> {
    sqlx::query_as!(Cluster, "select team_id, name, status, error from clusters where id = $1 for update", id)
        .fetch_optional(db)
        .await
        .map_err(while_doing("lock a cluster"))
}

/// Gives a cluster another status, with what is wrong with it.
pub async fn set_cluster_status(db: &mut PgConnection, id: Uuid, status: &str, error: Option<&str>) -> Result<()> {
    sqlx::query!(
        "update clusters set status = $2, error = $3 where id = $1 and (status, error) is distinct from ($2, $3)",
        id,
        status,
        error
    )
    .execute(db)
    .await
    .map_err(while_doing("set a cluster's status"))
    .map(drop)
}
