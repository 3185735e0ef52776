//! Metadata kept in the database, in the table that Hasura keeps it in: one row of `hdb_catalog.hdb_metadata`.
//!
//! What a start was given (a directory) is applied when it differs from what was last applied, known by a digest;
//! otherwise the kept document is in force, with what `/v1/metadata` has changed since.

use std::path::Path;

use sha2::{Digest, Sha256};
use sqlx::PgPool;

use super::fault::EngineError;
use super::json;
use super::metadata::{LoadError, Metadata};
use super::retry;

/// The table, as errors name it.
const TABLE: &str = "hdb_catalog.hdb_metadata";

const TABLES: &str = "
create schema if not exists hdb_catalog;
create table if not exists hdb_catalog.hdb_metadata (
    id integer primary key,
    metadata json not null,
    resource_version integer not null default 1 unique
);
create table if not exists hdb_catalog.northstack_applied_metadata (
    id integer primary key,
    digest text not null,
    applied_at timestamptz not null default now()
);
";

/// Metadata that is kept in the database.
#[derive(Clone)]
pub(super) struct Store {
    pool: PgPool,
}

/// Metadata with the version that changes name.
pub(super) struct Kept {
    /// The metadata.
    pub metadata: Metadata,
    /// Grows by one with each change.
    pub resource_version: u64,
}

impl Store {
    /// A store in the database of a pool; makes its tables where they are missing.
    pub async fn open(pool: PgPool) -> sqlx::Result<Self> {
        retry::shared(async || sqlx::raw_sql(TABLES).execute(&pool).await).await?;
        Ok(Self { pool })
    }

    /// Applies what a start was given, if it is not what was last applied; gives what is in force then.
    pub async fn begin(&self, given: Metadata) -> Result<Kept, EngineError> {
        let document = json::write(&given.to_document());
        let digest = hex::encode(Sha256::digest(&document));
        match retry::shared(async || self.apply(&document, &digest).await).await? {
            Some(resource_version) => Ok(Kept { metadata: given, resource_version }),
            None => {
                let missing = || EngineError::Database(sqlx::Error::RowNotFound);
                self.load(0).await?.ok_or_else(missing)
            }
        }
    }

    /// The new version; nothing when the same was applied before.
    async fn apply(&self, document: &str, digest: &str) -> sqlx::Result<Option<u64>> {
        let mut tx = self.pool.begin().await?;
        let applied: Option<String> = sqlx::query_scalar(
            "select a.digest from hdb_catalog.northstack_applied_metadata a join hdb_catalog.hdb_metadata m on m.id = a.id \
             where a.id = 1 for update of a",
        )
        .fetch_optional(&mut *tx)
        .await?;
        if applied.as_deref() == Some(digest) {
            return Ok(None);
        }
        let version: i32 = sqlx::query_scalar(
            "insert into hdb_catalog.hdb_metadata (id, metadata) values (1, $1::json) on conflict (id) do update \
             set metadata = excluded.metadata, resource_version = hdb_metadata.resource_version + 1 \
             returning resource_version",
        )
        .bind(document)
        .fetch_one(&mut *tx)
        .await?;
        sqlx::query(
            "insert into hdb_catalog.northstack_applied_metadata (id, digest) values (1, $1) on conflict (id) do update \
             set digest = excluded.digest, applied_at = now()",
        )
        .bind(digest)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(u64::try_from(version).ok())
    }

    /// What is kept, if it is newer than `known`.
    pub async fn load(&self, known: u64) -> Result<Option<Kept>, EngineError> {
        let known = i32::try_from(known).unwrap_or(i32::MAX);
        let row: Option<(String, i32)> = sqlx::query_as(
            "select metadata::text, resource_version from hdb_catalog.hdb_metadata where id = 1 and resource_version > $1",
        )
        .bind(known)
        .fetch_optional(&self.pool)
        .await?;
        let Some((text, version)) = row else { return Ok(None) };
        let malformed = |reason: String| LoadError::at("", reason).in_file(Path::new(TABLE), None);
        let document = json::read(text.as_bytes()).map_err(|error| malformed(error.to_string()))?;
        let metadata = Metadata::from_document(&document).map_err(|error| error.in_file(Path::new(TABLE), None))?;
        Ok(Some(Kept { metadata, resource_version: u64::try_from(version).unwrap_or_default() }))
    }

    /// Keeps changed metadata; gives its version, or nothing when another instance was faster than `known`.
    pub async fn put(&self, metadata: &Metadata, known: u64) -> sqlx::Result<Option<u64>> {
        let version: Option<i32> = sqlx::query_scalar(
            "update hdb_catalog.hdb_metadata set metadata = $1::json, resource_version = resource_version + 1 \
             where id = 1 and resource_version = $2 returning resource_version",
        )
        .bind(json::write(&metadata.to_document()))
        .bind(i32::try_from(known).unwrap_or(i32::MAX))
        .fetch_optional(&self.pool)
        .await?;
        Ok(version.and_then(|version| u64::try_from(version).ok()))
    }
}
