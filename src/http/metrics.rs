//! Request metrics, and the recorder behind `/metrics`.

use std::time::Duration;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use crate::domain::{Error, Result};

/// Seconds; from a cached answer to the request timeout.
const BUCKETS: [f64; 11] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0];

const DURATION: &str = "http_request_duration_seconds";

/// Installs the process's metrics recorder. Once a process: a second call is an error.
pub fn install_recorder() -> Result<PrometheusHandle> {
    PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Full(DURATION.to_owned()), &BUCKETS)
        .and_then(PrometheusBuilder::install_recorder)
        .map_err(|error| Error::internal("installing the metrics recorder", error))
}

/// Counts one answered request. `route` is the pattern, never the path: its values are few.
pub(super) fn record(method: &str, route: &str, status: u16, took: Duration) {
    let labels = [("method", method.to_owned()), ("route", route.to_owned()), ("status", status.to_string())];
    metrics::counter!("http_requests_total", &labels).increment(1);
    metrics::histogram!(DURATION, &labels[..2]).record(took.as_secs_f64());
}
