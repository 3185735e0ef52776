//! The tables and functions that event triggers need in a source.

use sqlx::{AssertSqlSafe, PgPool};

use crate::retry;

/// Makes schema, tables and functions where they are missing; safe to repeat and to run from several instances.
///
/// `notifies` says whether the database has LISTEN/NOTIFY: then each captured event nudges the deliverer.
///
/// # Errors
/// What the database said.
pub async fn prepare(pool: &PgPool, notifies: bool) -> sqlx::Result<()> {
    let notify = if notifies { "perform pg_notify('northstack_events', trigger_name);" } else { "" };
    let functions = FUNCTIONS.replace("/* notify */", notify);
    retry::shared(async || {
        sqlx::raw_sql(TABLES).execute(pool).await?;
        sqlx::raw_sql(AssertSqlSafe(functions.clone())).execute(pool).await?;
        Ok(())
    })
    .await
}

const TABLES: &str = r#"
create schema if not exists hdb_catalog;

create or replace function hdb_catalog.gen_hasura_uuid() returns uuid language sql as $$ select gen_random_uuid() $$;

create table if not exists hdb_catalog.event_log (
    id text default hdb_catalog.gen_hasura_uuid() primary key,
    schema_name text not null,
    table_name text not null,
    trigger_name text not null,
    payload jsonb not null,
    delivered boolean not null default false,
    error boolean not null default false,
    tries integer not null default 0,
    created_at timestamp default now(),
    locked timestamptz,
    next_retry_at timestamp,
    archived boolean not null default false
);
alter table hdb_catalog.event_log add column if not exists row_key text;
alter table hdb_catalog.event_log add column if not exists sequence bigserial;
create index if not exists event_log_trigger_name_idx on hdb_catalog.event_log (trigger_name);
create index if not exists event_log_fetch_events
    on hdb_catalog.event_log (locked nulls first, next_retry_at nulls first, created_at)
    where delivered = false and error = false and archived = false;
create index if not exists event_log_pending_idx
    on hdb_catalog.event_log (trigger_name, sequence)
    where delivered = false and error = false and archived = false;
drop index if exists hdb_catalog.event_log_row_idx;

create table if not exists hdb_catalog.event_invocation_logs (
    id text default hdb_catalog.gen_hasura_uuid() primary key,
    trigger_name text,
    event_id text,
    status integer,
    request json,
    response json,
    created_at timestamp default now()
);
create index if not exists event_invocation_logs_event_id_idx on hdb_catalog.event_invocation_logs (event_id);

create table if not exists hdb_catalog.hdb_event_log_cleanups (
    id text default hdb_catalog.gen_hasura_uuid() primary key,
    trigger_name text not null,
    scheduled_at timestamp not null,
    deleted_event_logs integer,
    deleted_event_invocation_logs integer,
    status text not null check (status in ('scheduled', 'paused', 'completed', 'dead')),
    unique (trigger_name, scheduled_at)
);

create table if not exists hdb_catalog.hdb_source_catalog_version (
    version text not null,
    upgraded_on timestamptz not null
);
create unique index if not exists hdb_source_catalog_version_one_row
    on hdb_catalog.hdb_source_catalog_version ((version is not null));
insert into hdb_catalog.hdb_source_catalog_version (version, upgraded_on)
    select '3', now() where not exists (select from hdb_catalog.hdb_source_catalog_version);
"#;

const FUNCTIONS: &str = r#"
create or replace function hdb_catalog.insert_event_log(
    schema_name text, table_name text, trigger_name text, op text, row_data json, row_key text
) returns text language plpgsql as $$
declare
    id text := gen_random_uuid();
begin
    insert into hdb_catalog.event_log (id, schema_name, table_name, trigger_name, payload, row_key)
    values (id, schema_name, table_name, trigger_name, json_build_object(
        'op', op,
        'data', row_data,
        'session_variables', nullif(current_setting('hasura.user', true), '')::json,
        'trace_context', nullif(current_setting('hasura.tracecontext', true), '')::json
    )::jsonb, row_key);
    /* notify */
    return id;
end;
$$;

create or replace function hdb_catalog.insert_event_log(
    schema_name text, table_name text, trigger_name text, op text, row_data json
) returns text language sql as $$
    select hdb_catalog.insert_event_log($1, $2, $3, $4, $5, null::text)
$$;
"#;
