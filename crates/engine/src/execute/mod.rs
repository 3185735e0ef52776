//! Runs planned operations: statements with binary results, JSON written straight from them.

mod action;
mod connections;
mod errors;
mod explain;
mod join;
mod live;
mod mutation;
mod remote;
mod result;
mod value;
mod wire;
mod write;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rand::RngExt;
use serde_json::Value;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::{Arguments, AssertSqlSafe, PgConnection, PgPool, SqlSafeStr};

use super::error::{ErrorCode, GraphqlError, Result};
use super::events::trace_context;
use super::plan::{ActionPlan, CompiledRoot, Planned, Query, Root, Values};
use super::schema::model::array::array_elements;
use super::schema::model::boolexp::Source;
use super::sql::{PACKED, Parameters};
use crate::outbound::caller::RequestContext;
use connections::{Connections, Lease, OUTDATED, lost, outdated};

pub use live::{Member, Refreshed, refresh};
pub use result::asked_id;
pub use wire::{Elements, Malformed};
pub use write::Writer;

/// The answer to a query or mutation that did not fail.
#[derive(Debug, Clone, Default)]
pub struct Response {
    /// All of it, as JSON text: `{"data":{...}}`.
    pub body: Bytes,
    /// `Set-Cookie` headers of action webhooks and remote schemas.
    pub set_cookies: Vec<String>,
}

/// How often a mutation is done again that others were in the way of.
const MORE_TRIES: u32 = 4;
/// How an answer begins; it ends with the brace that closes this one.
const BEGIN: &[u8] = b"{\"data\":";
/// Longest statement that a connection keeps prepared, in bytes.
const LONGEST_KEPT: usize = 64 * 1024;

impl Response {
    /// The value of `data`, as JSON text.
    pub fn data(&self) -> Bytes {
        self.body.slice(BEGIN.len().min(self.body.len())..self.body.len().saturating_sub(1))
    }
}

/// Runs operations on a pool.
#[derive(Clone)]
pub struct Executor {
    pool: PgPool,
    connections: Connections,
    writer: Writer,
}

impl Executor {
    /// An executor; with `stringify`, numbers that JavaScript would round are strings.
    pub fn new(pool: PgPool, stringify: bool) -> Self {
        Self { connections: Connections::like(&pool), pool, writer: Writer { stringify } }
    }

    /// Has statements prepared anew: tables may have changed.
    pub fn tables_changed(&self) {
        self.connections.prepare_anew();
    }

    /// Closes the connections that nobody uses, and the others when they come back.
    pub fn close(&self) {
        self.connections.close();
    }

    /// Runs a query or a mutation and writes its root fields in the order of the selection.
    ///
    /// # Errors
    /// Of the database, an action or a remote schema; a mutation has then left no trace in the database.
    pub async fn run(&self, context: &RequestContext, planned: &Planned) -> Result<Response> {
        let response = match planned {
            Planned::Query(roots) => self.query(context, roots).await?,
            // Boxed, like all that a plain query does not need: what is awaited in place makes every request's future larger.
            Planned::Mutation(roots) => Box::pin(self.mutation(context, roots)).await?,
            Planned::Subscription(_) => {
                let message = "subscriptions are not supported over HTTP, use websockets instead";
                return Err(GraphqlError::new(ErrorCode::UnexpectedPayload, message));
            }
        };
        let mut response = match planned.joins() {
            None => response,
            Some(joins) => {
                let data = Box::pin(self.join(context, joins, response.data().into())).await?;
                Response { body: [BEGIN, data.as_slice(), b"}"].concat().into(), ..response }
            }
        };
        response.set_cookies.extend(context.take_cookies());
        Ok(response)
    }

    async fn query(&self, context: &RequestContext, roots: &[Root]) -> Result<Response> {
        let mut out = Vec::with_capacity(1024);
        let mut set_cookies = Vec::new();
        let mut kept: Vec<(usize, Vec<PgRow>)> = Vec::new();
        out.extend_from_slice(BEGIN);
        out.push(b'{');
        for (index, root) in roots.iter().enumerate() {
            begin(&mut out, index, &root.key);
            match &root.field {
                CompiledRoot::Query(query) => {
                    let rows = self.read(query, &root.values).await?;
                    self.writer.answer_in_turns(&mut out, &query.answer, &rows).await.map_err(errors::malformed)?;
                    if roots.iter().any(|other| matches!(other.field, CompiledRoot::Shared(of, _) if of == index)) {
                        kept.push((index, rows));
                    }
                }
                CompiledRoot::Shared(of, answer) => {
                    let missing =
                        || GraphqlError::unexpected(format!("a field shares the rows of field {of}, which has none"));
                    let (_, rows) = kept.iter().find(|(index, _)| index == of).ok_or_else(missing)?;
                    self.writer.answer_in_turns(&mut out, answer, rows).await.map_err(errors::malformed)?;
                }
                other => Box::pin(self.outside(context, other, &mut out, &mut set_cookies)).await?,
            }
        }
        out.extend_from_slice(b"}}");
        Ok(Response { body: out.into(), set_cookies })
    }

    /// Root fields of a mutation: those of the database first, in one transaction, then the others in order.
    async fn mutation(&self, context: &RequestContext, roots: &[Root]) -> Result<Response> {
        let mut answers: Vec<Vec<u8>> = vec![Vec::new(); roots.len()];
        let writes = |root: &Root| matches!(root.field, CompiledRoot::Mutation(_) | CompiledRoot::Query(_));
        if roots.iter().any(writes) {
            self.writing(context, roots, &mut answers).await?;
        }
        let mut set_cookies = Vec::new();
        for (root, answer) in roots.iter().zip(&mut answers) {
            if !writes(root) {
                self.outside(context, &root.field, answer, &mut set_cookies).await?;
            }
        }
        let mut out = Vec::with_capacity(1024);
        out.extend_from_slice(BEGIN);
        out.push(b'{');
        for (index, (root, answer)) in roots.iter().zip(answers).enumerate() {
            begin(&mut out, index, &root.key);
            out.extend_from_slice(&answer);
        }
        out.extend_from_slice(b"}}");
        Ok(Response { body: out.into(), set_cookies })
    }

    /// The root fields of a mutation that the database answers, in one transaction. When this is broken off the
    /// connection is closed, and the database rolls back.
    async fn writing(&self, context: &RequestContext, roots: &[Root], answers: &mut [Vec<u8>]) -> Result<()> {
        let (mut conflicts, mut outdated) = (0, false);
        loop {
            match self.attempt(context, roots, answers).await {
                Err(error) if error.status_code() == Some(OUTDATED) && !outdated => {
                    outdated = true;
                    self.connections.prepare_anew();
                }
                // It was rolled back, for others that ran beside it: all of it again, and not at once with them.
                Err(error) if error.conflicts() && conflicts < MORE_TRIES => {
                    conflicts += 1;
                    tracing::debug!(event = "engine.conflict", conflicts);
                    let pause = rand::rng().random_range(1..=10_u64 << conflicts);
                    tokio::time::sleep(Duration::from_millis(pause)).await;
                }
                outcome => return outcome,
            }
            answers.iter_mut().for_each(Vec::clear);
        }
    }

    async fn attempt(&self, context: &RequestContext, roots: &[Root], answers: &mut [Vec<u8>]) -> Result<()> {
        let fail = |error| errors::database(error, "$");
        let mut lease = self.begun().await.map_err(fail)?;
        let outcome = self.written(lease.connection(), context, roots, answers).await;
        let end = if outcome.is_ok() { "COMMIT" } else { "ROLLBACK" };
        let ended = sqlx::raw_sql(end).execute(lease.connection()).await;
        lease.ended(&ended);
        outcome.and(ended.map(drop).map_err(fail))
    }

    /// A connection in a transaction. Nothing was done on one that turns out to be lost, so another is taken then.
    async fn begun(&self) -> sqlx::Result<Lease> {
        let mut lease = self.connections.take().await?;
        match sqlx::raw_sql("BEGIN").execute(lease.connection()).await {
            Err(error) if lost(&error) => {
                self.connections.forget_idle();
                lease = self.connections.take().await?;
                sqlx::raw_sql("BEGIN").execute(lease.connection()).await?;
            }
            begun => begun.map(|_| ())?,
        }
        Ok(lease)
    }

    async fn written(
        &self,
        connection: &mut PgConnection,
        context: &RequestContext,
        roots: &[Root],
        answers: &mut [Vec<u8>],
    ) -> Result<()> {
        // The last is the product's own, for its audit trail; Hasura has nothing like it.
        let settings = "select set_config('hasura.user', $1, true), set_config('hasura.tracecontext', $2, true),
                               set_config('northstack.correlation_id', $3, true)";
        sqlx::query(settings)
            .bind(context.session.to_json())
            .bind(trace_context())
            .bind(context.request_id().and_then(|id| id.to_str().ok()).unwrap_or_default())
            .execute(&mut *connection)
            .await
            .map_err(|error| errors::database(error, "$"))?;
        for (root, answer) in roots.iter().zip(answers) {
            match &root.field {
                CompiledRoot::Mutation(plan) => {
                    mutation::run(connection, self.writer, plan, root, context, answer).await?;
                }
                CompiledRoot::Query(query) => self.on(connection, query, &root.values, answer).await?,
                _ => {}
            }
        }
        Ok(())
    }

    async fn read(&self, query: &Query, values: &Values) -> Result<Vec<PgRow>> {
        self.reading(&query.sql, query.calls_functions, || texts(&query.params, values)).await
    }

    /// Runs a statement that reads. When its connection was lost it runs once more on a fresh one, unless it calls
    /// functions, which may do more than read; so does one whose tables have changed since it was prepared.
    async fn reading(
        &self,
        sql: &Arc<str>,
        calls_functions: bool,
        arguments: impl Fn() -> sqlx::Result<PgArguments>,
    ) -> Result<Vec<PgRow>> {
        let outcome = match self.once(sql, arguments()).await {
            Err(error) if lost(&error) && !calls_functions => {
                tracing::warn!(event = "engine.connection_lost", %error);
                self.connections.forget_idle();
                Box::pin(self.once(sql, arguments())).await
            }
            Err(error) if outdated(&error) => {
                self.connections.prepare_anew();
                Box::pin(self.once(sql, arguments())).await
            }
            outcome => outcome,
        };
        outcome.map_err(|error| errors::database(error, "$"))
    }

    /// Runs a statement on a connection of its own.
    async fn once(&self, sql: &Arc<str>, arguments: sqlx::Result<PgArguments>) -> sqlx::Result<Vec<PgRow>> {
        let arguments = arguments?;
        let mut lease = self.connections.take().await?;
        let outcome = statement(lease.connection(), sql, arguments).await;
        lease.ended(&outcome);
        outcome
    }

    async fn on(&self, connection: &mut PgConnection, query: &Query, values: &Values, out: &mut Vec<u8>) -> Result<()> {
        let rows = fetch(connection, &query.sql, texts(&query.params, values), "$").await?;
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
            CompiledRoot::Constant(text) => out.extend_from_slice(text.as_bytes()),
            CompiledRoot::Remote(plan) => remote::root(context, plan, out).await?,
            CompiledRoot::Action(plan) if plan.result => self.action_result(context, plan, out).await?,
            CompiledRoot::Action(plan) if plan.action.definition.is_asynchronous() => {
                self.store_action(context, plan, out).await?;
            }
            CompiledRoot::Action(plan) => {
                let answer = self.act(context, plan).await?;
                set_cookies.extend(answer.set_cookies);
                self.shape(context, &plan.output, &answer.body, out).await?;
            }
            CompiledRoot::Query(_) | CompiledRoot::Shared(..) | CompiledRoot::Mutation(_) | CompiledRoot::Live(_) => {}
        }
        Ok(())
    }

    async fn act(
        &self,
        context: &RequestContext,
        plan: &Arc<ActionPlan>,
    ) -> Result<crate::outbound::caller::ActionAnswer> {
        let call = crate::outbound::caller::ActionCall { action: plan.action.clone(), input: plan.input.clone() };
        let answer = context.callers.action(context, call).await?;
        plan.expected.hold(&answer.body)?;
        Ok(answer)
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
    out.extend_from_slice(super::json::write(value).as_bytes());
}

/// Runs a statement with its values, on a connection.
async fn fetch(
    connection: &mut PgConnection,
    sql: &Arc<str>,
    arguments: sqlx::Result<PgArguments>,
    path: &str,
) -> Result<Vec<PgRow>> {
    let fail = |error| errors::database(error, path);
    statement(connection, sql, arguments.map_err(fail)?).await.map_err(fail)
}

/// Runs a statement. Statements are kept prepared on each connection, but for long ones, which hardly come again.
async fn statement(connection: &mut PgConnection, sql: &Arc<str>, arguments: PgArguments) -> sqlx::Result<Vec<PgRow>> {
    // The text comes from the printer of `sql`: names are quoted there, and values are bound.
    let query = sqlx::query_with(AssertSqlSafe(sql.clone()).into_sql_str(), arguments);
    query.persistent(sql.len() <= LONGEST_KEPT).fetch_all(connection).await
}

/// Values as arguments of a statement that was printed for so many.
fn texts(params: &[Source], values: &Values) -> sqlx::Result<PgArguments> {
    let mut arguments = PgArguments::default();
    if Parameters::of(values.len()) == Parameters::Packed {
        for some in values.chunks(PACKED) {
            let texts: Vec<Option<&str>> = some.iter().map(Option::as_deref).collect();
            arguments.add(texts).map_err(sqlx::Error::Encode)?;
        }
        return Ok(arguments);
    }
    for (place, value) in values.iter().enumerate() {
        let list = params.get(place).is_some_and(Source::is_list);
        match value.as_deref().filter(|_| list) {
            Some(literal) => arguments.add(array_elements(literal)),
            None => arguments.add(value.as_deref()),
        }
        .map_err(sqlx::Error::Encode)?;
    }
    Ok(arguments)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Answer, Shape};
    use crate::session::Session;

    #[tokio::test]
    async fn what_a_plain_query_awaits_is_small() {
        let pool = sqlx::postgres::PgPoolOptions::new().connect_lazy("postgres://nobody@127.0.0.1:1/none").unwrap();
        let executor = Executor::new(pool, false);
        let query = Query {
            sql: "select 1".into(),
            params: Vec::new(),
            answer: Answer::First(Shape::Value(0)),
            tables: Vec::new(),
            calls_functions: false,
        };
        let context = RequestContext::local(Session::admin());
        let values = Values::new();
        let planned = Planned::Query(Vec::new());
        let sizes = [
            ("a connection", size_of_val(&executor.connections.take())),
            ("a statement", size_of_val(&executor.once(&query.sql, texts(&[], &values)))),
            ("a query", size_of_val(&executor.read(&query, &values))),
            ("a request", size_of_val(&executor.run(&context, &planned))),
        ];
        // What is large is copied with each request: it belongs into a box that only those who need it fill.
        assert!(sizes.iter().all(|(_, size)| *size < 2_048), "{sizes:?}");
    }
}
