//! The database's plan of a statement that reads.

use serde_json::{Value, json};
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::{Arguments, AssertSqlSafe, Row, SqlSafeStr};

use super::{Executor, errors, texts};
use crate::error::{ErrorCode, GraphqlError, Result};
use crate::plan::{CompiledRoot, Planned, Root, Values};
use crate::session::Session;

impl Executor {
    /// What the database would do, as `/v1/graphql/explain` tells it: for each root field of a query
    /// `{field, sql, plan}`, for a subscription `{sql, plan, variables}`. Nothing is run.
    ///
    /// # Errors
    /// Mutations and fields that do not come from the database cannot be explained.
    pub async fn explain(&self, session: &Session, planned: &Planned) -> Result<Value> {
        if planned.joins().is_some() {
            return Err(refused("queries with remote relationships cannot be explained"));
        }
        match planned {
            Planned::Query(roots) => {
                let mut explained = Vec::with_capacity(roots.len());
                for root in roots {
                    // A field without a statement of its own is answered by the one that it shares.
                    let asked = match &root.field {
                        CompiledRoot::Shared(of, _) => roots.get(*of).unwrap_or(root),
                        _ => root,
                    };
                    explained.push(self.explain_field(&root.key, asked).await?);
                }
                Ok(explained.into())
            }
            Planned::Mutation(_) => Err(refused("only queries can be explained")),
            Planned::Subscription(root) => self.explain_live(session, root).await,
        }
    }

    async fn explain_field(&self, key: &str, root: &Root) -> Result<Value> {
        match &root.field {
            CompiledRoot::Query(query) => {
                let arguments = texts(&query.params, &root.values).map_err(|error| errors::database(error, "$"))?;
                let plan = self.plan_of(&query.sql, arguments).await?;
                Ok(json!({"field": key, "sql": &*query.sql, "plan": plan}))
            }
            CompiledRoot::Constant(_) => Ok(json!({"field": key, "sql": null, "plan": null})),
            CompiledRoot::Action(_) => Err(refused("query actions cannot be explained")),
            CompiledRoot::Remote(_) => Err(refused("only hasura queries can be explained")),
            _ => Err(refused("only queries can be explained")),
        }
    }

    async fn explain_live(&self, session: &Session, root: &Root) -> Result<Value> {
        let CompiledRoot::Live(live) = &root.field else {
            let message = "async action query fields without relationships to table cannot be explained";
            return Err(GraphqlError::new(ErrorCode::NotSupported, message));
        };
        let mut arguments = PgArguments::default();
        if live.is_alone() {
            arguments = texts(&live.params, &root.values).map_err(|error| errors::database(error, "$"))?;
        } else {
            add(&mut arguments, vec![0i32])?;
            for value in &root.values {
                add(&mut arguments, vec![value.as_deref()])?;
            }
        }
        let plan = self.plan_of(&live.sql, arguments).await?;
        let synthetic: &Values = &root.values;
        Ok(json!({
            "sql": live.sql,
            "plan": plan,
            "variables": {"session": session.variables(), "query": {}, "synthetic": synthetic, "cursor": {}},
        }))
    }

    async fn plan_of(&self, sql: &str, arguments: PgArguments) -> Result<Vec<String>> {
        // The text comes from the printer of `sql`: names are quoted there, and values are bound. Never `analyze`,
        // which would run it.
        let statement = AssertSqlSafe(format!("explain (format text) {sql}")).into_sql_str();
        let rows: Vec<PgRow> = sqlx::query_with(statement, arguments)
            .persistent(false)
            .fetch_all(&self.pool)
            .await
            .map_err(|error| errors::database(error, "$"))?;
        rows.iter().map(|row| row.try_get(0)).collect::<sqlx::Result<_>>().map_err(|error| errors::database(error, "$"))
    }
}

fn add<'q, T>(arguments: &mut PgArguments, value: T) -> Result<()>
where
    T: sqlx::Encode<'q, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
{
    arguments.add(value).map_err(|error| errors::database(sqlx::Error::Encode(error), "$"))
}

fn refused(message: &str) -> GraphqlError {
    GraphqlError::new(ErrorCode::InvalidParams, message)
}
