//! The envelope of every event.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use time::OffsetDateTime;
use uuid::Uuid;

use super::Subject;

/// An event: something that has happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// The key by which consumers recognise a repetition.
    pub id: Uuid,
    /// What happened, such as `deployment.started`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Who says so.
    pub source: String,
    /// Where it is published, such as `deployment.started.app-123`.
    pub subject: String,
    /// When it happened.
    #[serde(with = "time::serde::rfc3339")]
    pub timestamp: OffsetDateTime,
    #[serde(default)]
    pub data: Map<String, Value>,
    pub metadata: Metadata,
}

/// What an event belongs to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Metadata {
    /// Ties together all rows, events, log lines and spans of one request.
    pub correlation_id: String,
    /// The event that led to this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub causation_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<Uuid>,
    /// The trace in which it happened (W3C trace id).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
}

impl Event {
    /// An event of the platform that happens now, under a new id.
    pub fn now(subject: &Subject, data: Map<String, Value>, correlation_id: impl Into<String>) -> Self {
        Self {
            id: Uuid::now_v7(),
            kind: subject.kind().to_owned(),
            source: "northstack".to_owned(),
            subject: subject.as_str().to_owned(),
            timestamp: OffsetDateTime::now_utc(),
            data,
            metadata: Metadata { correlation_id: correlation_id.into(), ..Metadata::default() },
        }
    }

    /// The same event as a consequence of `cause`: it takes over what that one belongs to.
    pub fn caused_by(mut self, cause: &Event) -> Self {
        self.metadata = Metadata { causation_id: Some(cause.id.to_string()), ..cause.metadata.clone() };
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_envelope_is_camel_case_and_leaves_out_what_is_absent() {
        let subject = Subject::new("deployment", &["started"], "app-123");
        let event = Event::now(&subject, Map::new(), "request-1");
        let text = serde_json::to_value(&event).unwrap();
        let keys: Vec<&String> = text.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["id", "type", "source", "subject", "timestamp", "data", "metadata"]);
        assert_eq!(text["metadata"], json!({ "correlationId": "request-1" }));
        assert_eq!(serde_json::from_value::<Event>(text).unwrap(), event);
        let next = Event::now(&subject, Map::new(), "other").caused_by(&event);
        assert_eq!(next.metadata.correlation_id, "request-1");
        assert_eq!(next.metadata.causation_id, Some(event.id.to_string()));
    }
}
