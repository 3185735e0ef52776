//! Commands that look and change nothing: suggestions, kinds of sources, and the CLI's and console's own notes.

use serde_json::{Value, json};

use super::{Command, document, success};
use crate::catalog::{ForeignKey, Table};
use crate::error::{ErrorCode, GraphqlError, Result};
use crate::metadata::QualifiedName;
use crate::retry;
use crate::serving::Surface;
use crate::state::State;

/// Runs the command if it is one of these.
pub(super) async fn run(surface: &Surface, command: &Command) -> Option<Result<Value>> {
    let args = &command.args;
    Some(match command.name() {
        "suggest_relationships" => suggest(&surface.core.state(), args),
        "get_source_kind_capabilities" => capabilities(args),
        "test_connection_template" => {
            Err(GraphqlError::new(ErrorCode::NotSupported, "connection templates are not supported"))
        }
        "get_catalog_state" => catalog_state(surface).await.map_err(failed),
        "set_catalog_state" => set_catalog_state(surface, args).await,
        _ => return None,
    })
}

fn failed(error: sqlx::Error) -> GraphqlError {
    tracing::error!(error = %error, "state of the catalogue not read or written");
    GraphqlError::unexpected("database query error")
}

fn capabilities(args: &Value) -> Result<Value> {
    let name = document::text(args, "name")?;
    let message = match name {
        "postgres" | "pg" | "citus" | "cockroach" | "mssql" | "bigquery" => {
            format!("{name} does not support Capabilities.")
        }
        _ => format!("Source Kind {name} was not found."),
    };
    Err(GraphqlError::new(ErrorCode::DataConnectorError, message))
}

/// For each foreign key between tracked tables the two relationships that it allows.
fn suggest(state: &State, args: &Value) -> Result<Value> {
    let name = document::source_name(args);
    let source = state
        .metadata
        .sources
        .iter()
        .find(|source| source.name == name)
        .ok_or_else(|| GraphqlError::unexpected("Couldn't find any schema source information"))?;
    let wanted = match args.get("tables").filter(|tables| !tables.is_null()) {
        None => None,
        Some(Value::Array(tables)) => Some(tables.iter().map(document::qualified).collect::<Result<Vec<_>>>()?),
        Some(_) => {
            let message = "parsing the list of tables failed, expected Array";
            return Err(GraphqlError::at("$.args.tables", ErrorCode::ParseFailed, message));
        }
    };
    let omit_tracked = args.get("omit_tracked").and_then(Value::as_bool).unwrap_or(false);
    let is_tracked = |name: &QualifiedName| source.tables.iter().any(|table| table.table == *name);
    let is_wanted = |name: &QualifiedName| wanted.as_ref().is_none_or(|wanted| wanted.contains(name));
    let mut suggested = Vec::new();
    for table in source.tables.iter().filter_map(|table| state.catalog.table(&table.table)) {
        for key in &table.foreign_keys {
            if !is_tracked(&key.remote) || !(is_wanted(&table.name) || is_wanted(&key.remote)) {
                continue;
            }
            let (there, back) = relationships(table, key);
            let inverse: Vec<(String, String)> =
                key.columns.iter().map(|(here, other)| (other.clone(), here.clone())).collect();
            if !(omit_tracked && has(state, &table.name, &key.remote, &key.columns)) {
                suggested.push(there);
            }
            if !(omit_tracked && has(state, &key.remote, &table.name, &inverse)) {
                suggested.push(back);
            }
        }
    }
    Ok(json!({"relationships": suggested}))
}

fn relationships(table: &Table, key: &ForeignKey) -> (Value, Value) {
    let (here, there): (Vec<&str>, Vec<&str>) =
        key.columns.iter().map(|(here, there)| (here.as_str(), there.as_str())).unzip();
    // As in Hasura only a constraint on exactly these columns makes the way back lead to one row.
    let unique = table.unique.iter().chain(&table.primary_key).any(|constraint| {
        constraint.columns.len() == here.len()
            && constraint.columns.iter().all(|column| here.contains(&column.as_str()))
    });
    let own = json!({"table": table.name, "columns": here, "constraint_name": key.name});
    let other = json!({"table": key.remote, "columns": there});
    let back = if unique { "object" } else { "array" };
    (json!({"type": "object", "from": own, "to": other}), json!({"type": back, "from": other, "to": own}))
}

/// Whether a table has a relationship to another over these columns.
fn has(state: &State, from: &QualifiedName, to: &QualifiedName, columns: &[(String, String)]) -> bool {
    let tables = &state.model.tables;
    let Some(table) = tables.iter().find(|table| table.name == *from) else { return false };
    table.relationships.iter().any(|relationship| {
        let Some(other) = tables.get(relationship.table).filter(|other| other.name == *to) else { return false };
        let names = |(here, there): &(usize, usize)| {
            Some((table.columns.get(*here)?.name.clone(), other.columns.get(*there)?.name.clone()))
        };
        let mapping: Option<Vec<(String, String)>> = relationship.mapping.iter().map(names).collect();
        mapping
            .is_some_and(|mapping| mapping.len() == columns.len() && mapping.iter().all(|pair| columns.contains(pair)))
    })
}

/// Hasura's table of versions, whose one row names this catalogue and keeps what the CLI and the console note.
const TABLE: &str = "
create schema if not exists hdb_catalog;

create or replace function hdb_catalog.gen_hasura_uuid() returns uuid language sql as $$ select gen_random_uuid() $$;

create table if not exists hdb_catalog.hdb_version (
    hasura_uuid uuid primary key default hdb_catalog.gen_hasura_uuid(),
    version text not null,
    upgraded_on timestamptz not null,
    cli_state jsonb not null default '{}',
    console_state jsonb not null default '{}',
    ee_client_id text,
    ee_client_secret text
);
create unique index if not exists hdb_version_one_row on hdb_catalog.hdb_version ((version is not null));
insert into hdb_catalog.hdb_version (version, upgraded_on) values ('48', now()) on conflict do nothing;
";

async fn prepare(surface: &Surface) -> sqlx::Result<()> {
    retry::shared(async || sqlx::raw_sql(TABLE).execute(surface.core.pool()).await.map(drop)).await
}

async fn catalog_state(surface: &Surface) -> sqlx::Result<Value> {
    prepare(surface).await?;
    sqlx::query_scalar(
        "select json_build_object('id', hasura_uuid, 'cli_state', cli_state, 'console_state', console_state) \
         from hdb_catalog.hdb_version",
    )
    .fetch_one(surface.core.pool())
    .await
}

async fn set_catalog_state(surface: &Surface, args: &Value) -> Result<Value> {
    let column = match document::text(args, "type")? {
        "cli" => "cli_state",
        "console" => "console_state",
        other => {
            let message = format!("expected one of the tags [\"cli\",\"console\"], but found tag {other:?}");
            return Err(GraphqlError::at("$.args.type", ErrorCode::ParseFailed, message));
        }
    };
    let state = crate::json::write(document::required(args, "state")?);
    prepare(surface).await.map_err(failed)?;
    sqlx::query(sqlx::AssertSqlSafe(format!("update hdb_catalog.hdb_version set {column} = $1::jsonb")))
        .bind(state)
        .execute(surface.core.pool())
        .await
        .map_err(failed)?;
    Ok(success())
}
