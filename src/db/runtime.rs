//! What rows say of applications for those who look at them: where they are, and how far their newest deployment is.

use sqlx::PgExecutor;
use time::OffsetDateTime;
use uuid::Uuid;

use super::error::while_doing;
use crate::domain::{ApplicationStatus, DeploymentStatus, Direction, OperationStatus, Result, StepStatus};

/// Where an application is and what its row says of it.
#[derive(Debug, Clone)]
pub struct Placed {
    pub id: Uuid,
    /// The team of its project.
    pub team_id: Uuid,
    pub name: String,
    pub status: ApplicationStatus,
    /// Its address, once it has one.
    pub url: Option<String>,
    /// The namespace of its objects, once it was deployed.
    pub namespace: Option<String>,
    /// The name of its objects, once it was deployed.
    pub workload: Option<String>,
    /// When the row was last changed.
    pub updated_at: OffsetDateTime,
}

/// Those of the applications that a user may see: of teams of which they are a member. Without a user, all of them.
pub async fn visible(db: impl PgExecutor<'_>, ids: &[Uuid], user: Option<Uuid>) -> Result<Vec<Placed>> {
    sqlx::query_as!(
        Placed,
        "select a.id, p.team_id, a.name, a.status as \"status: ApplicationStatus\", a.url, a.namespace, a.workload, a.updated_at
         from applications a join projects p on p.id = a.project_id join teams t on t.id = p.team_id
         where a.id = any($1) and a.deleted_at is null and p.deleted_at is null and t.deleted_at is null
           and ($2::uuid is null or exists (
             select 1 from team_members m where m.team_id = t.id and m.user_id = $2 and m.active and m.deleted_at is null))",
        ids,
        user
    )
    .fetch_all(db)
    .await
    .map_err(while_doing("find applications"))
}

/// A deployment as its readers see it.
#[derive(Debug, Clone)]
pub struct Deployment {
    pub id: Uuid,
    /// Its revision's number.
    pub revision: i32,
    pub status: DeploymentStatus,
    pub image: Option<String>,
    /// Why it failed.
    pub error: Option<String>,
    /// When the row was last changed.
    pub updated_at: OffsetDateTime,
}

/// An application's newest deployment.
pub async fn newest_deployment(db: impl PgExecutor<'_>, application: Uuid) -> Result<Option<Deployment>> {
    sqlx::query_as!(
        Deployment,
        "select id, revision, status as \"status: DeploymentStatus\", image, error, updated_at from deployments
         where application_id = $1 and deleted_at is null order by revision desc limit 1",
        application
    )
    .fetch_optional(db)
    .await
    .map_err(while_doing("read the newest deployment"))
}

/// An operation as its readers see it.
#[derive(Debug, Clone)]
pub struct Operation {
    pub id: Uuid,
    /// The flow, such as `deployment.rolling`.
    pub kind: String,
    /// How far it is.
    pub status: OperationStatus,
    /// Which way it goes through its steps.
    pub direction: Direction,
    /// Why it failed.
    pub error_message: Option<String>,
    /// What it waits for, when that takes unusually long.
    pub stuck_reason: Option<String>,
    /// Whether it waits for another operation on the same subject.
    pub lane_blocked: bool,
    /// For whom or for what it waits, and what ends that.
    pub waits_for: Option<String>,
    /// When the row was last changed.
    pub updated_at: OffsetDateTime,
}

/// The newest operation about a subject.
pub async fn newest_operation(db: impl PgExecutor<'_>, subject_type: &str, id: Uuid) -> Result<Option<Operation>> {
    sqlx::query_as!(
        Operation,
        "select id, kind, status as \"status: OperationStatus\", direction as \"direction: Direction\",
                error_message, stuck_reason, lane_blocked,
                northstack_operation_waits_for(operations) as waits_for, updated_at
         from operations where subject_type = $1 and subject_id = $2 order by created_at desc, id desc limit 1",
        subject_type,
        id
    )
    .fetch_optional(db)
    .await
    .map_err(while_doing("read the newest operation"))
}

/// A step of an operation as its readers see it.
#[derive(Debug, Clone)]
pub struct Step {
    pub name: String,
    /// Its name for people.
    pub title: String,
    /// How far it is.
    pub status: StepStatus,
    /// How often it was begun.
    pub attempt: i32,
    /// What it is doing or why it failed.
    pub detail: Option<String>,
    /// When the row was last changed.
    pub updated_at: OffsetDateTime,
}

/// The step at which an operation is: the last that was begun and is not done.
pub async fn current_step(db: impl PgExecutor<'_>, operation: Uuid) -> Result<Option<Step>> {
    sqlx::query_as!(
        Step,
        "select name, title, status as \"status: StepStatus\", attempt, detail, updated_at from operation_steps
         where operation_id = $1 and status in ('running', 'waiting', 'failed', 'undoing', 'undo_failed')
         order by ordinal desc limit 1",
        operation
    )
    .fetch_optional(db)
    .await
    .map_err(while_doing("read an operation's step"))
}
