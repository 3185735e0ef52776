//! Connecting: which options, which server, which pool.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgSslMode};
use sqlx::{ConnectOptions, PgConnection, PgPool};

use super::error;
use super::topology::{self, Node, Topology};
use crate::config::{self, SslMode};
use crate::domain::{Error, Result};

/// What a successful start gives.
pub(super) struct Started {
    pub(super) writer: Balanced,
    pub(super) reader: Option<Balanced>,
    pub(super) topology: Arc<Topology>,
}

/// A pool whose connections are spread over the servers.
pub(super) struct Balanced {
    pool: PgPool,
    rotation: Arc<Rotation>,
}

impl Balanced {
    pub(super) fn pool(&self) -> &PgPool {
        &self.pool
    }

    pub(super) fn rotation(&self) -> Arc<Rotation> {
        Arc::clone(&self.rotation)
    }
}

impl Drop for Balanced {
    fn drop(&mut self) {
        // The pool's callback holds the rotation, which holds the pool: cut the ring.
        *self.rotation.pool.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = None;
    }
}

/// Decides where a pool's next connection goes.
pub(super) struct Rotation {
    base: PgConnectOptions,
    topology: Arc<Topology>,
    replicas_welcome: bool,
    pool: Mutex<Option<PgPool>>,
}

impl Rotation {
    /// The options without the server.
    pub(super) fn base(&self) -> &PgConnectOptions {
        &self.base
    }

    /// Points the pool's next connection at the next server. With none up it stays where it is.
    pub(super) fn turn(&self) {
        let pool = self.pool.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let (Some(pool), Some(node)) = (pool.as_ref(), self.topology.next(self.replicas_welcome)) {
            pool.set_connect_options(at(&self.base, &node));
        }
    }
}

/// Connects as [`super::Db::connect`] describes.
pub(super) async fn start(config: &config::Database) -> Result<Started> {
    let base = options(config);
    let hosts = config.hosts.iter().filter_map(|host| config::split_host_port(host, config.port));
    let nodes: Vec<Node> = hosts.map(|(host, port)| Node::new(&host, port)).collect();
    let mut first = first(&base, &nodes, config.connect_timeout).await?;
    let yugabyte =
        topology::is_yugabyte(&mut first).await.map_err(error::while_doing("asking what the database is"))?;
    let nodes = if yugabyte {
        topology::discover(&mut first).await.map_err(error::while_doing("listing the database servers"))?
    } else {
        nodes
    };
    let topology = Arc::new(Topology::new(nodes, config));
    let writer = pool(config, base.clone(), &topology, false)?;
    let reader = match config.follower_reads && yugabyte {
        true => Some(pool(config, follower(base, config), &topology, true)?),
        false => None,
    };
    warm(writer.pool(), config).await?;
    Ok(Started { writer, reader, topology })
}

/// The first server that answers, tried in turn with growing pauses.
async fn first(base: &PgConnectOptions, nodes: &[Node], patience: Duration) -> Result<PgConnection> {
    let attempt = || async {
        let mut last = sqlx::Error::Configuration("database.hosts is empty".into());
        for node in nodes {
            match tokio::time::timeout(patience, at(base, node).connect()).await {
                Ok(Ok(connection)) => return Ok(connection),
                Ok(Err(error)) => last = error,
                Err(_) => last = sqlx::Error::PoolTimedOut,
            }
        }
        Err(last)
    };
    let pauses = ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(100))
        .with_max_delay(Duration::from_secs(5))
        .with_total_delay(Some(patience))
        .without_max_times()
        .with_jitter();
    attempt
        .retry(pauses)
        .when(transient)
        .notify(|error, pause| tracing::warn!(%error, ?pause, "database_connect_retried"))
        .await
        .map_err(|error| match transient(&error) {
            true => Error::unavailable("connecting to the database", error),
            false => {
                Error::invalid("database", "the database refuses the connection; check its settings").caused_by(error)
            }
        })
}

/// Whether connecting may succeed later: not with a wrong password or an absent database.
fn transient(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(database) => {
            database.code().is_some_and(|code| code.starts_with("57") || code.starts_with("53"))
        }
        sqlx::Error::Configuration(_) => false,
        _ => true,
    }
}

fn pool(
    config: &config::Database,
    base: PgConnectOptions,
    topology: &Arc<Topology>,
    replicas_welcome: bool,
) -> Result<Balanced> {
    let rotation =
        Arc::new(Rotation { base, topology: Arc::clone(topology), replicas_welcome, pool: Mutex::new(None) });
    let first = topology.next(replicas_welcome).ok_or_else(|| {
        Error::invalid("database.topology_keys", "no database server is in the places that the keys name")
    })?;
    let turning = Arc::clone(&rotation);
    let pool = PgPoolOptions::new()
        .max_connections(config.max_connections)
        .min_connections(config.min_connections)
        .max_lifetime(config.max_connection_lifetime)
        .idle_timeout(config.idle_timeout)
        .acquire_timeout(config.acquire_timeout)
        .after_connect(move |_, _| {
            turning.turn();
            Box::pin(std::future::ready(Ok(())))
        })
        .connect_lazy_with(at(&rotation.base, &first));
    *rotation.pool.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = Some(pool.clone());
    Ok(Balanced { pool, rotation })
}

/// Opens `min_connections`, so that the first requests do not wait for them.
async fn warm(pool: &PgPool, config: &config::Database) -> Result<()> {
    let mut held = Vec::new();
    for _ in 0..config.min_connections {
        held.push(pool.acquire().await.map_err(error::while_doing("opening the first connections"))?);
    }
    Ok(())
}

fn options(config: &config::Database) -> PgConnectOptions {
    let mut options = PgConnectOptions::new_without_pgpass()
        .username(&config.user)
        .database(&config.database)
        .application_name("northstack")
        .ssl_mode(ssl_mode(config.ssl_mode))
        .statement_cache_capacity(config.statement_cache)
        .options([
            ("statement_timeout", config.statement_timeout.as_millis().to_string()),
            // Whoever holds rows and does nothing else with the database keeps everybody else from them.
            ("idle_in_transaction_session_timeout", config.idle_in_transaction_timeout.as_millis().to_string()),
        ])
        // Compiling a statement costs far more than these statements take: 650 ms against 10 for one of the catalogue.
        .options([("jit", "off")])
        .log_slow_statements(tracing::log::LevelFilter::Warn, Duration::from_secs(1));
    if let Some(password) = &config.password {
        options = options.password(password.expose());
    }
    if let Some(path) = &config.ssl_root_cert {
        options = options.ssl_root_cert(path);
    }
    options
}

/// Options of a session that YugabyteDB may answer from a follower: it has to be read-only.
fn follower(base: PgConnectOptions, config: &config::Database) -> PgConnectOptions {
    base.options([
        ("yb_read_from_followers", "on".to_owned()),
        ("yb_follower_read_staleness_ms", config.follower_staleness.as_millis().to_string()),
        ("default_transaction_read_only", "on".to_owned()),
    ])
}

fn at(base: &PgConnectOptions, node: &Node) -> PgConnectOptions {
    base.clone().host(&node.host).port(node.port)
}

fn ssl_mode(mode: SslMode) -> PgSslMode {
    match mode {
        SslMode::Disable => PgSslMode::Disable,
        SslMode::Prefer => PgSslMode::Prefer,
        SslMode::Require => PgSslMode::Require,
        SslMode::VerifyCa => PgSslMode::VerifyCa,
        SslMode::VerifyFull => PgSslMode::VerifyFull,
    }
}
