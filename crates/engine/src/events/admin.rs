//! What the metadata API does with events: invoke, redeliver, show.

use serde_json::Value;
use sqlx::PgPool;

use crate::metadata::Source;

/// Why an event could not be invoked or shown, in Hasura's words.
#[derive(Debug, thiserror::Error)]
pub enum EventAdminError {
    /// No trigger of that name.
    #[error("event trigger \"{0}\" does not exist")]
    UnknownTrigger(String),
    /// The trigger may not be invoked by hand.
    #[error("manual mode is not enabled for event trigger")]
    NotManual,
    /// No event of that id.
    #[error("event not found")]
    UnknownEvent,
    /// The event is being delivered.
    #[error("event is already being processed")]
    Busy,
    /// The database.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// Captures a `MANUAL` event for a trigger; gives its id.
///
/// # Errors
/// [`EventAdminError`].
pub async fn invoke(
    pool: &PgPool,
    source: &Source,
    trigger: &str,
    payload: &Value,
    session: &Value,
) -> Result<String, EventAdminError> {
    let (table, found) = source
        .tables
        .iter()
        .flat_map(|table| table.event_triggers.iter().map(move |trigger| (&table.table, trigger)))
        .find(|(_, candidate)| candidate.name == trigger)
        .ok_or_else(|| EventAdminError::UnknownTrigger(trigger.to_owned()))?;
    if !found.definition.enable_manual {
        return Err(EventAdminError::NotManual);
    }
    let mut tx = pool.begin().await?;
    sqlx::query("select set_config('hasura.user', $1, true), set_config('hasura.tracecontext', $2, true)")
        .bind(session.to_string())
        .bind(super::trace_context())
        .execute(&mut *tx)
        .await?;
    let id = sqlx::query_scalar(
        "select hdb_catalog.insert_event_log($1, $2, $3, 'MANUAL', json_build_object('old', null, 'new', $4::json))",
    )
    .bind(&table.schema)
    .bind(&table.name)
    .bind(trigger)
    .bind(crate::json::write(payload))
    .fetch_one(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(id)
}

/// Puts an event back in line as if it were new.
///
/// # Errors
/// [`EventAdminError::UnknownEvent`], [`EventAdminError::Busy`] or the database's.
pub async fn redeliver(pool: &PgPool, event_id: &str) -> Result<(), EventAdminError> {
    let mut tx = pool.begin().await?;
    let busy: Option<bool> =
        sqlx::query_scalar("select locked is not null from hdb_catalog.event_log where id = $1 for update")
            .bind(event_id)
            .fetch_optional(&mut *tx)
            .await?;
    match busy {
        None => return Err(EventAdminError::UnknownEvent),
        Some(true) => return Err(EventAdminError::Busy),
        Some(false) => {}
    }
    sqlx::query(
        "update hdb_catalog.event_log set delivered = false, error = false, tries = 0, next_retry_at = null where id = $1",
    )
    .bind(event_id)
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(())
}

/// The newest events of a trigger, by status `pending`, `processed` or all, as Hasura lists them.
///
/// # Errors
/// The database's.
pub async fn event_logs(
    pool: &PgPool,
    trigger: &str,
    status: Option<&str>,
    limit: i64,
    offset: i64,
) -> Result<Value, EventAdminError> {
    let pending = "delivered = false and error = false and archived = false";
    let filter = match status {
        Some("pending") => pending.to_owned(),
        Some("processed") => "(delivered = true or error = true) and archived = false".to_owned(),
        _ => "archived = false".to_owned(),
    };
    let sql = format!(
        "select coalesce(json_agg(e), '[]') from (select {EVENT} from hdb_catalog.event_log \
         where trigger_name = $1 and {filter} order by created_at desc, sequence desc limit $2 offset $3) e"
    );
    Ok(sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).bind(trigger).bind(limit).bind(offset).fetch_one(pool).await?)
}

/// The newest tries of a trigger.
///
/// # Errors
/// The database's.
pub async fn invocation_logs(pool: &PgPool, trigger: &str, limit: i64, offset: i64) -> Result<Value, EventAdminError> {
    let sql = format!(
        "select coalesce(json_agg(e), '[]') from (select {INVOCATION} from hdb_catalog.event_invocation_logs \
         where trigger_name = $1 order by created_at desc limit $2 offset $3) e"
    );
    Ok(sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).bind(trigger).bind(limit).bind(offset).fetch_one(pool).await?)
}

/// One event with its tries.
///
/// # Errors
/// [`EventAdminError::UnknownEvent`] or the database's.
pub async fn event_by_id(pool: &PgPool, event_id: &str) -> Result<Value, EventAdminError> {
    let sql = format!(
        "select json_build_object('event', (select row_to_json(e) from (select {EVENT} from hdb_catalog.event_log \
         where id = $1) e), 'invocations', (select coalesce(json_agg(i), '[]') from (select {INVOCATION} from \
         hdb_catalog.event_invocation_logs where event_id = $1 order by created_at desc) i))"
    );
    let found: Value = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).bind(event_id).fetch_one(pool).await?;
    match found.get("event") {
        Some(event) if !event.is_null() => Ok(found),
        _ => Err(EventAdminError::UnknownEvent),
    }
}

const EVENT: &str = "id, schema_name, table_name, trigger_name, payload, delivered, error, tries, \
     created_at at time zone current_setting('timezone') at time zone 'utc' as created_at, locked, next_retry_at, archived";
const INVOCATION: &str = "id, trigger_name, event_id, status as http_status, request, response, created_at";
