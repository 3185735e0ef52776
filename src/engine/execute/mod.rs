//! Runs planned operations: statements with binary results, JSON written straight from them.

mod action;
mod errors;
mod explain;
mod join;
mod live;
mod mutation;
mod remote;
mod result;
mod value;
mod write;

use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::{Arguments, AssertSqlSafe, PgConnection, PgPool, SqlSafeStr};

use super::callers::RequestContext;
use super::error::{ErrorCode, GraphqlError, Result};
use super::plan::{ActionPlan, CompiledRoot, Planned, Query, Root, Values};
use write::Writer;

pub use live::{Member, Refreshed, refresh};
pub use result::asked_id;

/// An answer: the bytes under `data`, and what an action wants set.
#[derive(Debug, Clone, Default)]
pub struct Response {
    /// The value of `data`: one JSON object.
    pub data: Bytes,
    /// `Set-Cookie` headers of actions.
    pub set_cookies: Vec<String>,
}

/// Runs operations on a pool.
#[derive(Clone)]
pub struct Executor {
    pool: PgPool,
    writer: Writer,
}

impl Executor {
    /// An executor; with `stringify`, numbers that JavaScript would round are strings.
    pub fn new(pool: PgPool, stringify: bool) -> Self {
        Self { pool, writer: Writer { stringify } }
    }

    /// Runs a query or a mutation and writes its root fields in the order of the selection.
    ///
    /// # Errors
    /// Of the database, an action or a remote schema; a mutation has then left no trace in the database.
    pub async fn run(&self, context: &RequestContext, planned: &Planned) -> Result<Response> {
        let response = match planned {
            Planned::Query(roots) => self.query(context, roots).await?,
            Planned::Mutation(roots) => self.mutation(context, roots).await?,
            Planned::Subscription(_) => {
                let message = "subscriptions are not supported over HTTP, use websockets instead";
                return Err(GraphqlError::new(ErrorCode::UnexpectedPayload, message));
            }
        };
        let Some(joins) = planned.joins() else { return Ok(response) };
        let data = self.join(context, joins, response.data.into()).await?;
        Ok(Response { data: data.into(), ..response })
    }

    async fn query(&self, context: &RequestContext, roots: &[Root]) -> Result<Response> {
        let mut out = Vec::with_capacity(1024);
        let mut set_cookies = Vec::new();
        out.push(b'{');
        for (index, root) in roots.iter().enumerate() {
            begin(&mut out, index, &root.key);
            match &root.field {
                CompiledRoot::Query(query) => {
                    let rows = fetch(&self.pool, &query.sql, &root.values, "$").await?;
                    self.writer.answer(&mut out, &query.answer, &rows).map_err(errors::malformed)?;
                }
                other => self.outside(context, other, &mut out, &mut set_cookies).await?,
            }
        }
        out.push(b'}');
        Ok(Response { data: out.into(), set_cookies })
    }

    /// Root fields of a mutation: those of the database first, in one transaction, then the others in order.
    async fn mutation(&self, context: &RequestContext, roots: &[Root]) -> Result<Response> {
        let mut answers: Vec<Vec<u8>> = vec![Vec::new(); roots.len()];
        let writes = |root: &Root| matches!(root.field, CompiledRoot::Mutation(_) | CompiledRoot::Query(_));
        if roots.iter().any(writes) {
            let mut transaction = self.pool.begin().await.map_err(|error| errors::database(error, "$"))?;
            let session = context.session.to_json();
            sqlx::query("select set_config('hasura.user', $1, true)")
                .bind(session)
                .execute(&mut *transaction)
                .await
                .map_err(|error| errors::database(error, "$"))?;
            for (root, answer) in roots.iter().zip(&mut answers) {
                match &root.field {
                    CompiledRoot::Mutation(plan) => {
                        mutation::run(&mut transaction, self.writer, plan, root, context, answer).await?;
                    }
                    CompiledRoot::Query(query) => {
                        self.on(&mut transaction, query, &root.values, answer).await?;
                    }
                    _ => {}
                }
            }
            transaction.commit().await.map_err(|error| errors::database(error, "$"))?;
        }
        let mut set_cookies = Vec::new();
        for (root, answer) in roots.iter().zip(&mut answers) {
            if !writes(root) {
                self.outside(context, &root.field, answer, &mut set_cookies).await?;
            }
        }
        let mut out = Vec::with_capacity(1024);
        out.push(b'{');
        for (index, (root, answer)) in roots.iter().zip(answers).enumerate() {
            begin(&mut out, index, &root.key);
            out.extend_from_slice(&answer);
        }
        out.push(b'}');
        Ok(Response { data: out.into(), set_cookies })
    }

    async fn on(&self, connection: &mut PgConnection, query: &Query, values: &Values, out: &mut Vec<u8>) -> Result<()> {
        let rows = fetch(connection, &query.sql, values, "$").await?;
        self.writer.answer(out, &query.answer, &rows).map_err(errors::malformed)
    }

    async fn outside(
        &self,
        context: &RequestContext,
        root: &CompiledRoot,
        out: &mut Vec<u8>,
        set_cookies: &mut Vec<String>,
    ) -> Result<()> {
        match root {
            CompiledRoot::Constant(value) => json(out, value),
            CompiledRoot::Remote(plan) => remote::root(context, plan, out).await?,
            CompiledRoot::Action(plan) if plan.result => self.action_result(context, plan, out).await?,
            CompiledRoot::Action(plan) if plan.action.definition.is_asynchronous() => {
                self.store_action(context, plan, out).await?;
            }
            CompiledRoot::Action(plan) => {
                let answer = self.act(context, plan).await?;
                set_cookies.extend(answer.set_cookies);
                self.action_output(context, plan, &answer.body, out).await?;
            }
            CompiledRoot::Query(_) | CompiledRoot::Mutation(_) | CompiledRoot::Live(_) => {}
        }
        Ok(())
    }

    async fn act(&self, context: &RequestContext, plan: &Arc<ActionPlan>) -> Result<super::callers::ActionAnswer> {
        let call = super::callers::ActionCall { action: plan.action.clone(), input: plan.input.clone() };
        context.callers.action(context, call).await
    }
}

fn begin(out: &mut Vec<u8>, index: usize, key: &str) {
    if index > 0 {
        out.push(b',');
    }
    value::string(out, key.as_bytes());
    out.push(b':');
}

fn json(out: &mut Vec<u8>, value: &Value) {
    out.extend_from_slice(value.to_string().as_bytes());
}

/// Runs a statement with its values as texts. Statements are kept prepared on each connection.
async fn fetch<'c>(
    executor: impl sqlx::Executor<'c, Database = sqlx::Postgres>,
    sql: &str,
    values: &[Option<String>],
    path: &str,
) -> Result<Vec<PgRow>> {
    let mut arguments = PgArguments::default();
    for value in values {
        arguments.add(value.as_deref()).map_err(|error| errors::database(sqlx::Error::Encode(error), path))?;
    }
    // The text comes from the printer of `sql`: names are quoted there, and values are bound.
    let statement = AssertSqlSafe(sql.to_owned()).into_sql_str();
    sqlx::query_with(statement, arguments).fetch_all(executor).await.map_err(|error| errors::database(error, path))
}
