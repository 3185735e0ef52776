//! Logs and traces of the process: set up once, before the runtime, and told when their settings change.

use std::io::IsTerminal;
use std::sync::OnceLock;

use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt, reload};

use crate::config::{Live, LogFormat, Observability};
use crate::domain::{Error, Result};

/// What commands that do one thing and end log: what goes wrong they say themselves.
const QUIET: &str = "error";

static FILTER: OnceLock<reload::Handle<EnvFilter, Registry>> = OnceLock::new();

/// The process's telemetry. Dropping it sends what was not yet sent.
pub struct Telemetry(Option<SdkTracerProvider>);

impl Telemetry {
    /// Sets up standard error for logs, and the OTLP collector for traces where one is named. `RUST_LOG` says what is
    /// logged before the configuration does. Call it outside of the runtime: the exporter has a thread of its own.
    pub fn start(serves: bool, settings: &Observability) -> Result<Self> {
        let given = if serves { settings.log_filter.as_str() } else { QUIET };
        let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(given));
        let (filter, handle) = reload::Layer::new(filter);
        let provider = if serves { provider(settings)? } else { None };
        let traces =
            provider.as_ref().map(|it| tracing_opentelemetry::layer().with_tracer(it.tracer(env!("CARGO_PKG_NAME"))));
        let set = Registry::default().with(filter).with(traces).with(lines(settings.log_format)).try_init();
        set.map_err(|error| Error::internal("setting up logs", error))?;
        // The only writer is here, and a process has one subscriber.
        let _ = FILTER.set(handle);
        Ok(Self(provider))
    }
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        if let Some(Err(error)) = self.0.take().map(|provider| provider.shutdown()) {
            eprintln!("the last traces were not sent: {error}");
        }
    }
}

fn lines<S>(format: LogFormat) -> Box<dyn Layer<S> + Send + Sync>
where
    S: tracing::Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
{
    let layer = fmt::layer().with_writer(std::io::stderr);
    let json = match format {
        LogFormat::Auto => !std::io::stderr().is_terminal(),
        LogFormat::Text => false,
        LogFormat::Json => true,
    };
    if json { layer.json().flatten_event(true).boxed() } else { layer.boxed() }
}

/// Traces over OTLP/HTTP to `<endpoint>/v1/traces`; what a caller decided about sampling (`traceparent`) holds.
fn provider(settings: &Observability) -> Result<Option<SdkTracerProvider>> {
    let Some(endpoint) = &settings.otlp_endpoint else { return Ok(None) };
    let address = format!("{}/v1/traces", endpoint.as_str().trim_end_matches('/'));
    let exporter = SpanExporter::builder().with_http().with_protocol(Protocol::HttpBinary).with_endpoint(address);
    let exporter = exporter.build().map_err(|error| Error::internal("making the exporter of traces", error))?;
    opentelemetry::global::set_text_map_propagator(TraceContextPropagator::new());
    let sampler = Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(settings.trace_sample_ratio)));
    let provider = SdkTracerProvider::builder()
        .with_resource(Resource::builder().with_service_name(env!("CARGO_PKG_NAME")).build())
        .with_sampler(sampler)
        .with_batch_exporter(exporter)
        .build();
    Ok(Some(provider))
}

/// Logs what the configuration in force asks for, until told to stop.
pub async fn follow(mut live: Live, stop: CancellationToken) {
    if std::env::var_os(EnvFilter::DEFAULT_ENV).is_some() {
        return;
    }
    while let Some(config) = stop.run_until_cancelled(live.changed()).await {
        let reloaded = EnvFilter::try_new(&config.observability.log_filter)
            .map_err(|error| error.to_string())
            .and_then(|filter| FILTER.get().map_or(Ok(()), |it| it.reload(filter)).map_err(|error| error.to_string()));
        if let Err(error) = reloaded {
            tracing::error!(error, "log_filter_not_changed");
        }
    }
}
