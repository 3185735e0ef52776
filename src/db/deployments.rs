//! Deployments of applications, and the revisions that they recorded.

use serde_json::Value;
use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

use super::error::while_doing;
use crate::domain::workload::{Image, SecretVersion, Workload};
use crate::domain::{DeploymentStatus, Error, Result};

/// A deployment's row.
#[derive(Debug, Clone)]
pub struct Deployment {
    pub id: Uuid,
    pub application_id: Uuid,
    /// The operation that carries it out.
    pub operation_id: Option<Uuid>,
    /// Its revision's number.
    pub revision: i32,
    pub status: DeploymentStatus,
    /// How it takes the place of the one before.
    pub strategy: String,
    /// The revision that it restores, if it is a rollback.
    pub restored_revision: Option<i32>,
    /// How far it is, for people.
    pub progress: Value,
}

/// A deployment to be inserted, in status `queued`.
#[derive(Debug)]
pub struct Insert<'a> {
    pub application_id: Uuid,
    pub workload: &'a Workload,
    pub requested_by: Option<Uuid>,
    /// The revision that it restores, if it is a rollback.
    pub restored_revision: Option<i32>,
    /// The build that it deploys, if one asked for it.
    pub build: Option<Uuid>,
    /// What is known of it from the start, for people.
    pub progress: &'a Value,
}

/// The number of an application's next revision. Call it while the application's row is locked.
pub async fn next_revision(db: &mut PgConnection, application: Uuid) -> Result<i32> {
    sqlx::query_scalar!(
        "select greatest(coalesce(max(d.revision), 0) + 1, a.least_revision) as \"next!\"
         from applications a left join deployments d on d.application_id = a.id
         where a.id = $1 group by a.id",
        application
    )
    .fetch_one(db)
    .await
    .map_err(while_doing("number a revision"))
}

/// Inserts a deployment and its revision.
pub async fn insert(db: &mut PgConnection, new: &Insert<'_>) -> Result<Uuid> {
    let workload = new.workload;
    let id = sqlx::query_scalar!(
        "insert into deployments
           (application_id, revision, strategy, image, commit_sha, requested_by, restored_revision, build_id, progress)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9) returning id",
        new.application_id,
        workload.revision,
        workload.strategy.as_str(),
        workload.image.as_str(),
        workload.commit,
        new.requested_by,
        new.restored_revision,
        new.build,
        new.progress
    )
    .fetch_one(&mut *db)
    .await
    .map_err(while_doing("insert a deployment"))?;
    let json = |value: Result<Value, serde_json::Error>| {
        value.map_err(|source| Error::internal("write a revision's settings", source))
    };
    sqlx::query!(
        "insert into deployment_revisions
           (application_id, deployment_id, number, image, commit_sha, environment, secret_versions, replicas, resources,
            strategy, port, settings)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        new.application_id,
        id,
        workload.revision,
        workload.image.as_str(),
        workload.commit,
        json(serde_json::to_value(&workload.variables))?,
        json(serde_json::to_value(&workload.secrets))?,
        i32::try_from(workload.replicas).unwrap_or(i32::MAX),
        json(serde_json::to_value(&workload.resources))?,
        workload.strategy.as_str(),
        i32::from(workload.port),
        json(serde_json::to_value(&workload.settings))?
    )
    .execute(db)
    .await
    .map_err(while_doing("insert a revision"))?;
    Ok(id)
}

/// Says which operation carries a deployment out.
pub async fn set_operation(db: &mut PgConnection, id: Uuid, operation: Uuid) -> Result<()> {
    sqlx::query!("update deployments set operation_id = $2 where id = $1", id, operation)
        .execute(db)
        .await
        .map_err(while_doing("give a deployment its operation"))
        .map(drop)
}

/// A deployment by its id.
pub async fn find(db: impl PgExecutor<'_>, id: Uuid) -> Result<Option<Deployment>> {
    sqlx::query_as!(
        Deployment,
        "select id, application_id, operation_id, revision, status as \"status: DeploymentStatus\", strategy, restored_revision, progress
         from deployments where id = $1 and deleted_at is null",
        id
    )
    .fetch_optional(db)
    .await
    .map_err(while_doing("read a deployment"))
}

/// The deployment that an operation carries out.
pub async fn of_operation(db: impl PgExecutor<'_>, operation: Uuid) -> Result<Option<Deployment>> {
    sqlx::query_as!(
        Deployment,
        "select id, application_id, operation_id, revision, status as \"status: DeploymentStatus\", strategy, restored_revision, progress
         from deployments where operation_id = $1 order by created_at limit 1",
        operation
    )
    .fetch_optional(db)
    .await
    .map_err(while_doing("read an operation's deployment"))
}

/// An application's revision by its number.
pub async fn revision(db: impl PgExecutor<'_>, application: Uuid, number: i32) -> Result<Option<Workload>> {
    let row = sqlx::query_as!(
        Revision,
        "select number, image, commit_sha, environment, secret_versions, replicas, resources, strategy, port, settings
         from deployment_revisions where application_id = $1 and number = $2",
        application,
        number
    )
    .fetch_optional(db)
    .await
    .map_err(while_doing("read a revision"))?;
    row.map(Revision::workload).transpose()
}

/// A revision's row.
#[derive(Debug)]
pub(super) struct Revision {
    pub number: i32,
    pub image: Option<String>,
    pub commit_sha: Option<String>,
    pub environment: Value,
    pub secret_versions: Value,
    pub replicas: i32,
    pub resources: Value,
    pub strategy: String,
    pub port: i32,
    pub settings: Value,
}

impl Revision {
    pub fn workload(self) -> Result<Workload> {
        let unreadable = |source: serde_json::Error| Error::internal("read a revision's settings", source);
        let secrets: std::collections::BTreeMap<String, SecretVersion> =
            serde_json::from_value(self.secret_versions).map_err(unreadable)?;
        Ok(Workload {
            revision: self.number,
            image: Image::parse("image", self.image.as_deref().unwrap_or_default())?,
            commit: self.commit_sha,
            port: u16::try_from(self.port).unwrap_or_default(),
            replicas: u32::try_from(self.replicas).unwrap_or_default(),
            resources: serde_json::from_value(self.resources).map_err(unreadable)?,
            variables: serde_json::from_value(self.environment).map_err(unreadable)?,
            secrets,
            strategy: crate::domain::workload::Strategy::parse(&self.strategy)?,
            settings: serde_json::from_value(self.settings).map_err(unreadable)?,
        })
    }
}

/// The number of the revision that serves an application's traffic, other than `except`.
pub async fn running(db: impl PgExecutor<'_>, application: Uuid, except: Option<Uuid>) -> Result<Option<i32>> {
    sqlx::query_scalar!(
        "select revision from deployments
         where application_id = $1 and status = 'running' and id is distinct from $2 order by revision desc limit 1",
        application,
        except
    )
    .fetch_optional(db)
    .await
    .map_err(while_doing("find the running revision"))
}

/// A deployment in the history of an application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Past {
    pub revision: i32,
    /// The revision that it restored, if it was a rollback.
    pub restored: Option<i32>,
    /// Whether it has served the application's traffic.
    pub served: bool,
    /// Whether it has neither taken its place nor been taken back: it waits, is at work, or has failed.
    pub unsettled: bool,
    /// Whether it was taken back after it had begun: with it all that had failed before it was given up.
    pub given_up: bool,
}

/// All deployments of an application, newest first.
pub async fn history(db: impl PgExecutor<'_>, application: Uuid) -> Result<Vec<Past>> {
    sqlx::query_as!(
        Past,
        r#"select revision, restored_revision as restored,
                  (status in ('running', 'superseded', 'rolled_back') and started_at is not null
                    and finished_at is not null) as "served!",
                  (status in ('queued', 'building', 'deploying', 'paused', 'failed')) as "unsettled!",
                  (status = 'cancelled' and progress->>'before' is not null) as "given_up!"
           from deployments where application_id = $1 order by revision desc"#,
        application
    )
    .fetch_all(db)
    .await
    .map_err(while_doing("read an application's deployments"))
}

fn before(to: DeploymentStatus) -> Vec<String> {
    <DeploymentStatus as strum::IntoEnumIterator>::iter()
        .filter(|status| status.may_become(to))
        .map(|status| status.as_str().to_owned())
        .collect()
}

/// Moves a deployment to a status if it is in one from which that is legal. False when it is not.
pub async fn move_to(db: &mut PgConnection, id: Uuid, to: DeploymentStatus, error: Option<&str>) -> Result<bool> {
    sqlx::query!(
        "update deployments set
           status = $2, error = $3,
           started_at = case when $2 = 'deploying' then coalesce(started_at, now()) else started_at end,
           finished_at = case when $2 in ('queued', 'deploying', 'paused') then null
                              else coalesce(finished_at, now()) end
         where id = $1 and status = any($4)",
        id,
        to.as_str(),
        error,
        &before(to)
    )
    .execute(db)
    .await
    .map_err(while_doing("change a deployment's status"))
    .map(|done| done.rows_affected() == 1)
}

/// Says that a deployment took the place of every other one that was running.
pub async fn replace(db: &mut PgConnection, application: Uuid, by: Uuid, to: DeploymentStatus) -> Result<()> {
    sqlx::query!(
        "update deployments set status = $3 where application_id = $1 and id <> $2 and status = 'running'",
        application,
        by,
        to.as_str()
    )
    .execute(db)
    .await
    .map_err(while_doing("replace the running deployment"))
    .map(drop)
}

/// Says how far a deployment is: the keys given are set, the others stay.
pub async fn progress(db: &mut PgConnection, id: Uuid, progress: &Value) -> Result<()> {
    sqlx::query!(
        "update deployments set progress = progress || $2 where id = $1 and progress || $2 <> progress",
        id,
        progress
    )
    .execute(db)
    .await
    .map_err(while_doing("record a deployment's progress"))
    .map(drop)
}
