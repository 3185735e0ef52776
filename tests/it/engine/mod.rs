//! The engine's core against a real database.

mod clashes;
mod digits;
mod documents;
mod inserts;
pub mod introspected;
mod judged;
mod many;
mod nulls;
mod permissions;
mod product;
mod recorded;
mod statements;
mod usage;
mod values;

use std::sync::Arc;

use northstack::engine::metadata::Metadata;
use northstack::engine::{
    Engine, EngineOptions, GraphqlError, MetadataSource, NoCallers, Request, RequestContext, Session,
};
use serde_json::{Value, json};

use crate::support::empty_database;

/// An engine over a new database with a setup and a metadata document. What a load refuses is let through: the
/// recordings' document asks for such things beside what is tested.
pub async fn engine(setup: &str, metadata: &Value) -> Engine {
    let pool = sqlx::PgPool::connect_with(empty_database().await).await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(setup.to_owned())).execute(&pool).await.unwrap();
    let metadata: Metadata = serde_json::from_value(metadata.clone()).unwrap();
    let options = EngineOptions::new(pool, MetadataSource::Document(Box::new(metadata)));
    Engine::start(&options, Arc::new(NoCallers)).await.unwrap()
}

/// The answer to a request: `{"data"}` or `{"errors"}`.
pub async fn ask(engine: &Engine, session: &Session, request: &Request) -> Value {
    match run(engine, session, request).await {
        Ok(data) => json!({"data": data}),
        Err(error) => error.to_graphql_body(false),
    }
}

async fn run(engine: &Engine, session: &Session, request: &Request) -> Result<Value, GraphqlError> {
    let planned = engine.state().plan(session, request)?;
    let context =
        RequestContext { variables: Some(request.variables.clone()), ..RequestContext::local(session.clone()) };
    let response = engine.executor().run(&context, &planned).await?;
    Ok(serde_json::from_slice(&response.data()).expect("the engine writes JSON"))
}
