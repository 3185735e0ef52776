//! What the metadata API does with scheduled events: create, delete, list.

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgPool};
use time::OffsetDateTime;

use super::catalog::prepare;
use crate::json;

/// Which of the two kinds of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Those of cron triggers.
    Cron,
    /// Those that were created one by one.
    OneOff,
}

impl Kind {
    pub(super) fn table(self) -> &'static str {
        match self {
            Self::Cron => "hdb_catalog.hdb_cron_events",
            Self::OneOff => "hdb_catalog.hdb_scheduled_events",
        }
    }

    pub(super) fn logs(self) -> &'static str {
        match self {
            Self::Cron => "hdb_catalog.hdb_cron_event_invocation_logs",
            Self::OneOff => "hdb_catalog.hdb_scheduled_event_invocation_logs",
        }
    }
}

/// A one-off event.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// The address (a template).
    pub webhook: Value,
    /// When.
    pub at: OffsetDateTime,
    /// What is sent.
    pub payload: Option<Value>,
    /// Configured headers.
    pub headers: Value,
    /// How often and how long it is tried.
    pub retry_conf: Value,
    /// A note that goes along.
    pub comment: Option<String>,
    /// How the request is rewritten.
    pub request_transform: Option<Value>,
    /// How the answer is rewritten.
    pub response_transform: Option<Value>,
}

/// Stores a one-off event; gives its id.
///
/// # Errors
/// What the database said.
pub async fn create_event(pool: &PgPool, event: &NewEvent) -> sqlx::Result<String> {
    prepare(pool).await?;
    let text = |value: &Option<Value>| value.as_ref().map(json::write);
    sqlx::query_scalar(
        "insert into hdb_catalog.hdb_scheduled_events (webhook_conf, scheduled_time, payload, header_conf, retry_conf, \
           comment, request_transform, response_transform) \
         values ($1::json, $2, $3::json, $4::json, $5::json, $6, $7::json, $8::json) returning id",
    )
    .bind(json::write(&event.webhook))
    .bind(event.at)
    .bind(text(&event.payload))
    .bind(json::write(&event.headers))
    .bind(json::write(&event.retry_conf))
    .bind(&event.comment)
    .bind(text(&event.request_transform))
    .bind(text(&event.response_transform))
    .fetch_one(pool)
    .await
}

/// Deletes an event with its log.
///
/// # Errors
/// What the database said.
pub async fn delete_event(pool: &PgPool, kind: Kind, id: &str) -> sqlx::Result<()> {
    prepare(pool).await?;
    let sql = format!("delete from {} where id = $1", kind.table());
    sqlx::query(AssertSqlSafe(sql)).bind(id).execute(pool).await.map(|_| ())
}

/// What is listed.
#[derive(Debug, Clone)]
pub struct Selection {
    /// Of which kind.
    pub kind: Kind,
    /// Of which cron trigger.
    pub trigger: Option<String>,
    /// Of which event, where tries are listed.
    pub event: Option<String>,
    /// In which of these states; in any when there are none.
    pub statuses: Vec<String>,
    /// How many at most.
    pub limit: Option<i64>,
    /// How many are passed over.
    pub offset: Option<i64>,
    /// Whether all are counted.
    pub count: bool,
}

/// Events by their time: `{events, count?}`.
///
/// # Errors
/// What the database said.
pub async fn events(pool: &PgPool, selection: &Selection) -> sqlx::Result<Value> {
    let columns = match selection.kind {
        Kind::Cron => "e.trigger_name",
        Kind::OneOff => {
            "e.webhook_conf, e.retry_conf, e.payload, e.header_conf, e.comment, e.request_transform, e.response_transform"
        }
    };
    let table = selection.kind.table();
    let trigger = if selection.kind == Kind::Cron { "e.trigger_name = $1" } else { "$1::text is null" };
    let filter = format!("{trigger} and $2::text is null and (cardinality($3::text[]) = 0 or e.status = any($3))");
    let row = format!(
        "select e.id, {columns}, {}, e.status, e.tries, {}, {} from {table} e where {filter} order by e.scheduled_time, \
         e.created_at, e.id",
        utc("scheduled_time"),
        utc("created_at"),
        utc("next_retry_at"),
    );
    list(pool, selection, "events", &row, &format!("{table} e where {filter}")).await
}

/// Tries, the newest first: `{invocations, count?}`.
///
/// # Errors
/// What the database said.
pub async fn invocations(pool: &PgPool, selection: &Selection) -> sqlx::Result<Value> {
    let (logs, table) = (selection.kind.logs(), selection.kind.table());
    let trigger = match selection.kind {
        Kind::Cron => format!(
            "($1::text is null or exists (select from {table} c where c.id = e.event_id and c.trigger_name = $1))"
        ),
        Kind::OneOff => "$1::text is null".to_owned(),
    };
    let filter = format!("{trigger} and ($2::text is null or e.event_id = $2) and $3::text[] is not null");
    let row = format!(
        "select e.id, e.event_id, e.status, e.request, e.response, {} from {logs} e where {filter} \
         order by e.created_at desc, e.id",
        utc("created_at"),
    );
    list(pool, selection, "invocations", &row, &format!("{logs} e where {filter}")).await
}

/// A column as Hasura writes moments.
fn utc(column: &str) -> String {
    format!("(to_json(e.{column} at time zone 'utc') #>> '{{}}') || 'Z' as {column}")
}

async fn list(pool: &PgPool, selection: &Selection, name: &str, rows: &str, all: &str) -> sqlx::Result<Value> {
    prepare(pool).await?;
    let trigger = selection.trigger.as_deref();
    let sql = format!("select coalesce(json_agg(r), '[]')::text from ({rows} limit $4 offset $5) r");
    let found: String = sqlx::query_scalar(AssertSqlSafe(sql))
        .bind(trigger)
        .bind(&selection.event)
        .bind(&selection.statuses)
        .bind(selection.limit)
        .bind(selection.offset)
        .fetch_one(pool)
        .await?;
    let found = json::read(found.as_bytes()).map_err(|error| sqlx::Error::Decode(error.into()))?;
    let mut answer = json!({name: found});
    if selection.count {
        let count: i64 = sqlx::query_scalar(AssertSqlSafe(format!("select count(*) from {all}")))
            .bind(trigger)
            .bind(&selection.event)
            .bind(&selection.statuses)
            .fetch_one(pool)
            .await?;
        if let Some(fields) = answer.as_object_mut() {
            fields.insert("count".to_owned(), count.into());
        }
    }
    Ok(answer)
}
