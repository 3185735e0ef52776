//! Preview environments.

use serde_json::Value;
use sqlx::{PgConnection, PgExecutor};
use std::time::Duration;
use uuid::Uuid;

use super::error::while_doing;
use crate::domain::{PreviewStatus, Result};

/// A preview environment's row, with its application's team.
#[derive(Debug, Clone)]
pub struct Preview {
    pub id: Uuid,
    /// The application that it is a copy of.
    pub application_id: Uuid,
    /// The team of the application's project.
    pub team_id: Uuid,
    pub name: String,
    pub namespace: Option<String>,
    pub status: PreviewStatus,
    /// The operation that last worked on it.
    pub operation_id: Option<Uuid>,
}

/// A preview environment to be inserted, in status `queued`.
#[derive(Debug)]
pub struct Insert<'a> {
    /// Its id, of which its namespace is made.
    pub id: Uuid,
    pub application_id: Uuid,
    pub name: &'a str,
    pub branch: &'a str,
    /// The pull request's number.
    pub pull_request: Option<i32>,
    pub image: &'a str,
    pub namespace: &'a str,
    /// What differs from the application.
    pub overrides: &'a Value,
    /// How long it is to live.
    pub time_to_live: Duration,
}

/// Inserts a preview environment.
///
/// # Errors
/// `already-exists` when the application has one of that name.
pub async fn insert(db: &mut PgConnection, new: &Insert<'_>) -> Result<()> {
    sqlx::query!(
        "insert into preview_environments
           (id, application_id, name, branch, pull_request, image, namespace, overrides, expires_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, now() + make_interval(secs => $9))",
        new.id,
        new.application_id,
        new.name,
        new.branch,
        new.pull_request,
        new.image,
        new.namespace,
        new.overrides,
        new.time_to_live.as_secs_f64()
    )
    .execute(db)
    .await
    .map_err(while_doing("insert a preview environment"))
    .map(drop)
}

/// A preview environment by its id, deleted ones too.
pub async fn find(db: impl PgExecutor<'_>, id: Uuid) -> Result<Option<Preview>> {
    sqlx::query_as!(
        Preview,
        "select e.id, e.application_id, p.team_id, e.name, e.namespace, e.status as \"status: PreviewStatus\", e.operation_id
         from preview_environments e
           join applications a on a.id = e.application_id join projects p on p.id = a.project_id
         where e.id = $1",
        id
    )
    .fetch_optional(db)
    .await
    .map_err(while_doing("read a preview environment"))
}

/// The same, locked until the transaction ends.
pub async fn lock(db: &mut PgConnection, id: Uuid) -> Result<Option<Preview>> {
    sqlx::query_as!(
        Preview,
        "select e.id, e.application_id, p.team_id, e.name, e.namespace, e.status as \"status: PreviewStatus\", e.operation_id
         from preview_environments e
           join applications a on a.id = e.application_id join projects p on p.id = a.project_id
         where e.id = $1 for update of e",
        id
    )
    .fetch_optional(db)
    .await
    .map_err(while_doing("lock a preview environment"))
}

/// The preview environments whose time is over, or whose application is deleted, and that are not on their way out.
pub async fn expired(db: impl PgExecutor<'_>) -> Result<Vec<Uuid>> {
    sqlx::query_scalar!(
        "select e.id from preview_environments e
           join applications a on a.id = e.application_id join projects p on p.id = a.project_id
         where (e.expires_at <= now() or a.deleted_at is not null or p.deleted_at is not null)
           and e.deleted_at is null and e.status in ('queued', 'deploying', 'running', 'failed')
         order by e.expires_at limit 100"
    )
    .fetch_all(db)
    .await
    .map_err(while_doing("find expired preview environments"))
}

/// A preview environment of which something may be in the cluster.
#[derive(Debug)]
pub struct Left {
    pub id: Uuid,
    pub name: String,
    pub status: PreviewStatus,
    /// Why it failed.
    pub error: Option<String>,
}

/// The preview environments of an application that are not gone.
pub async fn of_application(db: impl PgExecutor<'_>, application: Uuid) -> Result<Vec<Left>> {
    sqlx::query_as!(
        Left,
        "select id, name, status as \"status: PreviewStatus\", error from preview_environments
         where application_id = $1 and deleted_at is null order by name",
        application
    )
    .fetch_all(db)
    .await
    .map_err(while_doing("list an application's preview environments"))
}

/// Says which operation works on a preview environment.
pub async fn set_operation(db: &mut PgConnection, id: Uuid, operation: Uuid) -> Result<()> {
    sqlx::query!("update preview_environments set operation_id = $2 where id = $1", id, operation)
        .execute(db)
        .await
        .map_err(while_doing("give a preview environment its operation"))
        .map(drop)
}

/// Says under which address a preview environment is reached.
pub async fn set_url(db: &mut PgConnection, id: Uuid, url: Option<&str>) -> Result<()> {
    sqlx::query!("update preview_environments set url = $2 where id = $1 and url is distinct from $2", id, url)
        .execute(db)
        .await
        .map_err(while_doing("set a preview environment's address"))
        .map(drop)
}

/// Moves a preview environment to a status if it is in one from which that is legal. False when it is not.
pub async fn move_to(db: &mut PgConnection, id: Uuid, to: PreviewStatus, error: Option<&str>) -> Result<bool> {
    let from: Vec<String> = <PreviewStatus as strum::IntoEnumIterator>::iter()
        .filter(|status| status.may_become(to))
        .map(|status| status.as_str().to_owned())
        .collect();
    sqlx::query!(
        "update preview_environments set
           status = $2, error = $3, deleted_at = case when $2 = 'deleted' then now() else deleted_at end
         where id = $1 and status = any($4)",
        id,
        to.as_str(),
        error,
        &from
    )
    .execute(db)
    .await
    .map_err(while_doing("change a preview environment's status"))
    .map(|done| done.rows_affected() == 1)
}
