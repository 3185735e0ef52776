//! The JSON of a delivery and of its log, as Hasura writes them.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::engine::kriti::SessionVariables;
use crate::engine::metadata::{Header, QualifiedName};
use crate::engine::outbound::USER_AGENT;

/// A captured event as it waits in `hdb_catalog.event_log`.
pub(super) struct Event {
    pub id: String,
    pub table: QualifiedName,
    /// `{op, data, session_variables, trace_context}`, as text.
    pub payload: Box<RawValue>,
    /// Tries before this one.
    pub tries: i32,
    /// JSON string of a timestamp without zone.
    pub created_at: Box<RawValue>,
}

/// The body that the webhook receives.
#[derive(Serialize)]
pub(super) struct Delivery<'e> {
    created_at: &'e RawValue,
    delivery_info: DeliveryInfo,
    event: &'e RawValue,
    id: &'e str,
    table: &'e QualifiedName,
    trigger: Named<'e>,
}

#[derive(Serialize)]
struct DeliveryInfo {
    current_retry: i32,
    max_retries: u32,
}

#[derive(Serialize)]
struct Named<'e> {
    name: &'e str,
}

impl<'e> Delivery<'e> {
    pub fn new(event: &'e Event, trigger: &'e str, max_retries: u32) -> Self {
        Self {
            created_at: &event.created_at,
            delivery_info: DeliveryInfo { current_retry: event.tries, max_retries },
            event: &event.payload,
            id: &event.id,
            table: &event.table,
            trigger: Named { name: trigger },
        }
    }
}

impl Event {
    /// The session variables of who made the change.
    pub fn session(&self) -> Option<SessionVariables> {
        #[derive(serde::Deserialize)]
        struct Payload {
            session_variables: Option<SessionVariables>,
        }
        serde_json::from_str::<Payload>(self.payload.get()).ok()?.session_variables
    }
}

/// The version of the logs of event triggers.
pub(in crate::engine) const EVENT_LOG: &str = "2";

/// The request as the invocation log keeps it: values from the environment stay out.
#[derive(Serialize)]
pub(in crate::engine) struct LoggedRequest<'e> {
    headers: &'e [LoggedHeader],
    payload: &'e RawValue,
    version: &'static str,
}

impl<'e> LoggedRequest<'e> {
    pub fn new(headers: &'e [LoggedHeader], payload: &'e RawValue, version: &'static str) -> Self {
        Self { headers, payload, version }
    }
}

/// A header in the invocation log.
#[derive(Debug, Clone, Serialize)]
pub(in crate::engine) struct LoggedHeader {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value_from_env: Option<String>,
}

impl LoggedHeader {
    pub fn of(configured: &[Header]) -> Vec<Self> {
        let fixed =
            |name: &str, value: &str| Self { name: name.into(), value: Some(value.into()), value_from_env: None };
        let mut logged = vec![fixed("Content-Type", "application/json"), fixed("User-Agent", USER_AGENT)];
        logged.extend(configured.iter().map(|header| Self {
            name: header.name.clone(),
            value: header.value.clone(),
            value_from_env: header.value_from_env.clone(),
        }));
        logged
    }

    fn received(name: &str, value: &str) -> Self {
        Self { name: name.into(), value: Some(value.into()), value_from_env: None }
    }
}

/// What came of one try.
pub(in crate::engine) struct Reply {
    /// HTTP status; 500 for a time-out, 1000 when no answer came, as Hasura notes it.
    pub status: i32,
    pub body: String,
    pub headers: Vec<(String, String)>,
    /// Seconds that the receiver asks to wait.
    pub retry_after: Option<u64>,
}

impl Reply {
    pub fn delivered(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The answer as the invocation log keeps it.
    pub fn logged(&self, version: &str) -> serde_json::Value {
        if self.delivered() {
            let headers: Vec<_> =
                self.headers.iter().map(|(name, value)| LoggedHeader::received(name, value)).collect();
            serde_json::json!({
                "data": {"body": self.body, "headers": headers, "status": self.status},
                "type": "webhook_response",
                "version": version,
            })
        } else {
            serde_json::json!({"data": {"message": self.body}, "type": "client_error", "version": version})
        }
    }
}
