//! What comes of a delivery: what the invocation log keeps of it, and what happens next.

use std::time::Duration;

use serde::Serialize;
use serde_json::json;
use serde_json::value::RawValue;

use super::send::{NO_ANSWER, Reply};
use crate::metadata::Header;
use crate::outbound::USER_AGENT;

pub(crate) struct Outcome {
    /// What goes into the log; nothing when nothing was sent.
    pub log: Option<Log>,
    pub next: Next,
}

impl Outcome {
    /// Of what could not be sent: the next try would fail alike.
    pub fn unsent() -> Self {
        Self { log: None, next: Next::Failed }
    }
}

/// One try as the log keeps it.
pub(crate) struct Log {
    pub status: Option<i32>,
    pub request: String,
    pub response: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    Delivered,
    /// Again after so long.
    Retry(Duration),
    /// No more tries.
    Failed,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Retries {
    /// Tries after the first.
    pub limit: u32,
    /// Between tries, unless the webhook asks for another time.
    pub interval: Duration,
}

/// `Retry-After` forces another try even when none is left, as Hasura does.
pub(super) fn decide(reply: &Reply, tries: i32, retries: Retries) -> Next {
    if reply.delivered() {
        return Next::Delivered;
    }
    match reply.retry_after {
        Some(seconds) => Next::Retry(Duration::from_secs(seconds)),
        None if i64::from(tries) < i64::from(retries.limit) => Next::Retry(retries.interval),
        None => Next::Failed,
    }
}

/// Where Hasura's logs differ by the source of a delivery.
pub(crate) struct LogFormat {
    pub version: &'static str,
    /// The answer when none came in time.
    pub timed_out: String,
    /// Whether no answer at all is a status; else there is none.
    pub no_answer_is_status: bool,
}

impl LogFormat {
    pub(super) fn entry(&self, headers: &[LoggedHeader], sent: &RawValue, reply: &Reply) -> Log {
        let request = LoggedRequest { headers, payload: sent, version: self.version };
        Log {
            status: Some(reply.status).filter(|status| self.no_answer_is_status || *status != NO_ANSWER),
            request: serde_json::to_string(&request).unwrap_or_default(),
            response: self.response(reply).to_string(),
        }
    }

    fn response(&self, reply: &Reply) -> serde_json::Value {
        if !reply.delivered() {
            return json!({"data": {"message": reply.body}, "type": "client_error", "version": self.version});
        }
        let headers: Vec<_> = reply.headers.iter().map(|(name, value)| LoggedHeader::fixed(name, value)).collect();
        json!({
            "data": {"body": reply.body, "headers": headers, "status": reply.status},
            "type": "webhook_response",
            "version": self.version,
        })
    }
}

/// The request as the log keeps it: values from the environment stay out.
#[derive(Serialize)]
struct LoggedRequest<'e> {
    headers: &'e [LoggedHeader],
    payload: &'e RawValue,
    version: &'static str,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct LoggedHeader {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value_from_env: Option<String>,
}

impl LoggedHeader {
    pub fn of(configured: &[Header]) -> Vec<Self> {
        let mut logged = vec![Self::fixed("Content-Type", "application/json"), Self::fixed("User-Agent", USER_AGENT)];
        logged.extend(configured.iter().map(|header| Self {
            name: header.name.clone(),
            value: header.value.clone(),
            value_from_env: header.value_from_env.clone(),
        }));
        logged
    }

    fn fixed(name: &str, value: &str) -> Self {
        Self { name: name.into(), value: Some(value.into()), value_from_env: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_follow_the_recorded_rules() {
        let reply = |status, retry_after| Reply { status, body: String::new(), headers: Vec::new(), retry_after };
        let retries = |limit| Retries { limit, interval: Duration::from_secs(7) };
        let after = |seconds| Next::Retry(Duration::from_secs(seconds));
        assert_eq!(decide(&reply(204, None), 0, retries(0)), Next::Delivered);
        assert_eq!(decide(&reply(500, None), 0, retries(0)), Next::Failed);
        assert_eq!(decide(&reply(500, None), 1, retries(2)), after(7));
        assert_eq!(decide(&reply(500, None), 2, retries(2)), Next::Failed);
        assert_eq!(decide(&reply(429, Some(3)), 0, retries(2)), after(3));
        assert_eq!(decide(&reply(500, Some(3)), 9, retries(2)), after(3), "Retry-After forces another try");
    }
}
