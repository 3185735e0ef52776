//! `run_sql`: SQL of an admin, and the metadata after it.

use futures::TryStreamExt;
use serde_json::{Value, json};
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Column, Either, Executor, Row, SqlSafeStr, TypeInfo, ValueRef};

use super::change::{self, Accept};
use super::document;
use crate::engine::error::{ErrorCode, GraphqlError, Result};
use crate::engine::metadata::QualifiedName;
use crate::engine::server::Surface;
use crate::engine::subscriptions::feed::Change;

/// Runs `run_sql`.
pub(super) async fn run(surface: &Surface, args: &Value) -> Result<Value> {
    let sql = document::text(args, "sql")?;
    let flag = |key: &str| args.get(key).and_then(Value::as_bool);
    let (cascade, read_only) = (flag("cascade").unwrap_or(false), flag("read_only").unwrap_or(false));
    let current = surface.backend.current();
    let name = document::source_name(args);
    if current.metadata.sources.iter().all(|source| source.name != name) && !(current.metadata.sources.is_empty()) {
        return Err(GraphqlError::new(ErrorCode::NotExists, format!("source with name {name:?} does not exist")));
    }
    let mut tx = surface.backend.pool().begin().await.map_err(|error| failed(sql, &error))?;
    if read_only {
        sqlx::raw_sql("set transaction read only").execute(&mut *tx).await.map_err(|error| failed(sql, &error))?;
    }
    let answer = execute(&mut tx, sql).await?;
    let changes_schema = flag("check_metadata_consistency").unwrap_or_else(|| !read_only && may_change_schema(sql));
    if !changes_schema {
        tx.commit().await.map_err(|error| failed(sql, &error))?;
        surface.feed.send(Change::Everything);
        return Ok(answer);
    }
    let tracked: Vec<QualifiedName> =
        current.metadata.sources.iter().flat_map(|source| &source.tables).map(|table| table.table.clone()).collect();
    let gone = missing_relations(&mut tx, &tracked).await.map_err(|error| failed(sql, &error))?;
    // What was inconsistent already does not count.
    let known: Vec<&Value> = current.inconsistencies.iter().map(|found| &found.definition).collect();
    let gone: Vec<QualifiedName> = gone.into_iter().filter(|table| !known.contains(&&json!(table))).collect();
    let dependents = surface.backend.dependents(&gone);
    if !dependents.is_empty() && !cascade {
        let names: Vec<String> = dependents.iter().map(|object| format!("{object} in source \"{name}\"")).collect();
        let message = format!("cannot drop due to the following dependent objects: {}", names.join(", "));
        return Err(GraphqlError::new(ErrorCode::DependencyError, message));
    }
    tx.commit().await.map_err(|error| failed(sql, &error))?;
    let mut document = current.metadata.to_document();
    for source in document::list(&mut document, "sources") {
        if let Some(source) = source.as_object_mut() {
            document::member_list(source, "tables")
                .retain(|table| table.get("table").is_none_or(|table| !gone.iter().any(|gone| json!(gone) == *table)));
        }
    }
    let accept = if cascade { Accept::CascadeAfterwards } else { Accept::Anything };
    change::put_in_force(surface, document::parse(&document)?, accept).await?;
    surface.feed.send(Change::Everything);
    Ok(answer)
}

/// Runs the statements; gives the result of the last, as text.
async fn execute(connection: &mut PgConnection, sql: &str) -> Result<Value> {
    let mut rows: Vec<Value> = Vec::new();
    let mut finished = false;
    {
        let mut results = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).fetch_many(&mut *connection);
        while let Some(step) = results.try_next().await.map_err(|error| failed(sql, &error))? {
            match step {
                Either::Left(_) => finished = true,
                Either::Right(row) => {
                    if std::mem::take(&mut finished) {
                        rows.clear();
                    }
                    if rows.is_empty() {
                        rows.push(header(&row));
                    }
                    rows.push(texts(&row).map_err(|error| failed(sql, &error))?);
                }
            }
        }
    }
    if rows.is_empty() {
        return Ok(match columns_of(connection, sql).await {
            Some(names) => json!({"result_type": "TuplesOk", "result": [names]}),
            None => json!({"result_type": "CommandOk", "result": null}),
        });
    }
    Ok(json!({"result_type": "TuplesOk", "result": rows}))
}

/// The columns of a single query, which it has even without rows. What is none cannot be prepared or has none; the
/// transaction goes on either way.
async fn columns_of(connection: &mut PgConnection, sql: &str) -> Option<Vec<String>> {
    sqlx::raw_sql("savepoint described").execute(&mut *connection).await.ok()?;
    let described = (&mut *connection).describe(AssertSqlSafe(sql.to_owned()).into_sql_str()).await;
    let names = described
        .ok()
        .map(|described| described.columns().iter().map(|column| column.name().to_owned()).collect::<Vec<_>>());
    sqlx::raw_sql("rollback to savepoint described").execute(&mut *connection).await.ok()?;
    names.filter(|names| !names.is_empty())
}

fn header(row: &PgRow) -> Value {
    row.columns().iter().map(|column| Value::from(column.name())).collect()
}

/// The columns as the database prints them; nulls as `NULL`.
fn texts(row: &PgRow) -> sqlx::Result<Value> {
    (0..row.columns().len())
        .map(|index| {
            let value = row.try_get_raw(index)?;
            if value.is_null() {
                return Ok(Value::from("NULL"));
            }
            value.as_str().map(Value::from).map_err(|error| sqlx::Error::ColumnDecode {
                index: format!("{index} ({})", value.type_info().name()),
                source: error,
            })
        })
        .collect()
}

/// Whether the text holds a word that may change the schema.
fn may_change_schema(sql: &str) -> bool {
    let words = ["create", "alter", "drop", "rename", "replace", "truncate", "comment", "execute"];
    sql.split(|c: char| !c.is_ascii_alphabetic() && c != '_')
        .any(|word| words.iter().any(|w| word.eq_ignore_ascii_case(w)))
}

async fn missing_relations(
    connection: &mut PgConnection,
    tracked: &[QualifiedName],
) -> sqlx::Result<Vec<QualifiedName>> {
    let (schemas, names): (Vec<&str>, Vec<&str>) =
        tracked.iter().map(|table| (table.schema.as_str(), table.name.as_str())).unzip();
    let rows = sqlx::query(
        "select w.schema, w.name from unnest($1::text[], $2::text[]) w(schema, name) where not exists ( \
         select from pg_class c join pg_namespace n on n.oid = c.relnamespace \
         where n.nspname = w.schema and c.relname = w.name)",
    )
    .bind(schemas)
    .bind(names)
    .fetch_all(connection)
    .await?;
    rows.iter().map(|row| Ok(QualifiedName::new(row.try_get::<String, _>(0)?, row.try_get::<String, _>(1)?))).collect()
}

/// A failed statement, with what the database said as Hasura shows it to admins.
fn failed(sql: &str, error: &sqlx::Error) -> GraphqlError {
    let details = match error.as_database_error() {
        Some(error) => {
            let error = error.downcast_ref::<sqlx::postgres::PgDatabaseError>();
            json!({
                "description": error.detail(),
                "exec_status": "FatalError",
                "hint": error.hint(),
                "message": error.message(),
                "status_code": error.code(),
            })
        }
        None => json!({"exec_status": "FatalError", "message": error.to_string()}),
    };
    GraphqlError::new(ErrorCode::PostgresError, "query execution failed")
        .with_status(400)
        .with_internal(json!({"arguments": [], "error": details, "prepared": false, "statement": sql}))
}
