//! The connection to NATS.

use std::time::Duration;

use async_nats::{Client, ConnectOptions, ServerAddr};
use backon::{ExponentialBuilder, Retryable};

use crate::config;
use crate::domain::{Error, Result};

/// Connects, trying again with growing pauses until `connect_timeout`.
pub(super) async fn client(config: &config::Nats) -> Result<Client> {
    let servers = config
        .servers
        .iter()
        .map(|server| server.parse::<ServerAddr>())
        .collect::<std::io::Result<Vec<_>>>()
        .map_err(|source| Error::invalid("nats.servers", "cannot be read as addresses").caused_by(source))?;
    let attempt = || async { options(config).await?.connect(servers.clone()).await.map_err(unreachable) };
    let pauses = ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(100))
        .with_max_delay(Duration::from_secs(2))
        .with_total_delay(Some(config.connect_timeout))
        .without_max_times()
        .with_jitter();
    attempt
        .retry(pauses)
        .when(Error::retryable)
        .notify(|error, pause| tracing::warn!(error = %error.chain(), ?pause, "bus_connect_retried"))
        .await
}

fn unreachable(error: async_nats::ConnectError) -> Error {
    use async_nats::ConnectErrorKind as Kind;
    match error.kind() {
        Kind::Authentication | Kind::AuthorizationViolation => {
            Error::invalid("nats", "the event bus refuses the credentials; check its settings").caused_by(error)
        }
        Kind::ServerParse | Kind::Tls => {
            Error::invalid("nats.servers", "the event bus cannot be reached in this way").caused_by(error)
        }
        _ => Error::unavailable("connecting to the event bus", error),
    }
}

async fn options(config: &config::Nats) -> Result<ConnectOptions> {
    let mut options = ConnectOptions::new()
        .name("northstack")
        .connection_timeout(Duration::from_secs(2))
        .ping_interval(Duration::from_secs(10))
        .max_reconnects(None)
        .event_callback(|event| async move {
            match event {
                async_nats::Event::Disconnected => tracing::warn!("bus_disconnected"),
                async_nats::Event::Connected => tracing::info!("bus_connected"),
                other => tracing::debug!(event = %other, "bus_event"),
            }
        });
    if let (Some(user), Some(password)) = (&config.user, &config.password) {
        options = options.user_and_password(user.clone(), password.expose().clone());
    }
    if let Some(token) = &config.token {
        options = options.token(token.expose().clone());
    }
    if let Some(path) = &config.credentials_file {
        options = options.credentials_file(path).await.map_err(|source| {
            Error::invalid("nats.credentials_file", "cannot be read as a credentials file").caused_by(source)
        })?;
    }
    if let Some(path) = &config.tls_root_cert {
        options = options.add_root_certificates(path.clone()).require_tls(true);
    }
    Ok(options)
}
