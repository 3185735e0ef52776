//! GraphQL over HTTP: one operation or a batch.

use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderMap;
use axum::response::Response;

use super::request::{self, Requests};
use super::respond;
use crate::auth::Identity;
use crate::error::{ErrorCode, GraphqlError, Result};
use crate::execute::Response as Answer;
use crate::plan::introspects;
use crate::request::Request;
use crate::serving::Surface;
use crate::serving::core::Outcome;
use crate::session::Session;

/// Answers `POST /v1/graphql`, and with `statuses` the older `/v1alpha1/graphql`, which shows failures by status.
pub(super) async fn post(surface: &Surface, headers: Arc<HeaderMap>, body: &[u8], statuses: bool) -> Response {
    let identity = match surface.auth.authenticator.authenticate(&headers).await {
        Ok(identity) => identity,
        Err(error) => return failure(surface, None, &error, statuses),
    };
    let session = Some(&identity.session);
    match request::read(body) {
        Err(error) => failure(surface, session, &error, statuses),
        Ok(Requests::One(request)) => match execute(surface, &identity, headers, &request).await {
            Ok(answer) => respond::with_cookies(respond::json(200, answer.body), &answer.set_cookies),
            Err(error) => failure(surface, session, &error, statuses),
        },
        Ok(Requests::Batch(requests)) => {
            if let Err(error) = check_batch(surface, &identity, requests.len()) {
                return failure(surface, session, &error, statuses);
            }
            Box::pin(batch(surface, &identity, headers, &requests)).await
        }
    }
}

async fn batch(surface: &Surface, identity: &Identity, headers: Arc<HeaderMap>, requests: &[Request]) -> Response {
    let (mut body, mut cookies) = (vec![b'['], Vec::new());
    let mut introspected = false;
    for (index, request) in requests.iter().enumerate() {
        if index > 0 {
            body.push(b',');
        }
        // What one operation may ask of introspection holds for the batch: one of its operations introspects.
        let asks = !identity.session.is_admin() && introspects(&request.query);
        let answer = match asks && std::mem::replace(&mut introspected, true) {
            true => Err(GraphqlError::new(ErrorCode::ExceededBatchLimit, "one operation of a batch may introspect")),
            false => execute(surface, identity, headers.clone(), request).await,
        };
        match answer {
            Ok(answer) => {
                body.extend_from_slice(&answer.body);
                cookies.extend(answer.set_cookies);
            }
            Err(error) => body.extend_from_slice(error_body(surface, Some(&identity.session), &error).as_bytes()),
        }
    }
    body.push(b']');
    respond::with_cookies(respond::json(200, body), &cookies)
}

fn check_batch(surface: &Surface, identity: &Identity, length: usize) -> Result<()> {
    if identity.session.is_admin() {
        return Ok(());
    }
    let mut most = surface.limits.sizes.batch;
    let current = surface.core.current();
    let limits = &current.metadata.api_limits;
    if let (false, Some(limit)) = (limits.disabled, &limits.batch_limit) {
        most = most.min(usize::try_from(*limit.of(identity.session.role())).unwrap_or(usize::MAX));
    }
    if length <= most {
        return Ok(());
    }
    let message = format!("batch limit exceeded: {length} operations in one request, at most {most} are allowed");
    Err(GraphqlError::new(ErrorCode::ExceededBatchLimit, message))
}

/// The longest time that the metadata gives an operation of a role.
fn time_limit(surface: &Surface, session: &Session) -> Option<Duration> {
    if session.is_admin() {
        return None;
    }
    let current = surface.core.current();
    let limits = &current.metadata.api_limits;
    let limit = limits.time_limit.as_ref().filter(|_| !limits.disabled)?;
    Duration::try_from_secs_f64(*limit.of(session.role())).ok()
}

/// Runs one query or mutation, or plans a subscription; the allow list is held against it first.
pub(crate) async fn run(
    surface: &Surface,
    identity: &Identity,
    headers: Arc<HeaderMap>,
    request: &Request,
) -> Result<Outcome> {
    crate::serving::allow_list::check(surface, &identity.session, request)?;
    let _turn = surface.limits.turns.take(identity, surface.limits.rates.origin(&headers)).await?;
    let context = surface.context(identity, headers, request);
    let running = surface.core.run(&context, request);
    let Some(limit) = time_limit(surface, &identity.session) else { return running.await };
    // What is dropped here is rolled back; the statement under way ends by the database's own limit at the latest.
    tokio::time::timeout(limit, running).await.unwrap_or_else(|_| {
        let message = format!("time limit exceeded: the operation took longer than {} s", limit.as_secs_f64());
        Err(GraphqlError::new(ErrorCode::ExceededTimeLimit, message))
    })
}

/// Runs one query or mutation over HTTP, which cannot carry subscriptions.
pub(crate) async fn execute(
    surface: &Surface,
    identity: &Identity,
    headers: Arc<HeaderMap>,
    request: &Request,
) -> Result<Answer> {
    surface.limits.rates.admit(identity, &headers)?;
    match run(surface, identity, headers, request).await? {
        Outcome::Answer(answer) => Ok(answer),
        Outcome::Failed(error) => Err(error),
        Outcome::Subscription(_) => {
            let message = "subscriptions are not supported over HTTP, use websockets instead";
            Err(GraphqlError::new(ErrorCode::UnexpectedPayload, message))
        }
    }
}

/// A whole failed answer.
pub(crate) fn error_body(surface: &Surface, session: Option<&Session>, error: &GraphqlError) -> String {
    error.to_graphql_body(surface.shows_internals(session)).to_string()
}

fn failure(surface: &Surface, session: Option<&Session>, error: &GraphqlError, statuses: bool) -> Response {
    // Who asks too often is told so by the status as well, which clients and gateways look at.
    let status = if statuses || error.code == ErrorCode::ExceededRateLimit { error.http_status() } else { 200 };
    respond::with_refusal(respond::json(status, error_body(surface, session, error)), error)
}
