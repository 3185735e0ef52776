//! Logs, metrics and traces.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Problems;

/// The form of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    /// Text on a terminal, JSON elsewhere.
    #[default]
    Auto,
    /// For people.
    Text,
    /// One JSON object a line, for collectors.
    Json,
}

/// Logs, metrics and traces.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Observability {
    /// What is logged, as tracing-subscriber's filter, such as `info,northstack=debug`.
    #[schemars(extend("x-live" = true))]
    pub log_filter: String,
    /// The form of log lines.
    pub log_format: LogFormat,
    /// Whether `/metrics` answers, in Prometheus' text format.
    pub metrics: bool,
    /// Share of traces that begin here and are sent, from 0 to 1; what a caller decided (`traceparent`) holds.
    pub trace_sample_ratio: f64,
    /// Address of a collector that takes traces by OTLP over HTTP, such as `http://localhost:4318`; off without one.
    pub otlp_endpoint: Option<url::Url>,
}

impl Default for Observability {
    fn default() -> Self {
        Self {
            log_filter: "info,sqlx=warn,async_nats=warn".to_owned(),
            log_format: LogFormat::Auto,
            metrics: true,
            trace_sample_ratio: 1.0,
            otlp_endpoint: None,
        }
    }
}

impl Observability {
    pub(super) fn check(&self, problems: &mut Problems) {
        if tracing_subscriber::EnvFilter::try_new(&self.log_filter).is_err() {
            problems.add("observability.log_filter", "must be a filter such as `info,northstack=debug`");
        }
        if !(0.0..=1.0).contains(&self.trace_sample_ratio) {
            problems.add("observability.trace_sample_ratio", "must be from 0 to 1");
        }
        if let Some(url) = &self.otlp_endpoint {
            problems.http_url("observability.otlp_endpoint", url);
        }
    }
}
