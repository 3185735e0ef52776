//! The log of asynchronous actions: `hdb_catalog.hdb_action_log`, Hasura's table with one column more (`locked`).

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value};
use sqlx::{PgPool, Row};
use uuid::Uuid;

use super::headers::of_request;
use crate::json;
use crate::metadata::{Action, QualifiedName};
use crate::outbound::caller::RequestContext;
use crate::retry;
use crate::session::Session;

const TABLES: &str = "
create schema if not exists hdb_catalog;

create or replace function hdb_catalog.gen_hasura_uuid() returns uuid language sql as $$ select gen_random_uuid() $$;

create table if not exists hdb_catalog.hdb_action_log (
    id uuid primary key default hdb_catalog.gen_hasura_uuid(),
    action_name text,
    input_payload jsonb not null,
    request_headers jsonb not null,
    session_variables jsonb not null,
    response_payload jsonb,
    errors jsonb,
    created_at timestamptz not null default now(),
    response_received_at timestamptz,
    status text not null check (status in ('created', 'processing', 'completed', 'error'))
);
alter table hdb_catalog.hdb_action_log add column if not exists locked timestamptz;
create index if not exists hdb_action_log_open_idx
    on hdb_catalog.hdb_action_log (action_name, created_at) where status in ('created', 'processing');
";

/// The log's table, whose changes wake subscriptions to results.
pub fn table() -> QualifiedName {
    QualifiedName::new("hdb_catalog", "hdb_action_log")
}

/// Makes the log where it is missing; safe to repeat and to run from several instances.
///
/// # Errors
/// What the database said.
pub async fn prepare(pool: &PgPool) -> sqlx::Result<()> {
    retry::shared(async || {
        let made: bool = sqlx::query_scalar(
            "select to_regclass('hdb_catalog.hdb_action_log_open_idx') is not null and exists (select from pg_attribute \
             where attrelid = to_regclass('hdb_catalog.hdb_action_log') and attname = 'locked')",
        )
        .fetch_one(pool)
        .await?;
        if !made {
            sqlx::raw_sql(TABLES).execute(pool).await?;
        }
        Ok(())
    })
    .await
}

/// Stores a call; gives its id. Of the client's headers only those are kept that go along, and never `x-hasura-*`.
///
/// # Errors
/// What the database said.
pub async fn store(
    pool: &PgPool,
    action: &Action,
    input: &Map<String, Value>,
    context: &RequestContext,
) -> sqlx::Result<Uuid> {
    let definition = &action.definition;
    let ignored = definition.ignored_client_headers.as_deref();
    let headers = to_json(&of_request(context, definition.forward_client_headers, ignored));
    sqlx::query_scalar(
        "insert into hdb_catalog.hdb_action_log (action_name, input_payload, request_headers, session_variables, status) \
         values ($1, $2::jsonb, $3::jsonb, $4::jsonb, 'created') returning id",
    )
    .bind(&action.name)
    .bind(json::write(&Value::Object(input.clone())))
    .bind(Value::Object(headers).to_string())
    .bind(context.session.to_json())
    .fetch_one(pool)
    .await
}

/// What the log knows of a call.
#[derive(Debug, Clone, PartialEq)]
pub enum Found {
    /// Nothing: the action has no such call.
    Unknown,
    /// It is another session's.
    Hidden,
    /// `{id, created_at, errors, output}`.
    Call(Value),
}

/// Looks up calls of an action, each for who asks: admin sees all, anyone else what the same session variables stored.
///
/// # Errors
/// What the database said.
pub async fn find(pool: &PgPool, action: &str, asked: &[(Uuid, &Session)]) -> sqlx::Result<Vec<Found>> {
    let ids: Vec<Uuid> = asked.iter().map(|(id, _)| *id).collect();
    let sessions: Vec<Option<String>> =
        asked.iter().map(|(_, session)| (!session.is_admin()).then(|| session.to_json())).collect();
    let rows = sqlx::query(
        "select a.place, a.session is null or l.session_variables = a.session::jsonb, json_build_object('id', l.id, \
           'created_at', l.created_at, 'errors', l.errors, 'output', l.response_payload)::text \
         from unnest($2::uuid[], $3::text[]) with ordinality a(id, session, place) \
         join hdb_catalog.hdb_action_log l on l.id = a.id and l.action_name = $1",
    )
    .bind(action)
    .bind(ids)
    .bind(sessions)
    .fetch_all(pool)
    .await?;
    let mut found = vec![Found::Unknown; asked.len()];
    for row in &rows {
        let place: i64 = row.try_get(0)?;
        let Some(slot) = usize::try_from(place - 1).ok().and_then(|place| found.get_mut(place)) else { continue };
        *slot = match row.try_get(1)? {
            true => {
                let text: String = row.try_get(2)?;
                Found::Call(json::read(text.as_bytes()).map_err(|error| sqlx::Error::Decode(error.into()))?)
            }
            false => Found::Hidden,
        };
    }
    Ok(found)
}

/// Headers as the log keeps them: an object; those that came several times are joined.
fn to_json(headers: &HeaderMap) -> Map<String, Value> {
    let mut fields = Map::new();
    for name in headers.keys() {
        let values: Vec<&str> = headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
        let joined = values.join(if name == "cookie" { "; " } else { ", " });
        fields.insert(name.to_string(), joined.into());
    }
    fields
}

/// Headers as the log kept them.
pub(super) fn from_json(fields: &Map<String, Value>) -> HeaderMap {
    fields
        .iter()
        .filter_map(|(name, value)| {
            let name = HeaderName::try_from(name.as_str()).ok()?;
            Some((name, HeaderValue::from_str(value.as_str()?).ok()?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_survive_the_log() {
        let mut headers = HeaderMap::new();
        for (name, value) in [("cookie", "a=b"), ("cookie", "c=d"), ("x-custom", "1"), ("x-custom", "2")] {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        let kept = from_json(&to_json(&headers));
        assert_eq!(
            (&kept["cookie"], &kept["x-custom"], kept.len()),
            (&HeaderValue::from_static("a=b; c=d"), &HeaderValue::from_static("1, 2"), 2)
        );
    }
}
