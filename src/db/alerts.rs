//! Alerts: what needs a person, by team.

use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

use super::error::while_doing;
use crate::domain::Result;

/// An alert to be raised.
#[derive(Debug)]
pub struct Raise<'a> {
    pub team_id: Uuid,
    /// `info`, `warning` or `critical`.
    pub severity: &'a str,
    /// What is wrong, in the same words for every subject.
    pub title: &'a str,
    pub detail: &'a str,
    /// What `subject_id` names, such as `store`.
    pub subject_type: &'a str,
    /// The row that it is about.
    pub subject_id: Uuid,
}

/// The subjects of the alerts with this title that are not resolved, each with what the alert says.
pub async fn unresolved(db: impl PgExecutor<'_>, subject_type: &str, title: &str) -> Result<Vec<(Uuid, String)>> {
    let found = sqlx::query!(
        "select distinct on (subject_id) subject_id as \"subject_id!\", detail from alerts
         where subject_type = $1 and title = $2 and subject_id is not null
           and resolved_at is null and deleted_at is null
         order by subject_id, created_at desc",
        subject_type,
        title
    )
    .fetch_all(db)
    .await
    .map_err(while_doing("list alerts"))?;
    Ok(found.into_iter().map(|row| (row.subject_id, row.detail)).collect())
}

/// Says what is the matter now in the alerts of a title about a subject.
pub async fn tell(db: &mut PgConnection, subject_type: &str, subject: Uuid, title: &str, detail: &str) -> Result<()> {
    sqlx::query!(
        "update alerts set detail = $4
         where subject_type = $1 and subject_id = $2 and title = $3 and resolved_at is null and deleted_at is null",
        subject_type,
        subject,
        title,
        detail
    )
    .execute(db)
    .await
    .map_err(while_doing("refresh an alert"))
    .map(drop)
}

/// Raises an alert, unless one of that title about that subject is not resolved yet. Answers whether it was raised.
pub async fn raise(db: &mut PgConnection, alert: &Raise<'_>) -> Result<bool> {
    sqlx::query!(
        "insert into alerts (team_id, severity, title, detail, subject_type, subject_id)
         select $1, $2, $3, $4, $5, $6
         where not exists (
           select 1 from alerts
           where subject_type = $5 and subject_id = $6 and title = $3
             and resolved_at is null and deleted_at is null)",
        alert.team_id,
        alert.severity,
        alert.title,
        alert.detail,
        alert.subject_type,
        alert.subject_id
    )
    .execute(db)
    .await
    .map_err(while_doing("raise an alert"))
    .map(|done| done.rows_affected() == 1)
}

/// Resolves the alerts of a title about a subject. Answers whether there were any.
pub async fn resolve(db: &mut PgConnection, subject_type: &str, subject: Uuid, title: &str) -> Result<bool> {
    sqlx::query!(
        "update alerts set resolved_at = now()
         where subject_type = $1 and subject_id = $2 and title = $3 and resolved_at is null and deleted_at is null",
        subject_type,
        subject,
        title
    )
    .execute(db)
    .await
    .map_err(while_doing("resolve an alert"))
    .map(|done| done.rows_affected() > 0)
}

/// Resolves every alert about a subject that is no more.
pub async fn resolve_all(db: &mut PgConnection, subject_type: &str, subject: Uuid) -> Result<()> {
    sqlx::query!(
        "update alerts set resolved_at = now()
         where subject_type = $1 and subject_id = $2 and resolved_at is null and deleted_at is null",
        subject_type,
        subject
    )
    .execute(db)
    .await
    .map_err(while_doing("resolve the alerts about a subject"))
    .map(drop)
}
