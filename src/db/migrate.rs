//! Migrations: embedded in the binary, guarded by a lease (YugabyteDB has no advisory locks),
//! each file one statement that may be run again.

use std::sync::LazyLock;
use std::time::Duration;

use sqlx::migrate::{Migrate, MigrateError, Migrator};
use sqlx::{Connection, PgConnection};

use super::{Db, error, leases, topology};
use crate::domain::{Code, Error, Result};

/// How long the lease of a migrator that died keeps others waiting.
const LEASE: Duration = Duration::from_secs(20);
/// How often a waiting migrator asks for the lease.
const ASK_EVERY: Duration = Duration::from_millis(500);
/// How often one migration is tried when it conflicts with another session.
const ATTEMPTS: usize = 10;

static PLAIN: LazyLock<Set> = LazyLock::new(|| Set::new(sqlx::migrate!("./migrations"), "_sqlx_migrations"));
static YUGABYTE: LazyLock<Set> =
    LazyLock::new(|| Set::new(sqlx::migrate!("./migrations/yugabyte"), "_sqlx_migrations_yugabyte"));

/// A migration that has not been applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    pub version: i64,
    pub name: String,
}

/// The migrations that this binary holds, as (version, name, up SQL, down SQL).
pub fn all() -> impl Iterator<Item = (i64, &'static str, &'static str, &'static str)> {
    [&*PLAIN, &*YUGABYTE].into_iter().flat_map(|set| {
        set.ups().map(|up| {
            let down = set.migrator.iter().find(|m| m.version == up.version && m.migration_type.is_down_migration());
            (up.version, &*up.description, up.sql.as_str(), down.map_or("", |down| down.sql.as_str()))
        })
    })
}

/// Applies what is pending, in order; returns what was applied. Waits while another process migrates.
///
/// # Errors
/// `conflict` when an applied file was changed since, `internal` when a statement fails.
pub async fn up(db: &Db) -> Result<Vec<Pending>> {
    let mut connection = session(db).await?;
    let kept = lease(db, &mut connection).await?;
    let mut applied = Vec::new();
    for set in sets(&mut connection).await? {
        for migration in set.pending(&mut connection).await? {
            still_held(&kept)?;
            set.run(&mut connection, migration.version, true).await?;
            tracing::info!(version = migration.version, name = migration.name, "migration_applied");
            applied.push(migration);
        }
    }
    kept.release(db.pool()).await?;
    Ok(applied)
}

/// Reverts the `steps` newest migrations, or all of them with `None`; returns what was reverted.
pub async fn down(db: &Db, steps: Option<usize>) -> Result<Vec<Pending>> {
    let mut connection = session(db).await?;
    let kept = lease(db, &mut connection).await?;
    let mut left = steps.unwrap_or(usize::MAX);
    let mut reverted = Vec::new();
    for set in sets(&mut connection).await?.into_iter().rev() {
        for migration in set.applied(&mut connection).await?.into_iter().rev() {
            if left == 0 {
                break;
            }
            left -= 1;
            still_held(&kept)?;
            set.run(&mut connection, migration.version, false).await?;
            tracing::info!(version = migration.version, name = migration.name, "migration_reverted");
            reverted.push(migration);
        }
    }
    // The table of leases may itself have been reverted; the lease is gone with it.
    match kept.release(db.pool()).await {
        Err(failure) if !undefined_table(&failure) => Err(failure),
        _ => Ok(reverted),
    }
}

/// What [`up`] would apply.
pub async fn pending(db: &Db) -> Result<Vec<Pending>> {
    let mut connection = session(db).await?;
    let mut pending = Vec::new();
    for set in sets(&mut connection).await? {
        pending.extend(set.pending(&mut connection).await?);
    }
    Ok(pending)
}

/// A directory of migrations and the table that records them.
struct Set {
    migrator: Migrator,
    table: &'static str,
}

impl Set {
    fn new(embedded: Migrator, table: &'static str) -> Self {
        let mut migrator = Migrator::with_migrations(embedded.iter().cloned().collect());
        migrator.set_locking(false);
        migrator.dangerous_set_table_name(table);
        Self { migrator, table }
    }

    fn ups(&self) -> impl Iterator<Item = &sqlx::migrate::Migration> {
        self.migrator.iter().filter(|migration| !migration.migration_type.is_down_migration())
    }

    async fn versions(&self, connection: &mut PgConnection) -> Result<Vec<i64>> {
        let known: bool = sqlx::query_scalar("select to_regclass($1) is not null")
            .bind(self.table)
            .fetch_one(&mut *connection)
            .await
            .map_err(error::while_doing("looking for the table of migrations"))?;
        if !known {
            return Ok(Vec::new());
        }
        let applied = connection.list_applied_migrations(self.table).await.map_err(failed)?;
        Ok(applied.into_iter().map(|migration| migration.version).collect())
    }

    async fn pending(&self, connection: &mut PgConnection) -> Result<Vec<Pending>> {
        let applied = self.versions(connection).await?;
        Ok(self.named(|version| !applied.contains(&version)))
    }

    async fn applied(&self, connection: &mut PgConnection) -> Result<Vec<Pending>> {
        let applied = self.versions(connection).await?;
        Ok(self.named(|version| applied.contains(&version)))
    }

    fn named(&self, wanted: impl Fn(i64) -> bool) -> Vec<Pending> {
        let wanted = self.ups().filter(|migration| wanted(migration.version));
        wanted.map(|m| Pending { version: m.version, name: m.description.to_string() }).collect()
    }

    /// Applies (or reverts) the migration `version`, again while it conflicts with other sessions.
    async fn run(&self, connection: &mut PgConnection, version: i64, up: bool) -> Result<()> {
        let mut attempt = 1;
        loop {
            let result = match up {
                true => self.migrator.run_to(version, &mut *connection).await,
                false => self.migrator.undo(&mut *connection, version - 1).await,
            };
            match result {
                Ok(()) => return Ok(()),
                Err(failure) if attempt < ATTEMPTS && error::conflicts(&failure) => {
                    tracing::warn!(version, attempt, error = %failure, "migration_retried");
                    tokio::time::sleep(Duration::from_millis(100) * u32::try_from(attempt).unwrap_or(1)).await;
                    attempt += 1;
                }
                Err(failure) => return Err(failed(failure)),
            }
        }
    }
}

/// A connection of its own, without a time limit for statements: an index takes as long as it takes.
async fn session(db: &Db) -> Result<PgConnection> {
    let options = db.pool().connect_options();
    let mut connection =
        PgConnection::connect_with(&options).await.map_err(error::while_doing("connecting for migrations"))?;
    sqlx::query("set statement_timeout = 0")
        .execute(&mut connection)
        .await
        .map_err(error::while_doing("preparing for migrations"))?;
    Ok(connection)
}

async fn sets(connection: &mut PgConnection) -> Result<Vec<&'static Set>> {
    let yugabyte =
        topology::is_yugabyte(connection).await.map_err(error::while_doing("asking what the database is"))?;
    Ok(if yugabyte { vec![&PLAIN, &YUGABYTE] } else { vec![&PLAIN] })
}

/// Takes the migrators' lease, making its table first. Waits for whoever has it.
async fn lease(db: &Db, connection: &mut PgConnection) -> Result<leases::Kept> {
    let table = PLAIN.ups().find(|migration| migration.description.as_ref() == "create leases");
    let table = table.ok_or_else(|| Error::internal("making the table of leases", "its migration is missing"))?;
    // Two processes that make the same table at once can collide in the catalogue.
    for attempt in 1.. {
        match sqlx::raw_sql(table.sql.clone()).execute(&mut *connection).await {
            Ok(_) => break,
            Err(_) if attempt < ATTEMPTS => tokio::time::sleep(ASK_EVERY / 5).await,
            Err(failure) => return Err(error::while_doing("making the table of leases")(failure)),
        }
    }
    let holder = leases::holder();
    let mut waited = false;
    loop {
        if let Some(lease) = leases::acquire(db.pool(), "migrate", &holder, LEASE).await? {
            return Ok(lease.keep(db.pool(), LEASE));
        }
        if !std::mem::replace(&mut waited, true) {
            tracing::info!("migration_waits_for_another_process");
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
}

fn still_held(kept: &leases::Kept) -> Result<()> {
    match kept.lost().is_cancelled() {
        true => Err(Error::new(Code::Conflict, "another process took over the migrations; run it again")),
        false => Ok(()),
    }
}

fn undefined_table(failure: &Error) -> bool {
    let mut cause = std::error::Error::source(failure);
    while let Some(inner) = cause {
        if let Some(sqlx::Error::Database(database)) = inner.downcast_ref::<sqlx::Error>() {
            return database.code().as_deref() == Some("42P01");
        }
        cause = inner.source();
    }
    false
}

fn failed(failure: MigrateError) -> Error {
    match &failure {
        MigrateError::VersionMismatch(version) => Error::new(
            Code::Conflict,
            format!("migration {version} was changed after it was applied; add a new one instead"),
        )
        .caused_by(failure),
        MigrateError::VersionMissing(version) => Error::new(
            Code::Conflict,
            format!("the database has migration {version}, which this version does not know; use a newer one"),
        )
        .caused_by(failure),
        MigrateError::Execute(sqlx::Error::Io(_)) => Error::unavailable("migrating", failure),
        _ => Error::internal("migrating", failure),
    }
}
