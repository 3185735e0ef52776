//! Queries of `projects`.

use sqlx::PgConnection;
use uuid::Uuid;

use super::error::while_doing;
use crate::domain::Result;

/// Inserts a project of a team.
pub async fn insert(conn: &mut PgConnection, team: Uuid, name: &str) -> Result<Uuid> {
    sqlx::query_scalar!("insert into projects (team_id, name) values ($1, $2) returning id", team, name)
        .fetch_one(conn)
        .await
        .map_err(while_doing("inserting a project"))
}

/// The oldest project of a user's teams.
pub async fn first_of(conn: &mut PgConnection, user: Uuid) -> Result<Option<Uuid>> {
    sqlx::query_scalar!(
        "select p.id
         from projects p join team_members m on m.team_id = p.team_id
         where m.user_id = $1 and m.deleted_at is null and p.deleted_at is null
         order by p.created_at, p.id
         limit 1",
        user
    )
    .fetch_optional(conn)
    .await
    .map_err(while_doing("looking for a project"))
}
