//! One id for everything that a request causes: the client's `x-request-id`, or one made here.

use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use opentelemetry_http::HeaderExtractor;
use tracing::Instrument;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use uuid::Uuid;

use crate::http::metrics;

/// The header that carries the id in and out.
pub const REQUEST_ID_HEADER: HeaderName = HeaderName::from_static("x-request-id");

const MAX_LENGTH: usize = 128;

/// The request's correlation id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CorrelationId(pub String);

impl CorrelationId {
    /// The client's id if it is sound (1 to 128 of letters, digits and `-_.:/+=`), else a new one.
    fn of(request: &Request) -> Self {
        let given = request.headers().get(&REQUEST_ID_HEADER).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let sound = (1..=MAX_LENGTH).contains(&given.len())
            && given.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:/+=".contains(&byte));
        Self(if sound { given.to_owned() } else { Uuid::now_v7().to_string() })
    }
}

/// Gives the request its id, spans and counts it, and puts the id on the answer.
pub(super) async fn follow(mut request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let id = CorrelationId::of(&request);
    // Both characters and length were checked, or the id is a UUID.
    let header = HeaderValue::from_str(&id.0).unwrap_or(HeaderValue::from_static("unknown"));
    let method = request.method().to_string();
    let route = request.extensions().get::<MatchedPath>().map_or("unmatched", MatchedPath::as_str).to_owned();
    let span = tracing::info_span!("request", method, route, correlation_id = id.0);
    // A caller that traces (`traceparent`, W3C Trace Context) sees the request as a part of its trace.
    let caller = opentelemetry::global::get_text_map_propagator(|it| it.extract(&HeaderExtractor(request.headers())));
    // It fails only where no collector is configured, or where the log filter hides the span.
    let _ = span.set_parent(caller);
    request.headers_mut().insert(REQUEST_ID_HEADER, header.clone());
    request.extensions_mut().insert(id);
    async {
        let mut response = next.run(request).await;
        response.headers_mut().insert(REQUEST_ID_HEADER, header);
        let (status, took) = (response.status().as_u16(), begun.elapsed());
        metrics::record(&method, &route, status, took);
        tracing::info!(status, milliseconds = took.as_secs_f64() * 1000.0, "answered");
        response
    }
    .instrument(span)
    .await
}
