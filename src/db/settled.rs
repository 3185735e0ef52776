//! Applications on which nothing is being done, and what of them is to be in the cluster: for reconcilers.

use serde_json::Value;
use sqlx::{PgConnection, PgExecutor};
use time::OffsetDateTime;
use uuid::Uuid;

use super::deployments::Revision;
use super::error::while_doing;
use crate::domain::workload::Workload;
use crate::domain::{ApplicationStatus, Result};

/// An application that is to be in the cluster as its running revision says.
#[derive(Debug)]
pub struct Settled {
    pub id: Uuid,
    /// The team of its project.
    pub team_id: Uuid,
    pub project_id: Uuid,
    pub environment: String,
    /// The namespace of its objects.
    pub namespace: String,
    /// The name of its objects.
    pub workload: String,
    /// Whether differences are put right.
    pub heal_drift: bool,
    /// The revision that runs.
    pub revision: Workload,
    /// The input of the newest change of its size since then.
    pub change: Option<Value>,
}

/// Applications that may be [settled](of), by their place.
pub async fn candidates(db: impl PgExecutor<'_>) -> Result<Vec<Uuid>> {
    sqlx::query_scalar!(
        "select id from applications
         where status in ('running', 'degraded', 'stopped') and deleted_at is null
           and namespace is not null and workload is not null
         order by namespace, workload"
    )
    .fetch_all(db)
    .await
    .map_err(while_doing("list applications that may be settled"))
}

/// Of applications, those with a running revision whose newest operation has come to its end. One that has failed is
/// left to a person: what it left is kept.
pub async fn of(db: impl PgExecutor<'_>, ids: &[Uuid]) -> Result<Vec<Settled>> {
    let rows = sqlx::query!(
        r#"select a.id, p.team_id, a.project_id, a.environment, a.namespace as "namespace!", a.workload as "workload!",
                  a.heal_drift, r.number, r.image, r.commit_sha, r.environment as variables, r.secret_versions,
                  r.replicas, r.resources, r.strategy, r.port, r.settings, c.input as "change?"
           from applications a
           join projects p on p.id = a.project_id
           cross join lateral (
             select d.id, d.revision, d.created_at from deployments d
             where d.application_id = a.id and d.status = 'running' order by d.revision desc limit 1) d
           join deployment_revisions r on r.application_id = a.id and r.number = d.revision
           left join lateral (
             select o.status from operations o where o.subject_type = 'application' and o.subject_id = a.id
             order by o.created_at desc, o.id desc limit 1) newest on true
           left join lateral (
             select o.input from operations o
             where o.subject_type = 'application' and o.subject_id = a.id and o.status = 'succeeded'
               and o.kind in ('application.scale', 'application.start', 'application.stop')
               and o.created_at > d.created_at
             order by o.created_at desc, o.id desc limit 1) c on true
           where a.id = any($1)
             and a.status in ('running', 'degraded', 'stopped') and a.deleted_at is null and p.deleted_at is null
             and a.namespace is not null and a.workload is not null
             and coalesce(newest.status, 'succeeded') in ('succeeded', 'cancelled')"#,
        ids
    )
    .fetch_all(db)
    .await
    .map_err(while_doing("list settled applications"))?;
    let settled = rows.into_iter().map(|row| {
        let revision = Revision {
            number: row.number,
            image: row.image,
            commit_sha: row.commit_sha,
            environment: row.variables,
            secret_versions: row.secret_versions,
            replicas: row.replicas,
            resources: row.resources,
            strategy: row.strategy,
            port: row.port,
            settings: row.settings,
        };
        Ok(Settled {
            id: row.id,
            team_id: row.team_id,
            project_id: row.project_id,
            environment: row.environment,
            namespace: row.namespace,
            workload: row.workload,
            heal_drift: row.heal_drift,
            revision: revision.workload()?,
            change: row.change,
        })
    });
    settled.collect()
}

/// Locks an application and says whether its running revision is still that one and nothing is being done to it. While
/// the transaction lasts, nothing can be begun.
pub async fn hold(db: &mut PgConnection, id: Uuid, revision: i32) -> Result<bool> {
    let locked = sqlx::query_scalar!("select id from applications where id = $1 and deleted_at is null for update", id)
        .fetch_optional(&mut *db)
        .await
        .map_err(while_doing("lock an application"))?;
    if locked.is_none() {
        return Ok(false);
    }
    sqlx::query_scalar!(
        r#"select coalesce((select status from operations where subject_type = 'application' and subject_id = $1
                            order by created_at desc, id desc limit 1), 'succeeded') in ('succeeded', 'cancelled')
              and (select max(revision) from deployments where application_id = $1 and status = 'running') = $2
              as "settled!""#,
        id,
        revision
    )
    .fetch_one(db)
    .await
    .map_err(while_doing("see whether an application is settled"))
}

/// An application that is to serve.
#[derive(Debug)]
pub struct Serving {
    pub id: Uuid,
    /// The team of its project.
    pub team_id: Uuid,
    /// The namespace of its objects.
    pub namespace: String,
    /// `running` or `degraded`.
    pub status: ApplicationStatus,
    /// Whether its newest deployment is the one that serves, or was taken back to that.
    pub newest_serves: bool,
}

/// The applications that are to serve and on which nothing is being done.
pub async fn serving(db: impl PgExecutor<'_>) -> Result<Vec<Serving>> {
    sqlx::query_as!(
        Serving,
        r#"select a.id, p.team_id, a.namespace as "namespace!", a.status as "status: ApplicationStatus",
                  coalesce((select d.status in ('running', 'cancelled') from deployments d
                            where d.application_id = a.id
                              and (d.status <> 'cancelled' or d.progress->>'before' is not null)
                            order by d.revision desc limit 1), false) as "newest_serves!"
           from applications a
           join projects p on p.id = a.project_id
           where a.status in ('running', 'degraded') and a.deleted_at is null and p.deleted_at is null
             and a.namespace is not null
             and not exists (select 1 from open_operations o
                             where o.subject_type = 'application' and o.subject_id = a.id)"#
    )
    .fetch_all(db)
    .await
    .map_err(while_doing("list serving applications"))
}

/// The database's time: workers' clocks may be wrong.
pub async fn now(db: impl PgExecutor<'_>) -> Result<OffsetDateTime> {
    sqlx::query_scalar!(r#"select clock_timestamp() as "now!""#)
        .fetch_one(db)
        .await
        .map_err(while_doing("ask for the time"))
}

/// Moves those of the applications that are in one status to another.
pub async fn move_from(
    db: &mut PgConnection,
    ids: &[Uuid],
    from: ApplicationStatus,
    to: ApplicationStatus,
) -> Result<u64> {
    sqlx::query!(
        "update applications set status = $3 where id = any($1) and status = $2",
        ids,
        from.as_str(),
        to.as_str()
    )
    .execute(db)
    .await
    .map_err(while_doing("change the status of applications"))
    .map(|done| done.rows_affected())
}

/// Of namespaces, those in which a live application or preview environment is.
pub async fn inhabited(db: impl PgExecutor<'_>, namespaces: &[String]) -> Result<Vec<String>> {
    sqlx::query_scalar!(
        r#"select a.namespace as "namespace!" from applications a join projects p on p.id = a.project_id
           where a.namespace = any($1) and a.deleted_at is null and p.deleted_at is null and a.status <> 'deleted'
           union
           select v.namespace from preview_environments v where v.namespace = any($1) and v.deleted_at is null"#,
        namespaces
    )
    .fetch_all(db)
    .await
    .map_err(while_doing("find the inhabitants of namespaces"))
}

/// The teams of projects, deleted ones too: (project, team).
pub async fn teams_of_projects(db: impl PgExecutor<'_>, projects: &[Uuid]) -> Result<Vec<(Uuid, Uuid)>> {
    let rows = sqlx::query!("select id, team_id from projects where id = any($1)", projects)
        .fetch_all(db)
        .await
        .map_err(while_doing("find the teams of projects"))?;
    Ok(rows.into_iter().map(|row| (row.id, row.team_id)).collect())
}
