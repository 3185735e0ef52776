//! Actions: the webhook's request and reply, as Hasura makes and reads them; the log and worker of asynchronous ones.

mod headers;
pub mod log;
pub mod output;
mod reply;
mod worker;

use std::collections::BTreeMap;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, header};
use serde_json::{Map, Value, json};

use super::error::{GraphqlError, Result};
use super::metadata::Action;
use super::outbound::{Outbound, USER_AGENT};
use super::transform::{Outgoing, RequestTransformer, ResponseTransformer, TransformError};
use crate::outbound::caller::{ActionAnswer, ActionCall, RequestContext};

pub(crate) use headers::of_request;
pub use worker::Worker;

/// Seconds that a webhook has when the action names none.
const DEFAULT_TIMEOUT: u64 = 30;
/// Longest answer that is read, in bytes.
const LONGEST_ANSWER: usize = 16 * 1024 * 1024;

/// What came back from a webhook.
pub(super) struct Received {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Received {
    /// The cookies that it sets, as headers say it.
    pub fn set_cookies(&self) -> Vec<String> {
        let all = self.headers.get_all(header::SET_COOKIE).iter();
        all.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect()
    }
}

/// What a webhook is asked.
struct Request<'a> {
    /// Arguments by name.
    input: &'a Map<String, Value>,
    /// The client's document; an asynchronous action's webhook is not told.
    query: Option<&'a str>,
    /// Session variables.
    session: &'a BTreeMap<String, String>,
    /// What goes along of the client's request.
    client: &'a HeaderMap,
}

/// Calls a synchronous action's webhook.
///
/// # Errors
/// The webhook's own error, or Hasura's words for an answer that is none.
pub async fn call(outbound: &Outbound, context: &RequestContext, call: ActionCall) -> Result<ActionAnswer> {
    let definition = &call.action.definition;
    let ignored = definition.ignored_client_headers.as_deref();
    let client = of_request(context, definition.forward_client_headers, ignored);
    let request = Request {
        input: &call.input,
        query: Some(&*context.query),
        session: context.session.variables(),
        client: &client,
    };
    invoke(outbound, &call.action, request).await
}

/// Calls an action's webhook.
async fn invoke(outbound: &Outbound, action: &Action, request: Request<'_>) -> Result<ActionAnswer> {
    let definition = &action.definition;
    let (client, session) = (request.client, request.session);
    let request = json!({
        "action": {"name": action.name},
        "input": request.input,
        "request_query": request.query,
        "session_variables": request.session,
    });
    let prepare = || {
        let mut headers = outbound.headers(&definition.headers)?;
        for (name, value) in client {
            headers.insert(name.clone(), value.clone());
        }
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
        Ok::<_, super::outbound::OutboundError>((outbound.url(&definition.handler)?, headers))
    };
    let (url, headers) = prepare().map_err(|error| GraphqlError::unexpected(error.to_string()))?;
    let mut outgoing = Outgoing::post(url, headers, super::json::write(&request));
    let (mut transformed, mut context) = (Value::Null, Value::Null);
    if let Some(transform) = &definition.request_transform {
        let base_url = outbound.fill(&definition.handler).unwrap_or_default();
        let changed = RequestTransformer::compile(transform)
            .and_then(|transformer| transformer.apply(outgoing, &base_url, Some(session)));
        (outgoing, context) = changed.map_err(|error| untransformed("Request", error))?;
        transformed = json!({"method": outgoing.method.as_str(), "body": outgoing.shown_body()});
    }
    // What an admin sees of a failed call: the template of the address, not what filled it.
    let shown = || {
        let mut shown = request.clone();
        if let Some(fields) = shown.as_object_mut() {
            fields.remove("session_variables");
            fields.insert("transformed_request".into(), transformed.clone());
            fields.insert("url".into(), definition.handler.as_str().into());
        }
        shown
    };
    let timeout = Duration::from_secs(definition.timeout.unwrap_or(DEFAULT_TIMEOUT));
    let call = async { received(outgoing.send(&outbound.http).await.map_err(|error| error.to_string())?).await };
    let received = match tokio::time::timeout(timeout, call).await {
        Ok(received) => received,
        Err(_) => Err("Response timeout".to_owned()),
    };
    match received {
        Ok(mut received) => {
            if let Some(transform) = &definition.response_transform {
                received.body = ResponseTransformer::compile(transform)
                    .and_then(|change| change.apply(received.status, received.body, context, Some(session)))
                    .map_err(|error| untransformed("Response", error))?;
            }
            reply::read(&received, shown)
        }
        Err(message) => Err(GraphqlError::unexpected("http exception when calling webhook").with_internal(json!({
            "error": {"message": message, "type": "http_exception"},
            "request": shown(),
            "response": null,
        }))),
    }
}

/// A transform that failed, in Hasura's words; why is told to admins.
fn untransformed(what: &str, error: TransformError) -> GraphqlError {
    GraphqlError::unexpected(format!("{what} Transformation Failed")).with_internal(Value::Array(error.0))
}

/// Sends a request and reads the whole answer, up to [`LONGEST_ANSWER`]; errors never name the address.
pub(super) async fn receive(request: reqwest::RequestBuilder) -> Result<Received, String> {
    received(request.send().await.map_err(said)?).await
}

/// What a client said of a request that failed.
fn said(error: reqwest::Error) -> String {
    let mut text = error.without_url().to_string();
    text.truncate(200);
    text
}

async fn received(mut response: reqwest::Response) -> Result<Received, String> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(said)? {
        body.extend_from_slice(&chunk);
        if body.len() > LONGEST_ANSWER {
            return Err(format!("the answer is longer than {LONGEST_ANSWER} bytes"));
        }
    }
    Ok(Received { status: response.status().as_u16(), headers: response.headers().clone(), body })
}
