//! `platform_events`: the log of all events, written by the bridge alone.

use std::collections::{HashMap, HashSet};

use serde_json::Value;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::error;
use super::leases::Lease;
use crate::domain::{Code, Error, Result};

/// An event that is to be written.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The event's id.
    pub id: Uuid,
    /// The stream it comes from.
    pub stream: String,
    pub stream_sequence: i64,
    pub subject: String,
    /// Its type.
    pub kind: String,
    /// Who says so.
    pub source: String,
    /// The entity that it is about.
    pub entity_id: Option<String>,
    pub correlation_id: String,
    /// When it happened.
    pub occurred_at: OffsetDateTime,
    pub data: Value,
    /// The envelope's metadata.
    pub metadata: Value,
}

impl Row {
    /// The id in `column` of the changed row, where the event tells of one, or of the data itself.
    fn reference(&self, column: &str) -> Option<Uuid> {
        let row = self.data.get("row").unwrap_or(&self.data);
        row.get(column)?.as_str()?.parse().ok()
    }
}

/// The place in `stream`, and the id, of the event of that stream that was written last.
pub async fn last_written(executor: impl sqlx::PgExecutor<'_>, stream: &str) -> Result<Option<(u64, Uuid)>> {
    let last = sqlx::query!(
        "select stream_sequence, id from platform_events where stream = $1 order by sequence desc limit 1",
        stream
    )
    .fetch_optional(executor)
    .await
    .map_err(error::while_doing("looking how far the events are written"))?;
    Ok(last.map(|last| (u64::try_from(last.stream_sequence).unwrap_or(0), last.id)))
}

/// How long before the last event that was written the bus may have lost one: handlers may have been that far behind.
const LOST: &str = "10 minutes";

/// Has the row changes of the last while delivered again, since the bus has lost events. Who has had one recognises it
/// by its id. How many they are; none where the engine has captured nothing yet.
pub async fn deliver_again(connection: &mut PgConnection) -> Result<u64> {
    let doing = "having row changes delivered again";
    // The engine's tables are made by the engine, so these statements cannot be checked against the migrations.
    let captured: bool = sqlx::query_scalar("select to_regclass('hdb_catalog.event_log') is not null")
        .fetch_one(&mut *connection)
        .await
        .map_err(error::while_doing(doing))?;
    if !captured {
        return Ok(0);
    }
    sqlx::query(
        "update hdb_catalog.event_log set delivered = false, tries = 0, next_retry_at = null, locked = null
         where delivered and not archived
           and created_at at time zone current_setting('TimeZone')
             >= (select max(created_at) from platform_events) - $1::interval",
    )
    .bind(LOST)
    .execute(connection)
    .await
    .map_err(error::while_doing(doing))
    .map(|done| done.rows_affected())
}

/// Appends the events that are not there yet, in their order, numbered without gaps; how many they were.
/// The holder's lease is checked and held fast until the transaction ends, so there is one writer at a time.
///
/// # Errors
/// `conflict` when the lease is another's.
pub async fn append(connection: &mut PgConnection, lease: &Lease, rows: &[Row]) -> Result<u64> {
    let held = sqlx::query_scalar!(
        "select generation from leases
         where name = $1 and holder = $2 and generation = $3 and expires_at > clock_timestamp()
         for share",
        lease.name,
        lease.holder,
        lease.generation
    )
    .fetch_optional(&mut *connection)
    .await
    .map_err(error::while_doing("checking the bridge's lease"))?;
    if held.is_none() {
        return Err(Error::new(Code::Conflict, "another process writes the events now"));
    }
    let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
    let known = sqlx::query_scalar!("select id from platform_events where id = any($1)", &ids)
        .fetch_all(&mut *connection)
        .await
        .map_err(error::while_doing("looking which events are written"))?;
    let mut known: HashSet<Uuid> = known.into_iter().collect();
    let new: Vec<&Row> = rows.iter().filter(|row| known.insert(row.id)).collect();
    if new.is_empty() {
        return Ok(0);
    }
    let first = sqlx::query_scalar!(r#"select coalesce(max(sequence), 0) + 1 as "next!" from platform_events"#)
        .fetch_one(&mut *connection)
        .await
        .map_err(error::while_doing("numbering the events"))?;
    insert(connection, first, &new).await
}

async fn insert(connection: &mut PgConnection, first: i64, rows: &[&Row]) -> Result<u64> {
    fn column<T>(rows: &[&Row], value: impl Fn(&Row) -> T) -> Vec<T> {
        rows.iter().map(|row| value(row)).collect()
    }
    let sequences: Vec<i64> = (first..).take(rows.len()).collect();
    let entities: Vec<Option<String>> = column(rows, |row| row.entity_id.clone());
    let parents = ["team_id", "project_id", "application_id", "cluster_id", "store_id"]
        .map(|name| column(rows, |row| row.reference(name)));
    let [teams, projects, applications, clusters, stores] = parents;
    let written = sqlx::query!(
        r#"insert into platform_events
             (id, sequence, stream, stream_sequence, subject, type, source, team_id, entity_id, data, metadata,
              correlation_id, occurred_at)
           select e.id, e.sequence, e.stream, e.stream_sequence, e.subject, e.kind, e.source,
                  coalesce(
                    (select t.id from teams t where t.id = e.team_id),
                    (select p.team_id from projects p where p.id = e.project_id),
                    (select p.team_id from applications a join projects p on p.id = a.project_id
                     where a.id = e.application_id),
                    (select c.team_id from clusters c where c.id = e.cluster_id),
                    (select s.team_id from stores s where s.id = e.store_id)),
                  e.entity_id, e.data, e.metadata, e.correlation_id, e.occurred_at
           from unnest($1::uuid[], $2::bigint[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::text[],
                       $8::uuid[], $9::uuid[], $10::uuid[], $11::uuid[], $12::uuid[], $13::text[], $14::jsonb[],
                       $15::jsonb[], $16::text[], $17::timestamptz[])
             as e (id, sequence, stream, stream_sequence, subject, kind, source, team_id, project_id,
                   application_id, cluster_id, store_id, entity_id, data, metadata, correlation_id, occurred_at)"#,
        &column(rows, |row| row.id),
        &sequences,
        &column(rows, |row| row.stream.clone()),
        &column(rows, |row| row.stream_sequence),
        &column(rows, |row| row.subject.clone()),
        &column(rows, |row| row.kind.clone()),
        &column(rows, |row| row.source.clone()),
        &teams as &[Option<Uuid>],
        &projects as &[Option<Uuid>],
        &applications as &[Option<Uuid>],
        &clusters as &[Option<Uuid>],
        &stores as &[Option<Uuid>],
        &entities as &[Option<String>],
        &column(rows, |row| row.data.clone()),
        &column(rows, |row| row.metadata.clone()),
        &column(rows, |row| row.correlation_id.clone()),
        &column(rows, |row| row.occurred_at)
    )
    .execute(connection)
    .await
    .map_err(error::while_doing("writing events"))?;
    Ok(written.rows_affected())
}

/// The teams to which the events belong, by event; events that are not written yet or belong to no team are left out.
pub async fn teams_of(executor: impl sqlx::PgExecutor<'_>, ids: &[Uuid]) -> Result<HashMap<Uuid, Uuid>> {
    let rows = sqlx::query!(
        r#"select id, team_id as "team_id!" from platform_events where id = any($1) and team_id is not null"#,
        ids
    )
    .fetch_all(executor)
    .await
    .map_err(error::while_doing("reading whose events they are"))?;
    Ok(rows.into_iter().map(|row| (row.id, row.team_id)).collect())
}

/// An event as it was written.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    /// Its place among all events.
    pub sequence: i64,
    /// The event's id.
    pub id: Uuid,
    /// The stream it comes from.
    pub stream: String,
    pub subject: String,
    /// Its type.
    pub kind: String,
    /// Who says so.
    pub source: String,
    /// The entity that it is about.
    pub entity_id: Option<String>,
    pub data: Value,
    pub correlation_id: Option<String>,
    /// When it happened.
    pub occurred_at: OffsetDateTime,
}

/// The place of the newest event; 0 while there is none.
pub async fn newest(executor: impl sqlx::PgExecutor<'_>) -> Result<i64> {
    sqlx::query_scalar!(r#"select coalesce(max(sequence), 0) as "newest!" from platform_events"#)
        .fetch_one(executor)
        .await
        .map_err(error::while_doing("looking for the newest event"))
}

/// A part of the log: the events after one place, up to and with another, whose subject fits a regular expression.
#[derive(Debug, Clone, Copy)]
pub struct Part<'a> {
    /// The place before the first.
    pub after: i64,
    /// The place of the last.
    pub until: i64,
    /// What the subject is to fit.
    pub subject: &'a str,
    /// At most this many.
    pub limit: i64,
}

/// The events of a part that a user may see, in order: those of their teams, and of the audit trail those of teams that
/// they administer. Without a user, all.
pub async fn seen_by(executor: impl sqlx::PgExecutor<'_>, user: Option<Uuid>, part: Part<'_>) -> Result<Vec<Written>> {
    sqlx::query_as!(
        Written,
        r#"select sequence, id, stream, subject, type as "kind", source, entity_id, data, correlation_id, occurred_at
           from platform_events e
           where sequence > $1 and sequence <= $2 and subject ~ $3
             and ($4::uuid is null or exists (
               select 1 from team_members m join teams t on t.id = m.team_id
               where m.team_id = e.team_id and m.user_id = $4 and m.active and m.deleted_at is null
                 and t.deleted_at is null and (e.stream <> 'AUDIT' or m.role in ('owner', 'admin'))))
           order by sequence limit $5"#,
        part.after,
        part.until,
        part.subject,
        user,
        part.limit,
    )
    .fetch_all(executor)
    .await
    .map_err(error::while_doing("reading events"))
}

/// A time, what the subject is to fit, and at most how many.
#[derive(Debug, Clone, Copy)]
pub struct Span<'a> {
    /// From when on.
    pub since: Option<OffsetDateTime>,
    /// Until when.
    pub until: Option<OffsetDateTime>,
    /// What the subject is to fit.
    pub subject: &'a str,
    /// At most this many.
    pub limit: i64,
}

/// An event of the past.
#[derive(Debug, Clone, PartialEq)]
pub struct Past {
    pub event: Written,
    pub stream_sequence: i64,
    /// The envelope's metadata.
    pub metadata: Value,
}

/// The oldest events of a time that a user may see, in order: as [`seen_by`].
pub async fn past(executor: impl sqlx::PgExecutor<'_>, user: Uuid, span: Span<'_>) -> Result<Vec<Past>> {
    let rows = sqlx::query!(
        r#"select sequence, id, stream, stream_sequence, subject, type as "kind", source, entity_id, data, metadata,
             correlation_id, occurred_at
           from platform_events e
           where e.team_id in (
               select m.team_id from team_members m join teams t on t.id = m.team_id
               where m.user_id = $1 and m.deleted_at is null and t.deleted_at is null
                 and (e.stream <> 'AUDIT' or m.role in ('owner', 'admin')))
             and subject ~ $2
             and ($3::timestamptz is null or occurred_at >= $3) and ($4::timestamptz is null or occurred_at <= $4)
           order by sequence limit $5"#,
        user,
        span.subject,
        span.since,
        span.until,
        span.limit,
    )
    .fetch_all(executor)
    .await
    .map_err(error::while_doing("reading past events"))?;
    let past = rows.into_iter().map(|row| Past {
        stream_sequence: row.stream_sequence,
        metadata: row.metadata,
        event: Written {
            sequence: row.sequence,
            id: row.id,
            stream: row.stream,
            subject: row.subject,
            kind: row.kind,
            source: row.source,
            entity_id: row.entity_id,
            data: row.data,
            correlation_id: row.correlation_id,
            occurred_at: row.occurred_at,
        },
    });
    Ok(past.collect())
}
