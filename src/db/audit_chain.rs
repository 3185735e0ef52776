//! The audit chain, walked: each record with its hash computed anew.
//!
//! The computation is written out here and not the database's own function, which whoever changes records might change
//! too.

use sqlx::{PgExecutor, PgPool};
use time::OffsetDateTime;
use uuid::Uuid;

use super::error::while_doing;
use crate::domain::Result;

/// A chain, and what its head says.
#[derive(Debug, Clone)]
pub struct Chain {
    /// Its id: the team's, or nil for the platform.
    pub id: Uuid,
    /// How many records it has, by its head; none when the head is gone.
    pub length: Option<i64>,
    /// The last record's hash, by its head.
    pub head: Option<Vec<u8>>,
}

/// A record, and what its hash should be.
#[derive(Debug, Clone)]
pub struct Record {
    pub id: Uuid,
    pub chain: Uuid,
    /// When it was written.
    pub created_at: OffsetDateTime,
    /// Its place in the chain, from 1.
    pub position: i64,
    /// The predecessor's hash, by this record.
    pub previous_hash: Vec<u8>,
    /// Its hash, as it was written.
    pub hash: Vec<u8>,
    /// Its hash, as it follows from its content.
    pub computed: Vec<u8>,
}

/// All chains, by id: those that have a head and those that have records.
pub async fn chains(db: impl PgExecutor<'_>) -> Result<Vec<Chain>> {
    sqlx::query_as!(
        Chain,
        "select known.id as \"id!\", c.length as \"length?\", c.head as \"head?\"
         from (select id from audit_chains union select chain_id from audit_logs) known
         left join audit_chains c on c.id = known.id
         order by known.id"
    )
    .fetch_all(db)
    .await
    .map_err(while_doing("list the audit chains"))
}

/// The records of all chains behind a place in one, by chain and position.
pub async fn records(db: impl PgExecutor<'_>, (chain, after): (Uuid, i64), limit: i64) -> Result<Vec<Record>> {
    sqlx::query_as!(
        Record,
        "select r.id, r.chain_id as chain, r.chain_position as position, r.previous_hash, r.hash, r.created_at,
                sha256(r.previous_hash || convert_to(jsonb_build_array(
                  r.id, r.chain_id, r.chain_position, r.team_id, r.actor_id, r.actor_role, r.action, r.resource_type,
                  r.resource_id, r.before, r.after, r.details, r.correlation_id,
                  to_char(r.created_at at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US')
                )::text, 'UTF8')) as \"computed!\"
         from audit_logs r where (r.chain_id, r.chain_position) > ($1, $2)
         order by r.chain_id, r.chain_position limit $3",
        chain,
        after,
        limit
    )
    .fetch_all(db)
    .await
    .map_err(while_doing("read the audit chains"))
}

/// Those of these records whose event is still to be delivered. None where the engine keeps no events.
pub async fn under_way(pool: &PgPool, records: &[Uuid]) -> Result<Vec<Uuid>> {
    // The engine's tables are made by the engine, so these statements cannot be checked against the migrations.
    let captured: bool = sqlx::query_scalar("select to_regclass('hdb_catalog.event_log') is not null")
        .fetch_one(pool)
        .await
        .map_err(while_doing("look for events that are under way"))?;
    if !captured || records.is_empty() {
        return Ok(Vec::new());
    }
    sqlx::query_scalar(
        "select (payload::jsonb #>> '{data,new,id}')::uuid from hdb_catalog.event_log
         where table_name = 'audit_logs' and not delivered and not error and not archived
           and (payload::jsonb #>> '{data,new,id}')::uuid = any($1)",
    )
    .bind(records)
    .fetch_all(pool)
    .await
    .map_err(while_doing("look for events that are under way"))
}

/// The hashes of the records of these ids, as far as they are there.
pub async fn hashes(db: impl PgExecutor<'_>, ids: &[Uuid]) -> Result<Vec<(Uuid, Vec<u8>)>> {
    let rows = sqlx::query!("select id, hash from audit_logs where id = any ($1)", ids)
        .fetch_all(db)
        .await
        .map_err(while_doing("look up audit records"))?;
    Ok(rows.into_iter().map(|row| (row.id, row.hash)).collect())
}
