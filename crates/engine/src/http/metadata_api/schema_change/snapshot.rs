//! What SQL may change under the metadata: tables and functions by their object ids, which renames leave alone.

use std::collections::HashMap;

use serde::Deserialize;
use sqlx::PgConnection;

use crate::catalog::Volatility;
use crate::metadata::QualifiedName;

/// Tables and functions at one moment.
#[derive(Deserialize)]
pub(super) struct Snapshot {
    pub tables: Vec<Table>,
    pub functions: Vec<Function>,
}

#[derive(Deserialize)]
pub(super) struct Table {
    pub oid: i64,
    pub name: QualifiedName,
    pub columns: Vec<Column>,
    pub keys: Vec<Key>,
}

#[derive(Deserialize)]
pub(super) struct Column {
    /// Stays when the column is renamed.
    pub position: i16,
    pub name: String,
    #[serde(rename = "type")]
    pub ty: i64,
}

/// A foreign key.
#[derive(Deserialize)]
pub(super) struct Key {
    pub oid: i64,
    pub columns: Vec<String>,
    pub remote: QualifiedName,
    pub remote_columns: Vec<String>,
}

#[derive(Deserialize)]
pub(super) struct Function {
    pub oid: i64,
    pub name: QualifiedName,
    pub volatility: Volatility,
}

const SQL: &str = "
with relations as (
  select c.oid, json_build_object('schema', n.nspname, 'name', c.relname) as name
  from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  where c.relkind in ('r', 'v', 'm', 'f', 'p')
    and ((n.nspname, c.relname) in (select * from unnest($1::text[], $2::text[])) or c.oid::int8 = any($3))
)
select json_build_object(
  'tables', coalesce((select json_agg(json_build_object(
    'oid', r.oid::int8, 'name', r.name,
    'columns', coalesce((
      select json_agg(json_build_object('position', a.attnum, 'name', a.attname, 'type', a.atttypid::int8))
      from pg_catalog.pg_attribute a where a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped), '[]'),
    'keys', coalesce((
      select json_agg(json_build_object(
        'oid', k.oid::int8,
        'columns', (select json_agg(a.attname order by u.n) from unnest(k.conkey) with ordinality u(num, n)
          join pg_catalog.pg_attribute a on a.attrelid = k.conrelid and a.attnum = u.num),
        'remote', json_build_object('schema', rn.nspname, 'name', o.relname),
        'remote_columns', (select json_agg(a.attname order by u.n) from unnest(k.confkey) with ordinality u(num, n)
          join pg_catalog.pg_attribute a on a.attrelid = k.confrelid and a.attnum = u.num)))
      from pg_catalog.pg_constraint k join pg_catalog.pg_class o on o.oid = k.confrelid
      join pg_catalog.pg_namespace rn on rn.oid = o.relnamespace
      where k.conrelid = r.oid and k.contype = 'f'), '[]')
  )) from relations r), '[]'),
  'functions', coalesce((select json_agg(json_build_object(
    'oid', p.oid::int8, 'name', json_build_object('schema', n.nspname, 'name', p.proname),
    'volatility', p.provolatile))
    from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace
    where (n.nspname, p.proname) in (select * from unnest($4::text[], $5::text[]))), '[]')
)::text";

impl Snapshot {
    /// Tables of these names or object ids, and functions of these names.
    pub async fn of(
        connection: &mut PgConnection,
        tables: &[QualifiedName],
        ids: &[i64],
        functions: &[QualifiedName],
    ) -> sqlx::Result<Self> {
        let split = |names: &[QualifiedName]| -> (Vec<String>, Vec<String>) {
            names.iter().map(|name| (name.schema.clone(), name.name.clone())).unzip()
        };
        let ((schemas, names), (function_schemas, function_names)) = (split(tables), split(functions));
        let text: String = sqlx::query_scalar(SQL)
            .bind(schemas)
            .bind(names)
            .bind(ids)
            .bind(function_schemas)
            .bind(function_names)
            .fetch_one(connection)
            .await?;
        serde_json::from_str(&text).map_err(|error| sqlx::Error::Decode(error.into()))
    }

    /// The tables by their ids.
    pub fn by_id(&self) -> HashMap<i64, &Table> {
        self.tables.iter().map(|table| (table.oid, table)).collect()
    }
}
