//! Secrets: sealed values by team or application, and the keys of the ring that they are sealed with.

use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

use super::error::while_doing;
use crate::domain::Result;
use crate::domain::sealing::{Sealed, Subject, WrappedKey};

/// A secret's row.
#[derive(Debug, Clone)]
pub struct Secret {
    pub id: Uuid,
    pub team_id: Uuid,
    pub name: String,
    pub version: i32,
    /// Its value, sealed.
    pub sealed: Sealed,
}

impl Secret {
    /// What its seal is bound to.
    pub fn subject(&self) -> Subject {
        Subject { id: self.id, version: self.version }
    }
}

/// A secret's row as the database gives it.
struct Row {
    id: Uuid,
    team_id: Uuid,
    name: String,
    version: i32,
    ciphertext: Vec<u8>,
    nonce: Vec<u8>,
    wrapped_key: Vec<u8>,
    key_id: String,
}

impl From<Row> for Secret {
    fn from(row: Row) -> Self {
        let key = WrappedKey { bytes: row.wrapped_key, key_id: row.key_id };
        let sealed = Sealed { ciphertext: row.ciphertext, nonce: row.nonce, key };
        Self { id: row.id, team_id: row.team_id, name: row.name, version: row.version, sealed }
    }
}

/// Where a secret belongs, and what it is called there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub team: Uuid,
    /// The application; none for a secret of the whole team.
    pub application: Option<Uuid>,
    pub name: String,
}

/// A secret by its id.
pub async fn find(db: impl PgExecutor<'_>, id: Uuid) -> Result<Option<Secret>> {
    sqlx::query_as!(
        Row,
        "select id, team_id, name, version, ciphertext, nonce, wrapped_key, key_id from secrets
         where id = $1 and deleted_at is null",
        id
    )
    .fetch_optional(db)
    .await
    .map_err(while_doing("read a secret"))
    .map(|row| row.map(Secret::from))
}

/// The same, locked until the transaction ends.
pub async fn lock(db: &mut PgConnection, id: Uuid) -> Result<Option<Secret>> {
    sqlx::query_as!(
        Row,
        "select id, team_id, name, version, ciphertext, nonce, wrapped_key, key_id from secrets
         where id = $1 and deleted_at is null for update",
        id
    )
    .fetch_optional(db)
    .await
    .map_err(while_doing("lock a secret"))
    .map(|row| row.map(Secret::from))
}

/// The secret in a place, locked until the transaction ends.
pub async fn lock_in(db: &mut PgConnection, place: &Place) -> Result<Option<Secret>> {
    sqlx::query_as!(
        Row,
        "select id, team_id, name, version, ciphertext, nonce, wrapped_key, key_id from secrets
         where team_id = $1 and application_id is not distinct from $2 and name = $3 and deleted_at is null
         for update",
        place.team,
        place.application,
        place.name
    )
    .fetch_optional(db)
    .await
    .map_err(while_doing("lock a secret"))
    .map(|row| row.map(Secret::from))
}

/// Those of the secrets that are not deleted, and that an application of a project may have: of its team, and of the
/// whole team or this application. A preview environment has those of its application.
pub async fn all(
    db: impl PgExecutor<'_>,
    project: Uuid,
    application_or_preview: Uuid,
    ids: &[Uuid],
) -> Result<Vec<Secret>> {
    sqlx::query_as!(
        Row,
        "select s.id, s.team_id, s.name, s.version, s.ciphertext, s.nonce, s.wrapped_key, s.key_id
         from secrets s join projects p on p.team_id = s.team_id
         where s.id = any($1) and s.deleted_at is null and p.id = $2
           and (s.application_id is null or s.application_id = $3
                or s.application_id = (select e.application_id from preview_environments e where e.id = $3))",
        ids,
        project,
        application_or_preview
    )
    .fetch_all(db)
    .await
    .map_err(while_doing("read secrets"))
    .map(|rows| rows.into_iter().map(Secret::from).collect())
}

/// Inserts a secret's first version. False when its place is taken.
pub async fn insert(db: &mut PgConnection, id: Uuid, place: &Place, sealed: &Sealed) -> Result<bool> {
    sqlx::query!(
        "insert into secrets (id, team_id, application_id, name, version, ciphertext, nonce, wrapped_key, key_id)
         values ($1, $2, $3, $4, 1, $5, $6, $7, $8) on conflict do nothing",
        id,
        place.team,
        place.application,
        place.name,
        sealed.ciphertext,
        sealed.nonce,
        sealed.key.bytes,
        sealed.key.key_id
    )
    .execute(db)
    .await
    .map_err(while_doing("insert a secret"))
    .map(|done| done.rows_affected() == 1)
}

/// Puts a new version in the place of the one before. Call it while the row is locked.
pub async fn renew(db: &mut PgConnection, new: Subject, sealed: &Sealed) -> Result<()> {
    sqlx::query!(
        "update secrets set version = $2, ciphertext = $3, nonce = $4, wrapped_key = $5, key_id = $6 where id = $1",
        new.id,
        new.version,
        sealed.ciphertext,
        sealed.nonce,
        sealed.key.bytes,
        sealed.key.key_id
    )
    .execute(db)
    .await
    .map_err(while_doing("write a secret's new version"))
    .map(drop)
}

/// Deletes a secret; its sealed value goes for good.
pub async fn delete(db: &mut PgConnection, id: Uuid) -> Result<()> {
    sqlx::query!(
        "update secrets set deleted_at = now(), ciphertext = '', nonce = '', wrapped_key = '' where id = $1",
        id
    )
    .execute(db)
    .await
    .map_err(while_doing("delete a secret"))
    .map(drop)
}

/// Deletes the secrets that are an application's own, with their values.
pub async fn delete_of(db: &mut PgConnection, application: Uuid) -> Result<()> {
    sqlx::query!(
        "update secrets set deleted_at = now(), ciphertext = '', nonce = '', wrapped_key = ''
         where application_id = $1 and deleted_at is null",
        application
    )
    .execute(db)
    .await
    .map_err(while_doing("delete an application's secrets"))
    .map(drop)
}

/// The variables of its team that get a secret's value: (application, variable).
pub async fn used_by(db: impl PgExecutor<'_>, id: Uuid) -> Result<Vec<(String, String)>> {
    let rows = sqlx::query!(
        "select a.name as application, v.name as variable
         from environment_variables v
           join applications a on a.id = v.application_id
           join projects p on p.id = a.project_id
           join secrets s on s.id = v.secret_id and s.team_id = p.team_id
         where v.secret_id = $1 and v.deleted_at is null and a.deleted_at is null order by a.name, v.name",
        id
    )
    .fetch_all(db)
    .await
    .map_err(while_doing("see who uses a secret"))?;
    Ok(rows.into_iter().map(|row| (row.application, row.variable)).collect())
}

/// How many secrets are sealed with each key: (key id, secrets).
pub async fn count_by_key(db: impl PgExecutor<'_>) -> Result<Vec<(String, i64)>> {
    let rows = sqlx::query!(
        "select key_id, count(*) as \"count!\" from secrets where deleted_at is null group by key_id order by key_id"
    )
    .fetch_all(db)
    .await
    .map_err(while_doing("count the secrets of each key"))?;
    Ok(rows.into_iter().map(|row| (row.key_id, row.count)).collect())
}

/// The next secrets in order of their ids that are sealed with another key than `active`.
pub async fn sealed_with_others(db: impl PgExecutor<'_>, active: &str, after: Uuid, limit: i64) -> Result<Vec<Secret>> {
    sqlx::query_as!(
        Row,
        "select id, team_id, name, version, ciphertext, nonce, wrapped_key, key_id from secrets
         where key_id <> $1 and id > $2 and deleted_at is null order by id limit $3",
        active,
        after,
        limit
    )
    .fetch_all(db)
    .await
    .map_err(while_doing("list the secrets of other keys"))
    .map(|rows| rows.into_iter().map(Secret::from).collect())
}

/// Puts a data key's new wrapping in the place of the old one. False when the secret has changed meanwhile.
pub async fn rewrap(db: &mut PgConnection, secret: &Secret, new: &WrappedKey) -> Result<bool> {
    sqlx::query!(
        "update secrets set wrapped_key = $3, key_id = $4 where id = $1 and wrapped_key = $2 and deleted_at is null",
        secret.id,
        secret.sealed.key.bytes,
        new.bytes,
        new.key_id
    )
    .execute(db)
    .await
    .map_err(while_doing("write a data key's new wrapping"))
    .map(|done| done.rows_affected() == 1)
}
