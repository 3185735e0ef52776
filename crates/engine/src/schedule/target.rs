//! What a cron trigger or one-off event delivers, and where.

use std::time::Duration;

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::json;
use crate::metadata::{CronRetryConfiguration, CronTrigger};
use crate::outbound::{Outbound, OutboundError};
use crate::webhook::{LEASE_SLACK, LogFormat, Outcome, Retries, Settings, Target};

/// A webhook with what it is sent besides the event's own.
pub(super) struct ScheduledTarget {
    target: Target,
    retries: CronRetryConfiguration,
    /// The transforms as the payload shows them.
    transforms: Vec<(&'static str, Value)>,
    payload: Value,
    comment: Option<String>,
}

/// Why a trigger cannot be served, if it cannot.
pub fn fault(trigger: &CronTrigger, outbound: &Outbound) -> Option<OutboundError> {
    ScheduledTarget::new(trigger, outbound).err()
}

impl ScheduledTarget {
    pub fn new(trigger: &CronTrigger, outbound: &Outbound) -> Result<Self, OutboundError> {
        let retries = trigger.retry_conf.clone().unwrap_or_default();
        let (request, response) = (trigger.request_transform.as_ref(), trigger.response_transform.as_ref());
        let transforms = [
            ("request_transform", request.map(|transform| json!(transform))),
            ("response_transform", response.map(|transform| json!(transform))),
        ];
        let interval = Duration::try_from_secs_f64(retries.retry_interval_seconds.0.max(0.0));
        let settings = Settings {
            name: &trigger.name,
            webhook: Some(&trigger.webhook),
            webhook_from_env: None,
            headers: &trigger.headers,
            request,
            response,
            timeout: Duration::try_from_secs_f64(retries.timeout_seconds.0).unwrap_or(Duration::from_secs(60)),
            retries: Retries { limit: retries.num_retries, interval: interval.unwrap_or(Duration::MAX) },
            log: LogFormat { version: "1", timed_out: "\"Response timeout\"".to_owned(), no_answer_is_status: false },
        };
        Ok(Self {
            target: Target::new(settings, outbound)?,
            retries,
            transforms: transforms.into_iter().filter_map(|(name, value)| Some((name, value?))).collect(),
            payload: trigger.payload.clone().unwrap_or(Value::Null),
            comment: trigger.comment.clone(),
        })
    }

    /// Seconds after which a claim counts as abandoned.
    pub fn lease(&self) -> f64 {
        lease(self.retries.timeout_seconds.0)
    }

    /// Delivers an event that is claimed; none comes of it when it is too late.
    pub async fn deliver(&self, http: &reqwest::Client, event: &Due, now: OffsetDateTime) -> Option<Outcome> {
        if (now - event.scheduled_time).as_seconds_f64() > self.retries.tolerance_seconds.0 {
            return None;
        }
        Some(self.target.deliver(http, json::write(&self.body(event)), event.tries, || None).await)
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
            for (name, transform) in &self.transforms {
                set(name, Some(transform.clone()));
            }
            set("scheduled_time", Some(moment(event.scheduled_time)));
        }
        body
    }
}

/// Seconds after which a claim counts as abandoned, by the time-out of its delivery.
pub(super) fn lease(timeout: f64) -> f64 {
    timeout.clamp(0.0, 86_400.0) + f64::from(LEASE_SLACK)
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
