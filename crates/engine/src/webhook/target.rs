//! A webhook as a trigger or event configures it: the request, and how the answer is rewritten.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, header};
use serde_json::Value;

use super::outcome::{LogFormat, LoggedHeader, Outcome, Retries, decide};
use super::send::{Reply, send};
use crate::kriti::SessionVariables;
use crate::metadata::{Header, RequestTransform, ResponseTransform};
use crate::outbound::{Outbound, OutboundError, USER_AGENT};
use crate::transform::{Outgoing, RequestTransformer, ResponseTransformer, TransformError};

/// Everything that a delivery needs but the body.
pub(crate) struct Target {
    /// Of the trigger or event, for the process's own log.
    name: String,
    url: url::Url,
    /// The address as it was configured, for transforms.
    base_url: String,
    headers: HeaderMap,
    logged_headers: Vec<LoggedHeader>,
    request: Option<RequestTransformer>,
    response: Option<ResponseTransformer>,
    timeout: Duration,
    retries: Retries,
    log: LogFormat,
}

/// What a target is made of.
pub(crate) struct Settings<'c> {
    pub name: &'c str,
    /// The address (a template), or else the variable that holds it.
    pub webhook: Option<&'c str>,
    pub webhook_from_env: Option<&'c str>,
    pub headers: &'c [Header],
    pub request: Option<&'c RequestTransform>,
    pub response: Option<&'c ResponseTransform>,
    pub timeout: Duration,
    pub retries: Retries,
    pub log: LogFormat,
}

impl Target {
    pub fn new(settings: Settings<'_>, outbound: &Outbound) -> Result<Self, OutboundError> {
        let (url, base_url) = match (settings.webhook, settings.webhook_from_env) {
            (Some(template), _) => (outbound.url(template)?, outbound.fill(template)?),
            (None, Some(variable)) => (outbound.url_from_env(variable)?, outbound.variable(variable)?.to_owned()),
            (None, None) => return Err(OutboundError::BadUrl(String::new())),
        };
        let unreadable = |error: TransformError| OutboundError::Untransformed(error.to_string());
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
        headers.extend(outbound.headers(settings.headers)?);
        Ok(Self {
            name: settings.name.to_owned(),
            url,
            base_url,
            headers,
            logged_headers: LoggedHeader::of(settings.headers),
            request: settings.request.map(RequestTransformer::compile).transpose().map_err(unreadable)?,
            response: settings.response.map(ResponseTransformer::compile).transpose().map_err(unreadable)?,
            timeout: settings.timeout,
            retries: settings.retries,
            log: settings.log,
        })
    }

    /// Posts `body` after so many tries. Transforms may name the session, which is looked for only then.
    pub async fn deliver(
        &self,
        http: &reqwest::Client,
        body: String,
        tries: i32,
        session: impl FnOnce() -> Option<SessionVariables>,
    ) -> Outcome {
        let session = (self.request.is_some() || self.response.is_some()).then(session).flatten();
        let mut request = Outgoing::post(self.url.clone(), self.headers.clone(), body);
        let mut context = Value::Null;
        if let Some(transform) = &self.request {
            match transform.apply(request, &self.base_url, session.as_ref()) {
                Ok(changed) => (request, context) = changed,
                Err(error) => {
                    tracing::warn!(webhook = self.name, %error, "request_not_transformed");
                    return Outcome::unsent();
                }
            }
        }
        let sent = request.logged_body();
        let mut reply = send(http, request, self.timeout, || self.log.timed_out.clone()).await;
        self.rewrite(&mut reply, context, session.as_ref());
        Outcome {
            log: Some(self.log.entry(&self.logged_headers, &sent, &reply)),
            next: decide(&reply, tries, self.retries),
        }
    }

    fn rewrite(&self, reply: &mut Reply, request: Value, session: Option<&SessionVariables>) {
        let (Some(transform), Ok(status)) = (&self.response, u16::try_from(reply.status)) else { return };
        match transform.apply(status, reply.body.clone().into_bytes(), request, session) {
            Ok(body) => reply.body = String::from_utf8_lossy(&body).into_owned(),
            // Only the status counts; the log then has the answer as it came.
            Err(error) => tracing::warn!(webhook = self.name, %error, "answer_not_transformed"),
        }
    }
}
