//! The tables of schedules.

use sqlx::PgPool;

use crate::retry;

/// Makes the tables where they are missing; safe to repeat and to run from several instances.
///
/// # Errors
/// What the database said.
pub async fn prepare(pool: &PgPool) -> sqlx::Result<()> {
    retry::shared(async || {
        if !exist(pool).await? {
            sqlx::raw_sql(TABLES).execute(pool).await?;
        }
        Ok(())
    })
    .await
}

/// Whether the tables are there.
pub(super) async fn exist(pool: &PgPool) -> sqlx::Result<bool> {
    sqlx::query_scalar(
        "select to_regclass('hdb_catalog.hdb_scheduled_event_invocation_event_id') is not null and 2 = (select count(*) \
         from pg_attribute where attname = 'locked' and attrelid in (to_regclass('hdb_catalog.hdb_cron_events'), \
         to_regclass('hdb_catalog.hdb_scheduled_events')))",
    )
    .fetch_one(pool)
    .await
}

const TABLES: &str = "
create schema if not exists hdb_catalog;

create or replace function hdb_catalog.gen_hasura_uuid() returns uuid language sql as $$ select gen_random_uuid() $$;

create table if not exists hdb_catalog.hdb_cron_events (
    id text default hdb_catalog.gen_hasura_uuid() primary key,
    trigger_name text not null,
    scheduled_time timestamptz not null,
    status text not null default 'scheduled',
    tries integer not null default 0,
    created_at timestamptz default now(),
    next_retry_at timestamptz,
    constraint valid_status check (status in ('scheduled', 'locked', 'delivered', 'error', 'dead'))
);
alter table hdb_catalog.hdb_cron_events add column if not exists locked timestamptz;
create index if not exists hdb_cron_event_status on hdb_catalog.hdb_cron_events (status);
create index if not exists hdb_cron_events_trigger_time_idx on hdb_catalog.hdb_cron_events (trigger_name, scheduled_time);
create unique index if not exists hdb_cron_events_unique_scheduled
    on hdb_catalog.hdb_cron_events (trigger_name, scheduled_time) where status = 'scheduled';

create table if not exists hdb_catalog.hdb_cron_event_invocation_logs (
    id text default hdb_catalog.gen_hasura_uuid() primary key,
    event_id text references hdb_catalog.hdb_cron_events (id) on update cascade on delete cascade,
    status integer,
    request json,
    response json,
    created_at timestamptz default now()
);
create index if not exists hdb_cron_event_invocation_event_id
    on hdb_catalog.hdb_cron_event_invocation_logs (event_id);

create table if not exists hdb_catalog.hdb_scheduled_events (
    id text default hdb_catalog.gen_hasura_uuid() primary key,
    webhook_conf json not null,
    scheduled_time timestamptz not null,
    retry_conf json,
    payload json,
    header_conf json,
    status text not null default 'scheduled',
    tries integer not null default 0,
    created_at timestamptz default now(),
    next_retry_at timestamptz,
    comment text,
    constraint valid_status check (status in ('scheduled', 'locked', 'delivered', 'error', 'dead'))
);
alter table hdb_catalog.hdb_scheduled_events add column if not exists request_transform json;
alter table hdb_catalog.hdb_scheduled_events add column if not exists response_transform json;
alter table hdb_catalog.hdb_scheduled_events add column if not exists locked timestamptz;
create index if not exists hdb_scheduled_event_status on hdb_catalog.hdb_scheduled_events (status);

create table if not exists hdb_catalog.hdb_scheduled_event_invocation_logs (
    id text default hdb_catalog.gen_hasura_uuid() primary key,
    event_id text references hdb_catalog.hdb_scheduled_events (id) on update cascade on delete cascade,
    status integer,
    request json,
    response json,
    created_at timestamptz default now()
);
create index if not exists hdb_scheduled_event_invocation_event_id
    on hdb_catalog.hdb_scheduled_event_invocation_logs (event_id);
";
