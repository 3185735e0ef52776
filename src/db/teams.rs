//! Queries of `teams` and `team_members`.

use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

use super::error::while_doing;
use crate::domain::{Error, Result, TeamRole};

/// A user's place in a team.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    pub team_id: Uuid,
    /// Its name.
    pub team: String,
    /// Whether the user has made the team.
    pub own: bool,
    /// The user's role there.
    pub role: TeamRole,
}

/// Inserts a team that somebody made and that may have so many active stores.
pub async fn insert(conn: &mut PgConnection, by: Uuid, name: &str, slug: &str, stores: u32) -> Result<Uuid> {
    let stores = i32::try_from(stores).unwrap_or(i32::MAX);
    sqlx::query_scalar!(
        "insert into teams (name, slug, store_limit, created_by) values ($1, $2, $3, $4) returning id",
        name,
        slug,
        stores,
        by
    )
    .fetch_one(conn)
    .await
    .map_err(while_doing("inserting a team"))
}

/// Makes the user a member; whoever is one already keeps the role.
pub async fn add_member(conn: &mut PgConnection, team: Uuid, user: Uuid, role: TeamRole) -> Result<()> {
    let role: &'static str = role.into();
    sqlx::query!(
        "insert into team_members (team_id, user_id, role) values ($1, $2, $3)
         on conflict (team_id, user_id) where deleted_at is null do nothing",
        team,
        user,
        role
    )
    .execute(conn)
    .await
    .map_err(while_doing("adding a member to a team"))?;
    Ok(())
}

/// The user's memberships, the oldest first; invitations are none.
pub async fn memberships(executor: impl PgExecutor<'_>, user: Uuid) -> Result<Vec<Membership>> {
    let rows = sqlx::query!(
        "select m.team_id, m.role, t.name, t.created_by is not distinct from m.user_id as \"own!\"
         from team_members m join teams t on t.id = m.team_id
         where m.user_id = $1 and m.active and m.deleted_at is null and t.deleted_at is null
         order by m.created_at, m.id",
        user
    )
    .fetch_all(executor)
    .await
    .map_err(while_doing("reading memberships"))?;
    rows.into_iter()
        .map(|row| Ok(Membership { team_id: row.team_id, team: row.name, own: row.own, role: parse(&row.role)? }))
        .collect()
}

/// The user's role in the team, if the team exists and the user is a member.
pub async fn role(executor: impl PgExecutor<'_>, team: Uuid, user: Uuid) -> Result<Option<TeamRole>> {
    let role = sqlx::query_scalar!(
        "select m.role
         from team_members m join teams t on t.id = m.team_id
         where m.team_id = $1 and m.user_id = $2 and m.active and m.deleted_at is null and t.deleted_at is null",
        team,
        user
    )
    .fetch_optional(executor)
    .await
    .map_err(while_doing("reading a membership"))?;
    role.as_deref().map(parse).transpose()
}

/// Whether the team exists.
pub async fn exists(executor: impl PgExecutor<'_>, team: Uuid) -> Result<bool> {
    sqlx::query_scalar!(r#"select exists (select from teams where id = $1 and deleted_at is null) as "exists!""#, team)
        .fetch_one(executor)
        .await
        .map_err(while_doing("looking for a team"))
}

fn parse(role: &str) -> Result<TeamRole> {
    role.parse().map_err(|error: strum::ParseError| Error::internal("reading a team role", error))
}
