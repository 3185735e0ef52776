//! Applications, and the variables that they are given.

use serde_json::Value;
use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

use super::error::while_doing;
use crate::domain::{ApplicationStatus, Result};

/// An application's row, with the team of its project.
#[derive(Debug, Clone)]
pub struct Application {
    pub id: Uuid,
    /// The team of its project.
    pub team_id: Uuid,
    pub project_id: Uuid,
    /// The cluster that was chosen for it.
    pub cluster_id: Option<Uuid>,
    pub name: String,
    /// Its environment, such as `production`.
    pub environment: String,
    /// The image that a deployment without one takes.
    pub image: Option<String>,
    /// The port on which it serves HTTP.
    pub port: i32,
    /// How many pods it is to have.
    pub replicas: i32,
    /// The size of a pod.
    pub resources: Value,
    /// How a new revision takes the place of the one before.
    pub strategy: String,
    /// All the rest.
    pub settings: Value,
    pub status: ApplicationStatus,
    /// The namespace of its objects, once it was deployed.
    pub namespace: Option<String>,
    /// The name of its objects, once it was deployed.
    pub workload: Option<String>,
    pub url: Option<String>,
    /// The branch that it is made from.
    pub branch: String,
    /// Whether it or its project is deleted.
    pub deleted: bool,
}

/// An application that is to be: everything else has its default.
#[derive(Debug, Clone, Copy)]
pub struct New<'a> {
    pub project: Uuid,
    pub name: &'a str,
    /// The image that a deployment without one takes.
    pub image: &'a str,
    /// The port on which it serves HTTP.
    pub port: u16,
    /// How many pods it is to have.
    pub replicas: u16,
}

/// Inserts an application.
pub async fn insert(db: &mut PgConnection, new: New<'_>) -> Result<Uuid> {
    sqlx::query_scalar!(
        "insert into applications (project_id, name, image, port, replicas) values ($1, $2, $3, $4, $5) returning id",
        new.project,
        new.name,
        new.image,
        i32::from(new.port),
        i32::from(new.replicas)
    )
    .fetch_one(db)
    .await
    .map_err(while_doing("insert an application"))
}

/// An application by its id, unless it or its project is deleted.
pub async fn find(db: impl PgExecutor<'_>, id: Uuid) -> Result<Option<Application>> {
    Ok(find_any(db, id).await?.filter(|application| !application.deleted))
}

/// The same, locked until the transaction ends.
pub async fn lock(db: &mut PgConnection, id: Uuid) -> Result<Option<Application>> {
    Ok(lock_any(db, id).await?.filter(|application| !application.deleted))
}

/// An application by its id, deleted or not.
pub async fn find_any(db: impl PgExecutor<'_>, id: Uuid) -> Result<Option<Application>> {
    sqlx::query_as!(
        Application,
        r#"select a.id, p.team_id, a.project_id, a.cluster_id, a.name, a.environment, a.image, a.port, a.replicas,
                  a.resources, a.strategy, a.settings, a.status as "status: ApplicationStatus", a.namespace, a.workload, a.url, a.branch,
                  (a.deleted_at is not null or p.deleted_at is not null) as "deleted!"
           from applications a join projects p on p.id = a.project_id where a.id = $1"#,
        id
    )
    .fetch_optional(db)
    .await
    .map_err(while_doing("read an application"))
}

/// The same, locked until the transaction ends.
pub async fn lock_any(db: &mut PgConnection, id: Uuid) -> Result<Option<Application>> {
    sqlx::query_as!(
        Application,
        r#"select a.id, p.team_id, a.project_id, a.cluster_id, a.name, a.environment, a.image, a.port, a.replicas,
                  a.resources, a.strategy, a.settings, a.status as "status: ApplicationStatus", a.namespace, a.workload, a.url, a.branch,
                  (a.deleted_at is not null or p.deleted_at is not null) as "deleted!"
           from applications a join projects p on p.id = a.project_id where a.id = $1 for update of a"#,
        id
    )
    .fetch_optional(db)
    .await
    .map_err(while_doing("lock an application"))
}

/// Gives an application the place of its objects for good. False when another application has that place, or one of its
/// objects may have the name of one of the other's.
pub async fn place(db: &mut PgConnection, id: Uuid, namespace: &str, workload: &str) -> Result<bool> {
    sqlx::query!(
        "update applications set namespace = $2, workload = $3
         where id = $1 and not exists (
           select 1 from applications o, (values (''), ('-green'), ('-canary'), ('-preview')) as own (suffix)
           where o.namespace = $2 and o.id <> $1 and o.status <> 'deleted'
             and (o.workload = $3 || own.suffix or o.workload || own.suffix = $3))",
        id,
        namespace,
        workload
    )
    .execute(db)
    .await
    .map_err(while_doing("place an application"))
    .map(|done| done.rows_affected() == 1)
}

/// Whether no other application or preview environment lives in the namespace of an application that is being deleted.
/// Others that are being deleted do not count: what they have left there does.
pub async fn alone_in(db: impl PgExecutor<'_>, id: Uuid, namespace: &str) -> Result<bool> {
    sqlx::query_scalar!(
        r#"select not exists (
             select 1 from applications a join projects p on p.id = a.project_id
             where a.namespace = $2 and a.id <> $1 and a.deleted_at is null and p.deleted_at is null
               and a.status not in ('deleting', 'deleted'))
           and not exists (select 1 from preview_environments v where v.namespace = $2 and v.deleted_at is null)
           as "alone!""#,
        id,
        namespace
    )
    .fetch_one(db)
    .await
    .map_err(while_doing("look who lives in a namespace"))
}

/// Says that nothing of an application is left: neither its address, nor its variables, nor the values of its secrets.
pub async fn forget(db: &mut PgConnection, id: Uuid) -> Result<()> {
    sqlx::query!(
        "update environment_variables set deleted_at = now() where application_id = $1 and deleted_at is null",
        id
    )
    .execute(&mut *db)
    .await
    .map_err(while_doing("delete an application's variables"))?;
    super::secrets::delete_of(&mut *db, id).await?;
    sqlx::query!(
        "update applications set status = 'deleted', url = null, deleted_at = coalesce(deleted_at, now()) where id = $1",
        id
    )
    .execute(db)
    .await
    .map_err(while_doing("delete an application"))
    .map(drop)
}

/// Moves an application to a status if it is in one from which that is legal. False when it is not.
pub async fn move_to(db: &mut PgConnection, id: Uuid, to: ApplicationStatus) -> Result<bool> {
    let from: Vec<String> = <ApplicationStatus as strum::IntoEnumIterator>::iter()
        .filter(|status| status.may_become(to))
        .map(|status| status.as_str().to_owned())
        .collect();
    sqlx::query!("update applications set status = $2 where id = $1 and status = any($3)", id, to.as_str(), &from)
        .execute(db)
        .await
        .map_err(while_doing("change an application's status"))
        .map(|done| done.rows_affected() == 1)
}

/// Gives an application back the status that it had before an operation that was taken back.
pub async fn return_to(db: &mut PgConnection, id: Uuid, status: ApplicationStatus) -> Result<()> {
    sqlx::query!(
        "update applications set status = $2 where id = $1 and status in ('deploying', 'degraded', 'failed')",
        id,
        status.as_str()
    )
    .execute(db)
    .await
    .map_err(while_doing("give an application its status back"))
    .map(drop)
}

/// Makes whoever else asks for an address wait until the transaction ends: of two at once, one sees the other.
pub async fn hold_address(db: &mut PgConnection, url: &str) -> Result<()> {
    super::lanes::take_turn(db, &format!("address/{url}")).await.map(drop)
}

/// Whether another application that is not deleted has an address, or has set its host name or is being deployed under it.
pub async fn url_taken(db: impl PgExecutor<'_>, url: &str, host: Option<&str>, except: Uuid) -> Result<bool> {
    sqlx::query_scalar!(
        r#"select exists (select 1 from applications
                      where (url = $1 or lower(rtrim(settings ->> 'host', '.')) = $2) and id <> $3 and deleted_at is null)
               or exists (select 1 from open_operations
                          where subject_type = 'application' and subject_id <> $3 and input -> 'workload' -> 'settings' ->> 'host' = $2)
              as "taken!""#,
        url,
        host,
        except
    )
    .fetch_one(db)
    .await
    .map_err(while_doing("look for an address"))
}

/// Says under which address an application is reached.
pub async fn set_url(db: &mut PgConnection, id: Uuid, url: Option<&str>) -> Result<()> {
    sqlx::query!("update applications set url = $2 where id = $1 and url is distinct from $2", id, url)
        .execute(db)
        .await
        .map_err(while_doing("set an application's address"))
        .map(drop)
}

/// Sets how many pods an application is to have, and what it says about its scaling.
pub async fn set_size(db: &mut PgConnection, id: Uuid, replicas: i32, settings: &Value) -> Result<()> {
    sqlx::query!(
        "update applications set replicas = $2, settings = $3
         where id = $1 and (replicas, settings) is distinct from ($2, $3)",
        id,
        replicas,
        settings
    )
    .execute(db)
    .await
    .map_err(while_doing("set an application's size"))
    .map(drop)
}

/// Makes an image the one that a deployment without one takes.
pub async fn set_image(db: &mut PgConnection, id: Uuid, image: &str) -> Result<()> {
    sqlx::query!("update applications set image = $2 where id = $1 and image is distinct from $2", id, image)
        .execute(db)
        .await
        .map_err(while_doing("set an application's image"))
        .map(drop)
}

/// Makes an application's settings those of a revision that was restored.
pub async fn restore(db: &mut PgConnection, id: Uuid, restored: &Restored<'_>) -> Result<()> {
    sqlx::query!(
        "update applications set image = $2, port = $3, replicas = $4, resources = $5, settings = $6, strategy = $7
         where id = $1",
        id,
        restored.image,
        restored.port,
        restored.replicas,
        restored.resources,
        restored.settings,
        restored.strategy
    )
    .execute(db)
    .await
    .map_err(while_doing("restore an application's settings"))
    .map(drop)
}

/// What of an application a revision restores.
#[derive(Debug)]
pub struct Restored<'a> {
    pub image: &'a str,
    pub port: i32,
    pub replicas: i32,
    /// The size of a pod.
    pub resources: &'a Value,
    /// All the rest.
    pub settings: &'a Value,
    pub strategy: &'a str,
}
