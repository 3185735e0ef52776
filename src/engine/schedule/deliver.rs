//! One delivery: what is sent, and what comes of it.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, header};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::outcome::{Log, Next};
use crate::engine::events::{LoggedHeader, LoggedRequest, NO_ANSWER, Reply, send};
use crate::engine::json;
use crate::engine::metadata::{CronRetryConfiguration, CronTrigger, Header, RequestTransform, ResponseTransform};
use crate::engine::outbound::{Outbound, OutboundError, USER_AGENT};
use crate::engine::transform::{Outgoing, RequestTransformer, ResponseTransformer, TransformError};

/// The version of the logs of scheduled events.
const LOG: &str = "1";

/// A webhook with everything that a delivery needs.
pub(super) struct Target {
    url: url::Url,
    /// The address as it was configured, for transforms.
    base_url: String,
    headers: HeaderMap,
    logged_headers: Vec<LoggedHeader>,
    pub retries: CronRetryConfiguration,
    request: Option<RequestTransformer>,
    response: Option<ResponseTransformer>,
    /// The transforms as the payload shows them.
    shown: Vec<(&'static str, Value)>,
    /// What the payload holds besides the event's own.
    pub payload: Value,
    pub comment: Option<String>,
}

/// What a target is made of.
pub(super) struct Configured<'c> {
    pub webhook: &'c str,
    pub headers: &'c [Header],
    pub retries: CronRetryConfiguration,
    pub request: Option<&'c RequestTransform>,
    pub response: Option<&'c ResponseTransform>,
    pub payload: Value,
    pub comment: Option<String>,
}

/// Why a trigger cannot be served, if it cannot.
pub fn fault(trigger: &CronTrigger, outbound: &Outbound) -> Option<OutboundError> {
    Target::of_trigger(trigger, outbound).err()
}

impl Target {
    pub fn of_trigger(trigger: &CronTrigger, outbound: &Outbound) -> Result<Self, OutboundError> {
        let configured = Configured {
            webhook: &trigger.webhook,
            headers: &trigger.headers,
            retries: trigger.retry_conf.clone().unwrap_or_default(),
            request: trigger.request_transform.as_ref(),
            response: trigger.response_transform.as_ref(),
            payload: trigger.payload.clone().unwrap_or(Value::Null),
            comment: trigger.comment.clone(),
        };
        Self::new(configured, outbound)
    }

    pub fn new(configured: Configured<'_>, outbound: &Outbound) -> Result<Self, OutboundError> {
        let unreadable = |error: TransformError| OutboundError::Untransformed(error.to_string());
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
        headers.extend(outbound.headers(configured.headers)?);
        let shown = [
            ("request_transform", configured.request.map(|transform| json!(transform))),
            ("response_transform", configured.response.map(|transform| json!(transform))),
        ];
        Ok(Self {
            url: outbound.url(configured.webhook)?,
            base_url: outbound.fill(configured.webhook)?,
            headers,
            logged_headers: LoggedHeader::of(configured.headers),
            retries: configured.retries,
            request: configured.request.map(RequestTransformer::compile).transpose().map_err(unreadable)?,
            response: configured.response.map(ResponseTransformer::compile).transpose().map_err(unreadable)?,
            shown: shown.into_iter().filter_map(|(name, value)| Some((name, value?))).collect(),
            payload: configured.payload,
            comment: configured.comment,
        })
    }

    /// Seconds after which a claim counts as abandoned.
    pub fn lease(&self) -> f64 {
        lease(self.retries.timeout_seconds.0)
    }

    /// Delivers an event that is claimed, unless it is too late.
    pub async fn deliver(&self, http: &reqwest::Client, event: &Due, now: OffsetDateTime) -> (Option<Log>, Next) {
        if (now - event.scheduled_time).as_seconds_f64() > self.retries.tolerance_seconds.0 {
            return (None, Next::Dead);
        }
        match self.send(http, event).await {
            Ok((reply, log)) => (Some(log), self.decide(&reply, event.tries)),
            // Nothing was sent, and the next try would fail alike.
            Err(error) => {
                tracing::warn!(event = event.id, reason = %error, "scheduled_event_not_transformed");
                (None, Next::Failed)
            }
        }
    }

    async fn send(&self, http: &reqwest::Client, event: &Due) -> Result<(Reply, Log), TransformError> {
        let body = json::write(&self.body(event));
        let mut request = Outgoing::post(self.url.clone(), self.headers.clone(), body);
        let mut context = Value::Null;
        if let Some(transform) = &self.request {
            (request, context) = transform.apply(request, &self.base_url, None)?;
        }
        let sent: Box<RawValue> = request.logged_body();
        let timeout = Duration::try_from_secs_f64(self.retries.timeout_seconds.0).unwrap_or(Duration::from_secs(60));
        let mut reply = send(http, request, timeout, || "\"Response timeout\"".to_owned()).await;
        if let (Some(transform), Ok(status)) = (&self.response, u16::try_from(reply.status)) {
            match transform.apply(status, reply.body.clone().into_bytes(), context, None) {
                Ok(body) => reply.body = String::from_utf8_lossy(&body).into_owned(),
                // Only the status counts; the log then has the answer as it came.
                Err(error) => tracing::warn!(event = event.id, reason = %error, "answer_not_transformed"),
            }
        }
        let logged = LoggedRequest::new(&self.logged_headers, &sent, LOG);
        let log = Log {
            status: Some(reply.status).filter(|status| *status != NO_ANSWER),
            request: to_raw_value(&logged).map(|raw| raw.get().to_owned()).unwrap_or_default(),
            response: reply.logged(LOG).to_string(),
        };
        Ok((reply, log))
    }

    fn body(&self, event: &Due) -> Value {
        let moment = |at: OffsetDateTime| Value::from(at.format(&Rfc3339).unwrap_or_default());
        let mut body = json!({});
        if let Some(fields) = body.as_object_mut() {
            let mut set = |name: &str, value: Option<Value>| value.and_then(|value| fields.insert(name.into(), value));
            set("comment", self.comment.as_deref().map(Value::from));
            set("created_at", event.created_at.map(moment));
            set("id", Some(event.id.as_str().into()));
            set("name", event.trigger.as_deref().map(Value::from));
            set("payload", Some(self.payload.clone()));
            for (name, transform) in &self.shown {
                set(name, Some(transform.clone()));
            }
            set("scheduled_time", Some(moment(event.scheduled_time)));
        }
        body
    }

    /// `Retry-After` forces another try even when none is left, as Hasura does.
    fn decide(&self, reply: &Reply, tries: i32) -> Next {
        if reply.delivered() {
            return Next::Delivered;
        }
        match reply.retry_after {
            Some(seconds) => Next::Retry(seconds as f64),
            None if i64::from(tries) < i64::from(self.retries.num_retries) => {
                Next::Retry(self.retries.retry_interval_seconds.0)
            }
            None => Next::Failed,
        }
    }
}

/// Seconds after which a claim counts as abandoned, by the time-out of its delivery.
pub(super) fn lease(timeout: f64) -> f64 {
    timeout.clamp(0.0, 86_400.0) + 15.0
}

/// An event that was claimed.
#[derive(Debug, Clone)]
pub(super) struct Due {
    pub id: String,
    /// Of a cron trigger: its name.
    pub trigger: Option<String>,
    pub scheduled_time: OffsetDateTime,
    /// Of a one-off event: shown to the webhook.
    pub created_at: Option<OffsetDateTime>,
    /// Tries before this one.
    pub tries: i32,
}
