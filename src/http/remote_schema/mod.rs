//! The remote schema: what the graph offers beyond the database's tables. Hasura merges it with its own and is the
//! only one who may ask; the session arrives in `x-hasura-*` headers.

mod applications;
mod dead_letters;
mod events;
mod health;

use async_graphql::{EmptySubscription, ErrorExtensions, MergedObject};
use async_graphql_axum::{GraphQLRequest, GraphQLResponse};
use axum::extract::State;
use axum::http::HeaderMap;
use std::sync::Arc;

use super::actions::session_actor;
use super::error::log;
use super::{ActionError, AppState};
use crate::app::App;
use crate::domain::{Actor, Error};

const MAX_DEPTH: usize = 16;
/// Room for a page of a hundred applications, each joined with its runtime.
const MAX_COMPLEXITY: usize = 5_000;

/// All queries.
#[derive(MergedObject, Default)]
#[graphql(name = "Query")]
pub struct Query(
    health::HealthQuery,
    events::EventsQuery,
    dead_letters::DeadLettersQuery,
    applications::ApplicationsQuery,
);

/// All mutations.
#[derive(MergedObject, Default)]
#[graphql(name = "Mutation")]
pub struct Mutation(dead_letters::DeadLettersMutation);

/// The remote schema.
pub type Schema = async_graphql::Schema<Query, Mutation, EmptySubscription>;

/// The remote schema over the use cases.
pub fn schema(app: Arc<App>) -> Schema {
    builder().data(app).finish()
}

/// The schema's text (GraphQL SDL), kept in `hasura/remote-schema.graphql`.
pub fn sdl() -> String {
    builder().finish().sdl()
}

fn builder() -> async_graphql::SchemaBuilder<Query, Mutation, EmptySubscription> {
    Schema::build(Query::default(), Mutation::default(), EmptySubscription)
        .limit_depth(MAX_DEPTH)
        .limit_complexity(MAX_COMPLEXITY)
}

/// `POST /graphql`
pub async fn answer(
    State(state): State<AppState>,
    headers: HeaderMap,
    request: GraphQLRequest,
) -> Result<GraphQLResponse, ActionError> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    // Hasura introspects without a session.
    let actor = if header("x-hasura-role").is_none() { Actor::Anonymous } else { session_actor(header)? };
    let runtimes = applications::Runtimes::loader(Arc::clone(&state.app), actor.clone());
    Ok(state.schema.execute(request.into_inner().data(actor).data(runtimes)).await.into())
}

/// A GraphQL error with the product's code, and the argument at fault.
fn graphql_error(error: Error) -> async_graphql::Error {
    shared_error(&error)
}

/// The same for an error that several fields share.
fn shared_error(error: &Error) -> async_graphql::Error {
    log(error);
    async_graphql::Error::new(error.message()).extend_with(|_, extensions| {
        extensions.set("code", error.code().as_str());
        if let Some(field) = error.field() {
            extensions.set("field", field);
        }
    })
}

#[cfg(test)]
mod tests {
    /// With `NORTHSTACK_REGENERATE` it writes the file instead, as `make generate` does.
    #[test]
    fn the_generated_text_is_the_schemas() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/hasura/remote-schema.graphql");
        if std::env::var_os("NORTHSTACK_REGENERATE").is_some() {
            std::fs::write(path, super::sdl()).unwrap();
        }
        let kept = std::fs::read_to_string(path).unwrap_or_default();
        assert!(kept == super::sdl(), "{path} is stale: run `make generate`");
    }
}
