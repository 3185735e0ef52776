//! Event triggers, cron triggers, and what webhooks share: headers, retries, transforms.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Columns, is_false, null_is_default};

/// A header with a literal value or one from the environment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// The header's name.
    pub name: String,
    /// Its value (a template).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// The environment variable that holds its value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value_from_env: Option<String>,
}

/// A webhook on changes of a table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventTrigger {
    /// Its name, unique in the source.
    pub name: String,
    /// Which changes.
    pub definition: EventTriggerDefinition,
    /// Retries.
    #[serde(default)]
    pub retry_conf: RetryConfiguration,
    /// The URL (a template).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook: Option<String>,
    /// The environment variable that holds the URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook_from_env: Option<String>,
    /// Headers to send.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<Header>,
    /// How the request is rewritten.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_transform: Option<RequestTransform>,
    /// How the answer is rewritten.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_transform: Option<ResponseTransform>,
    /// When old events are removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cleanup_config: Option<CleanupConfiguration>,
    /// Accepted only when false: see [`super::unsupported`].
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "is_false")]
    pub trigger_on_replication: bool,
}

/// Which changes an event trigger reports.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventTriggerDefinition {
    /// Inserts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub insert: Option<TriggerOperation>,
    /// Updates of any of these columns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update: Option<TriggerOperation>,
    /// Deletes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delete: Option<TriggerOperation>,
    /// Whether it may be invoked by hand.
    #[serde(default, deserialize_with = "null_is_default")]
    pub enable_manual: bool,
}

/// Columns of one kind of change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TriggerOperation {
    /// Columns: of an update those that must differ; else those that are sent.
    pub columns: Columns,
    /// Columns that are sent, when they are not `columns`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<Columns>,
}

/// Retries of an event trigger.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetryConfiguration {
    /// Tries after the first, 0 by default.
    pub num_retries: u32,
    /// Seconds between tries, 10 by default.
    pub interval_sec: u64,
    /// Seconds to wait for an answer, 60 by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_sec: Option<u64>,
}

impl Default for RetryConfiguration {
    fn default() -> Self {
        Self { num_retries: 0, interval_sec: 10, timeout_sec: None }
    }
}

/// When old events of a trigger are removed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CleanupConfiguration {
    /// A cron expression.
    pub schedule: String,
    /// Hours.
    pub clear_older_than: u64,
    /// Rows at once, 10,000 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch_size: Option<u64>,
    /// Seconds, 60 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<u64>,
    /// Whether invocation logs go as well.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "is_false")]
    pub clean_invocation_logs: bool,
    /// Whether it rests.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "is_false")]
    pub paused: bool,
}

/// A webhook by time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CronTrigger {
    /// Its name.
    pub name: String,
    /// URL template.
    pub webhook: String,
    /// A cron expression, in UTC.
    pub schedule: String,
    /// Whether it is exported.
    pub include_in_metadata: bool,
    /// What is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<Value>,
    /// Retries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_conf: Option<CronRetryConfiguration>,
    /// Headers to send.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<Header>,
    /// How the request is rewritten.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_transform: Option<RequestTransform>,
    /// How the answer is rewritten.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_transform: Option<ResponseTransform>,
    /// A note.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

/// Retries of a cron trigger, in seconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CronRetryConfiguration {
    /// Tries after the first.
    pub num_retries: u32,
    /// Between tries.
    pub retry_interval_seconds: Seconds,
    /// For an answer.
    pub timeout_seconds: Seconds,
    /// An event that is later than this is dropped.
    pub tolerance_seconds: Seconds,
}

impl Default for CronRetryConfiguration {
    fn default() -> Self {
        Self {
            num_retries: 0,
            retry_interval_seconds: Seconds(10.0),
            timeout_seconds: Seconds(60.0),
            tolerance_seconds: Seconds(21_600.0),
        }
    }
}

/// A span of time: a number of seconds that is not negative, written without a fraction when it has none.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(try_from = "f64")]
pub struct Seconds(pub f64);

impl TryFrom<f64> for Seconds {
    type Error = &'static str;

    fn try_from(seconds: f64) -> Result<Self, Self::Error> {
        if seconds >= 0.0 { Ok(Self(seconds)) } else { Err("a number of seconds cannot be negative") }
    }
}

impl Serialize for Seconds {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Far below 2^63: nobody waits so long.
        match self.0.fract() == 0.0 && self.0 < 1e15 {
            true => serializer.serialize_u64(self.0 as u64),
            false => serializer.serialize_f64(self.0),
        }
    }
}

/// How a webhook's request is rewritten (Kriti templates).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestTransform {
    /// 1 or 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u8>,
    /// Always `Kriti`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template_engine: Option<String>,
    /// The HTTP method.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// The URL, a template over `$base_url`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// A template in version 1, an object `{action, template | form_template}` in version 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
    /// The content type of the body, as older versions wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// A map of templates, or one template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query_params: Option<Value>,
    /// Headers to add and remove.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_headers: Option<HeaderChanges>,
}

/// How a webhook's answer is rewritten (Kriti templates).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResponseTransform {
    /// 1 or 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u8>,
    /// Always `Kriti`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template_engine: Option<String>,
    /// As in [`RequestTransform`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
}

/// Headers to add and remove.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeaderChanges {
    /// Name to template.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "IndexMap::is_empty")]
    pub add_headers: IndexMap<String, String>,
    /// Names.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub remove_headers: Vec<String>,
}
