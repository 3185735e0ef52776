//! Variables of applications: plain values, and references to secrets.

use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

use super::error::while_doing;
use crate::domain::Result;

/// A variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    pub name: String,
    /// Its plain value; none where it is a secret's.
    pub value: Option<String>,
    /// The secret's row.
    pub secret_id: Option<Uuid>,
    /// The secret's name; none where it is deleted, or is not one of the application and its team.
    pub secret_name: Option<String>,
    /// The secret's version now.
    pub secret_version: Option<i32>,
}

/// An application's variables, by name.
pub async fn list(db: impl PgExecutor<'_>, application: Uuid) -> Result<Vec<Variable>> {
    sqlx::query_as!(
        Variable,
        "select v.name, v.value, v.secret_id, s.name as \"secret_name?\", s.version as \"secret_version?\"
         from environment_variables v
           join applications a on a.id = v.application_id
           join projects p on p.id = a.project_id
           left join secrets s on s.id = v.secret_id and s.deleted_at is null and s.team_id = p.team_id
             and (s.application_id is null or s.application_id = a.id)
         where v.application_id = $1 and v.deleted_at is null order by v.name",
        application
    )
    .fetch_all(db)
    .await
    .map_err(while_doing("read an application's variables"))
}

/// Sets one variable to a plain value, or to a secret's.
pub async fn set(
    db: &mut PgConnection,
    application: Uuid,
    name: &str,
    value: Option<&str>,
    secret: Option<Uuid>,
) -> Result<()> {
    sqlx::query!(
        "insert into environment_variables (application_id, name, value, secret_id) values ($1, $2, $3, $4)
         on conflict (application_id, name) where deleted_at is null
         do update set value = excluded.value, secret_id = excluded.secret_id
         where (environment_variables.value, environment_variables.secret_id)
               is distinct from (excluded.value, excluded.secret_id)",
        application,
        name,
        value,
        secret
    )
    .execute(db)
    .await
    .map_err(while_doing("set a variable"))
    .map(drop)
}

/// Removes variables by name; answers how many there were.
pub async fn unset(db: &mut PgConnection, application: Uuid, names: &[String]) -> Result<u64> {
    sqlx::query!(
        "update environment_variables set deleted_at = now()
         where application_id = $1 and name = any($2) and deleted_at is null",
        application,
        names
    )
    .execute(db)
    .await
    .map_err(while_doing("remove variables"))
    .map(|done| done.rows_affected())
}

/// Removes every variable but these; answers how many went.
pub async fn keep_only(db: &mut PgConnection, application: Uuid, names: &[String]) -> Result<u64> {
    sqlx::query!(
        "update environment_variables set deleted_at = now()
         where application_id = $1 and name <> all($2) and deleted_at is null",
        application,
        names
    )
    .execute(db)
    .await
    .map_err(while_doing("remove variables"))
    .map(|done| done.rows_affected())
}

/// The secrets of a team or of one of its applications, by name: (name, id). An application's own comes before the
/// team's of the same name.
pub async fn secrets(
    db: impl PgExecutor<'_>,
    team: Uuid,
    application: Uuid,
    names: &[String],
) -> Result<Vec<(String, Uuid)>> {
    let rows = sqlx::query!(
        "select distinct on (name) name, id from secrets
         where team_id = $1 and (application_id = $2 or application_id is null) and name = any($3)
           and deleted_at is null
         order by name, application_id nulls last",
        team,
        application,
        names
    )
    .fetch_all(db)
    .await
    .map_err(while_doing("find secrets by name"))?;
    Ok(rows.into_iter().map(|row| (row.name, row.id)).collect())
}

/// The versions of the secrets that an application of a team may have: (id, version).
pub async fn secret_versions(db: impl PgExecutor<'_>, team: Uuid, application: Uuid) -> Result<Vec<(Uuid, i32)>> {
    let rows = sqlx::query!(
        "select id, version from secrets
         where team_id = $1 and (application_id is null or application_id = $2) and deleted_at is null",
        team,
        application
    )
    .fetch_all(db)
    .await
    .map_err(while_doing("read the versions of secrets"))?;
    Ok(rows.into_iter().map(|row| (row.id, row.version)).collect())
}
