//! `run_sql`: SQL of an admin, and the metadata after it.

use futures::TryStreamExt;
use serde_json::{Value, json};
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Column, Either, Executor, Row, SqlSafeStr, TypeInfo, ValueRef};

use super::change::{self, Accept};
use super::document;
use super::schema_change::Before;
use crate::auth::Identity;
use crate::error::{ErrorCode, GraphqlError, Result};
use crate::events;
use crate::serving::Surface;
use crate::subscriptions::feed::Change;

/// Runs `run_sql`.
pub(super) async fn run(surface: &Surface, identity: &Identity, args: &Value) -> Result<Value> {
    let sql = document::text(args, "sql")?;
    let flag = |key: &str| args.get(key).and_then(Value::as_bool);
    let (cascade, read_only) = (flag("cascade").unwrap_or(false), flag("read_only").unwrap_or(false));
    let state = surface.core.state();
    let name = document::source_name(args);
    if state.metadata.sources.iter().all(|source| source.name != name) && !(state.metadata.sources.is_empty()) {
        return Err(GraphqlError::new(ErrorCode::NotExists, format!("source with name {name:?} does not exist")));
    }
    let failed = |error: sqlx::Error| failed(sql, &error);
    let mut tx = surface.core.pool().begin().await.map_err(failed)?;
    if read_only {
        sqlx::raw_sql("set transaction read only").execute(&mut *tx).await.map_err(failed)?;
    }
    let changes_schema = !read_only && flag("check_metadata_consistency").unwrap_or_else(|| may_change_schema(sql));
    let before = match changes_schema {
        true => Some(Before::read(&mut tx, &state).await.map_err(failed)?),
        false => None,
    };
    // Captured events say who made a change, and so may functions of the database.
    sqlx::query("select set_config('hasura.user', $1, true), set_config('hasura.tracecontext', $2, true)")
        .bind(identity.session.to_json())
        .bind(events::trace_context())
        .execute(&mut *tx)
        .await
        .map_err(failed)?;
    let answer = execute(&mut tx, sql).await?;
    let Some(before) = before else {
        tx.commit().await.map_err(failed)?;
        surface.live.feed.send(Change::Everything);
        return Ok(answer);
    };
    let (change, functions) = before.compare(&mut tx, &state).await.map_err(failed)?;
    functions.check_functions(&state.model)?;
    let dependents = change.dependents(&state.metadata, &state.model, &state.inconsistencies);
    if !dependents.is_empty() && !cascade {
        let mut names: Vec<String> = dependents.iter().map(ToString::to_string).collect();
        names.sort();
        let message = format!("cannot drop due to the following dependent objects: {}", names.join(", "));
        return Err(GraphqlError::new(ErrorCode::DependencyError, message));
    }
    change.check_names(&state.model)?;
    change.check_types(&state.metadata, &state.model)?;
    let mut metadata = state.metadata.as_ref().clone();
    change.apply(&mut metadata, &state.model, &dependents);
    tx.commit().await.map_err(failed)?;
    let accept = if cascade { Accept::CascadeAfterwards } else { Accept::Anything };
    change::put_in_force(surface, metadata, accept).await?;
    surface.live.feed.send(Change::Everything);
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
