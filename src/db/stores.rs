//! Stores and their event logs.

use sqlx::{PgConnection, PgExecutor};
use time::OffsetDateTime;
use uuid::Uuid;

use super::error::while_doing;
use crate::domain::{Result, StoreId, StoreStatus};

/// A store's row.
#[derive(Debug, Clone)]
pub struct Store {
    pub id: Uuid,
    /// Its public id, which is its namespace.
    pub store_id: String,
    pub team_id: Uuid,
    pub name: String,
    /// What kind of store: `woocommerce`.
    pub kind: String,
    pub status: StoreStatus,
    pub url: String,
    /// Its administration's address, once it is ready.
    pub admin_url: Option<String>,
    /// Why it failed.
    pub error: Option<String>,
    /// When it was asked for.
    pub created_at: OffsetDateTime,
    /// When it changed last.
    pub updated_at: OffsetDateTime,
}

/// A store to be inserted, in status `provisioning`.
#[derive(Debug)]
pub struct Insert<'a> {
    pub team_id: Uuid,
    /// The public id.
    pub store_id: &'a StoreId,
    /// The name, trimmed.
    pub name: &'a str,
    pub kind: &'a str,
    pub url: &'a str,
    pub requested_by: Option<Uuid>,
}

/// Inserts a store. `None` when another has that public id: choose another.
pub async fn insert(db: &mut PgConnection, new: &Insert<'_>) -> Result<Option<Uuid>> {
    sqlx::query_scalar!(
        "insert into stores (team_id, store_id, name, type, namespace, url, requested_by)
         values ($1, $2, $3, $4, $2, $5, $6)
         on conflict (store_id) do nothing
         returning id",
        new.team_id,
        new.store_id.as_str(),
        new.name,
        new.kind,
        new.url,
        new.requested_by
    )
    .fetch_optional(db)
    .await
    .map_err(while_doing("insert a store"))
}

/// A store by its id, deleted ones too.
pub async fn find(db: impl PgExecutor<'_>, id: Uuid) -> Result<Option<Store>> {
    sqlx::query_as!(
        Store,
        "select id, store_id, team_id, name, type as kind, status as \"status: StoreStatus\", url, admin_url, error, created_at, updated_at
         from stores where id = $1",
        id
    )
    .fetch_optional(db)
    .await
    .map_err(while_doing("read a store"))
}

/// A store by its id, locked until the transaction ends.
pub async fn lock(db: &mut PgConnection, id: Uuid) -> Result<Option<Store>> {
    sqlx::query_as!(
        Store,
        "select id, store_id, team_id, name, type as kind, status as \"status: StoreStatus\", url, admin_url, error, created_at, updated_at
         from stores where id = $1 for update",
        id
    )
    .fetch_optional(db)
    .await
    .map_err(while_doing("lock a store"))
}

/// A store by its public id.
pub async fn find_by_public_id(db: impl PgExecutor<'_>, store_id: &str) -> Result<Option<Store>> {
    sqlx::query_as!(
        Store,
        "select id, store_id, team_id, name, type as kind, status as \"status: StoreStatus\", url, admin_url, error, created_at, updated_at
         from stores where store_id = $1",
        store_id
    )
    .fetch_optional(db)
    .await
    .map_err(while_doing("read a store"))
}

/// The stores that are not deleted, newest first: those of a user's teams, or all for `None`.
pub async fn list(db: impl PgExecutor<'_>, user: Option<Uuid>) -> Result<Vec<Store>> {
    sqlx::query_as!(
        Store,
        "select id, store_id, team_id, name, type as kind, status as \"status: StoreStatus\", url, admin_url, error, created_at, updated_at
         from stores
         where status <> 'deleted'
           and ($1::uuid is null or exists (
             select 1 from team_members m
             where m.team_id = stores.team_id and m.user_id = $1 and m.active and m.deleted_at is null))
         order by created_at desc, id",
        user
    )
    .fetch_all(db)
    .await
    .map_err(while_doing("list stores"))
}

/// The stores that are ready, oldest first.
pub async fn ready(db: impl PgExecutor<'_>) -> Result<Vec<Store>> {
    sqlx::query_as!(
        Store,
        "select id, store_id, team_id, name, type as kind, status as \"status: StoreStatus\", url, admin_url, error, created_at, updated_at
         from stores where status = 'ready' order by created_at, id"
    )
    .fetch_all(db)
    .await
    .map_err(while_doing("list the ready stores"))
}

/// The stores of namespaces, deleted ones too.
pub async fn of_namespaces(db: impl PgExecutor<'_>, namespaces: &[String]) -> Result<Vec<Store>> {
    sqlx::query_as!(
        Store,
        "select id, store_id, team_id, name, type as kind, status as \"status: StoreStatus\", url, admin_url, error, created_at, updated_at
         from stores where store_id = any($1)",
        namespaces
    )
    .fetch_all(db)
    .await
    .map_err(while_doing("find the stores of namespaces"))
}

/// How many stores there are by status, of a user's teams or of all for `None`.
pub async fn count_by_status(db: impl PgExecutor<'_>, user: Option<Uuid>) -> Result<Vec<(StoreStatus, i64)>> {
    let rows = sqlx::query!(
        "select status as \"status: StoreStatus\", count(*) as \"count!\" from stores
         where status <> 'deleted'
           and ($1::uuid is null or exists (
             select 1 from team_members m
             where m.team_id = stores.team_id and m.user_id = $1 and m.active and m.deleted_at is null))
         group by status",
        user
    )
    .fetch_all(db)
    .await
    .map_err(while_doing("count stores"))?;
    Ok(rows.into_iter().map(|row| (row.status, row.count)).collect())
}

/// Locks a team's row until the transaction ends, and gives how many active stores it may have. `None` when there is no
/// such team.
pub async fn lock_limit(db: &mut PgConnection, team: Uuid) -> Result<Option<i32>> {
    sqlx::query_scalar!("select store_limit from teams where id = $1 and deleted_at is null for update", team)
        .fetch_optional(db)
        .await
        .map_err(while_doing("lock a team"))
}

/// How many active stores there are in all the teams that a team's maker has made, and how many these may have together:
/// as many as any one of them may have alone, at least. Whoever else asks for the same maker waits until the transaction
/// ends. `None` for a team that nobody made.
pub async fn lock_makers_limit(db: &mut PgConnection, team: Uuid) -> Result<Option<(i64, i32)>> {
    let maker = sqlx::query_scalar!(
        "select u.id from users u join teams t on t.created_by = u.id where t.id = $1 for no key update of u",
        team
    )
    .fetch_optional(&mut *db)
    .await
    .map_err(while_doing("lock a team's maker"))?;
    let Some(maker) = maker else { return Ok(None) };
    let row = sqlx::query!(
        r#"select (select count(*) from stores s join teams t on t.id = s.team_id
                   where t.created_by = $1 and s.status in ('provisioning', 'ready', 'failed')) as "count!",
                  greatest((select most from row_limits where name = 'user.stores'),
                           (select max(store_limit) from teams where created_by = $1 and deleted_at is null)) as most"#,
        maker
    )
    .fetch_one(db)
    .await
    .map_err(while_doing("count the stores of a team's maker"))?;
    Ok(row.most.map(|most| (row.count, most)))
}

/// A team's stores that count against its limit. Call it while the team's row is locked.
pub async fn count_active(db: &mut PgConnection, team: Uuid) -> Result<i64> {
    sqlx::query_scalar!(
        "select count(*) as \"count!\" from stores
         where team_id = $1 and status in ('provisioning', 'ready', 'failed')",
        team
    )
    .fetch_one(db)
    .await
    .map_err(while_doing("count a team's stores"))
}

/// Moves a store to a status if it is in one from which that is legal. False when it is not.
pub async fn move_to(db: &mut PgConnection, id: Uuid, to: StoreStatus) -> Result<bool> {
    let from: Vec<String> = <StoreStatus as strum::IntoEnumIterator>::iter()
        .filter(|status| status.may_become(to))
        .map(|status| status.as_str().to_owned())
        .collect();
    sqlx::query!(
        "update stores set status = $2, error = null where id = $1 and status = any($3)",
        id,
        to.as_str(),
        &from
    )
    .execute(db)
    .await
    .map_err(while_doing("change a store's status"))
    .map(|done| done.rows_affected() == 1)
}

/// Makes a provisioning store ready. False when it is not provisioning (any more).
pub async fn make_ready(db: &mut PgConnection, id: Uuid, url: &str, admin_url: &str) -> Result<bool> {
    sqlx::query!(
        "update stores set status = 'ready', url = $2, admin_url = $3, error = null, ready_at = now()
         where id = $1 and status = 'provisioning'",
        id,
        url,
        admin_url
    )
    .execute(db)
    .await
    .map_err(while_doing("make a store ready"))
    .map(|done| done.rows_affected() == 1)
}

/// Makes a store failed with a reason, if it is in the status `from`. False when it is not (any more).
pub async fn fail(db: &mut PgConnection, id: Uuid, from: StoreStatus, reason: &str) -> Result<bool> {
    sqlx::query!(
        "update stores set status = 'failed', error = $3 where id = $1 and status = $2",
        id,
        from.as_str(),
        reason
    )
    .execute(db)
    .await
    .map_err(while_doing("make a store failed"))
    .map(|done| done.rows_affected() == 1)
}

/// Makes a store that is being deleted deleted. False when it is not being deleted.
pub async fn make_deleted(db: &mut PgConnection, id: Uuid) -> Result<bool> {
    sqlx::query!(
        "update stores set status = 'deleted', error = null, deleted_at = now() where id = $1 and status = 'deleting'",
        id
    )
    .execute(db)
    .await
    .map_err(while_doing("make a store deleted"))
    .map(|done| done.rows_affected() == 1)
}

/// How much an event matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Severity {
    /// As planned.
    Info,
    /// Worth a look.
    Warning,
    /// Something failed.
    Error,
}

/// Writes a line of a store's event log.
pub async fn log(db: &mut PgConnection, store: Uuid, kind: &str, message: &str, severity: Severity) -> Result<()> {
    let severity: &'static str = severity.into();
    sqlx::query!(
        "insert into store_events (store_id, event_type, message, severity, created_at, updated_at)
         values ($1, $2, $3, $4, clock_timestamp(), clock_timestamp())",
        store,
        kind,
        message,
        severity
    )
    .execute(db)
    .await
    .map_err(while_doing("write a store's event"))
    .map(drop)
}

/// A line of a store's event log.
#[derive(Debug, Clone)]
pub struct Event {
    /// Its kind: a step's name, or `created`, `ready`, `deleted`.
    pub kind: String,
    pub message: String,
    /// `info`, `warning` or `error`.
    pub severity: String,
    /// When.
    pub created_at: OffsetDateTime,
}

/// The newest lines of a store's event log, newest first.
pub async fn events(db: impl PgExecutor<'_>, store: Uuid, limit: i64) -> Result<Vec<Event>> {
    sqlx::query_as!(
        Event,
        "select event_type as kind, message, severity, created_at from store_events
         where store_id = $1 order by created_at desc, id limit $2",
        store,
        limit
    )
    .fetch_all(db)
    .await
    .map_err(while_doing("read a store's events"))
}
