//! RESTified endpoints: operations of query collections served under `/api/rest/`.

mod outcome;
mod swagger;
mod template;
mod variables;

use std::sync::Arc;

use axum::http::request::Parts;
use axum::response::Response;

use super::{graphql, respond};
use crate::auth::Identity;
use crate::error::{ErrorCode, GraphqlError, Result};
use crate::execute::Response as Answer;
use crate::metadata::{Metadata, RestEndpoint};
use crate::request::Request;
use crate::serving::Surface;

pub use swagger::swagger;
pub(crate) use template::{ambiguous, check as check_url};

/// The methods that an endpoint may have.
const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

/// Answers a request under `/api/rest/`.
pub(crate) async fn answer(surface: &Surface, parts: &Parts, body: &[u8]) -> Response {
    let identity = match surface.auth.authenticator.authenticate(&parts.headers).await {
        Ok(identity) => identity,
        Err(error) => return respond::api_error(&error, false),
    };
    match run(surface, &identity, parts, body).await {
        Ok(answer) => respond::with_cookies(respond::json(200, answer.data()), &answer.set_cookies),
        Err(error) => outcome::answer(error, surface.shows_internals(Some(&identity.session))),
    }
}

async fn run(surface: &Surface, identity: &Identity, parts: &Parts, body: &[u8]) -> Result<Answer> {
    let current = surface.core.current();
    let method = parts.method.as_str();
    if !METHODS.contains(&method) {
        return Err(GraphqlError::new(ErrorCode::BadRequest, format!("Method {method} not supported.")));
    }
    let path = parts.uri.path();
    let path = path.split_once("/api/rest/").map_or(path, |(_, rest)| rest);
    let path = path.strip_suffix('/').unwrap_or(path);
    let (endpoint, bound) = find(&current.metadata, method, path)?;
    let query = query_of(&current.metadata, endpoint).ok_or_else(|| {
        GraphqlError::unexpected(format!("the operation of endpoint {:?} does not exist", endpoint.name))
    })?;
    let body = variables::body(&parts.headers, body);
    let variables = variables::collect(query, &bound, parts.uri.query().unwrap_or_default(), body)?;
    let request = Request { query: query.into(), operation_name: None, variables: Arc::new(variables) };
    graphql::execute(surface, identity, Arc::new(parts.headers.clone()), &request).await
}

/// The one endpoint that method and path lead to, with the path's variables.
fn find<'m>(metadata: &'m Metadata, method: &str, path: &str) -> Result<(&'m RestEndpoint, Vec<(String, String)>)> {
    let matching: Vec<_> = metadata
        .rest_endpoints
        .iter()
        .filter_map(|endpoint| template::bind(&endpoint.url, path).map(|bound| (endpoint, bound)))
        .collect();
    if matching.is_empty() {
        return Err(GraphqlError::new(ErrorCode::NotFound, "Endpoint not found"));
    }
    let mut allowed: Vec<&str> =
        matching.iter().flat_map(|(endpoint, _)| endpoint.methods.iter().map(String::as_str)).collect();
    let mut chosen: Vec<_> =
        matching.into_iter().filter(|(endpoint, _)| endpoint.methods.iter().any(|allowed| allowed == method)).collect();
    match (chosen.pop(), chosen.is_empty()) {
        (Some(found), true) => Ok(found),
        (Some(_), false) => Err(GraphqlError::unexpected("Multiple endpoints match request")),
        (None, _) => {
            allowed.sort_unstable();
            allowed.dedup();
            let message = format!("Allowed methods: {}", allowed.join(", "));
            Err(GraphqlError::new(ErrorCode::MethodNotAllowed, message).with_status(405))
        }
    }
}

/// The GraphQL document behind an endpoint.
pub(crate) fn query_of<'m>(metadata: &'m Metadata, endpoint: &RestEndpoint) -> Option<&'m str> {
    let reference = &endpoint.definition.query;
    metadata
        .query_collections
        .iter()
        .find(|collection| collection.name == reference.collection_name)?
        .definition
        .queries
        .iter()
        .find(|query| query.name == reference.query_name)
        .map(|query| query.query.as_str())
}
