//! Whether the database answers, and how busy the pools are.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{Db, Node, error};
use crate::domain::Result;

/// How often the pools' statistics are published.
const REPORT_EVERY: Duration = Duration::from_secs(5);

/// The database's health.
#[derive(Debug, Clone)]
pub struct Health {
    /// Time for one round trip.
    pub latency: Duration,
    /// What `version()` says.
    pub version: String,
    /// How busy the pool is.
    pub pool: Statistics,
}

/// How busy a pool is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Statistics {
    /// Open connections.
    pub open: u32,
    /// Open connections that nobody uses.
    pub idle: usize,
    /// Most connections that may be open.
    pub limit: u32,
}

impl Db {
    /// Asks the database for a sign of life.
    ///
    /// # Errors
    /// `unavailable` when it does not answer within the time for taking a connection.
    pub async fn health(&self) -> Result<Health> {
        let started = tokio::time::Instant::now();
        let version = sqlx::query_scalar!(r#"select version() as "version!""#)
            .fetch_one(self.pool())
            .await
            .map_err(error::while_doing("asking the database for a sign of life"))?;
        Ok(Health { latency: started.elapsed(), version, pool: self.statistics() })
    }

    /// The servers as last seen, with cloud, region and zone where the database names them.
    pub fn cluster(&self) -> Vec<Node> {
        self.0.topology.nodes()
    }

    /// How busy the pool is.
    pub fn statistics(&self) -> Statistics {
        let pool = self.pool();
        Statistics { open: pool.size(), idle: pool.num_idle(), limit: pool.options().get_max_connections() }
    }
}

/// Publishes the pool's statistics as gauges until `stop`.
pub(super) fn report(db: &Db, stop: CancellationToken) {
    // Only the pool goes into the task, so that the task does not keep the database open.
    let pool = db.pool().clone();
    let topology = std::sync::Arc::clone(&db.0.topology);
    tokio::spawn(stop.run_until_cancelled_owned(async move {
        let mut ticks = tokio::time::interval(REPORT_EVERY);
        loop {
            ticks.tick().await;
            let idle = u32::try_from(pool.num_idle()).unwrap_or(u32::MAX);
            metrics::gauge!("northstack_database_connections", "state" => "idle").set(idle);
            metrics::gauge!("northstack_database_connections", "state" => "busy").set(pool.size().saturating_sub(idle));
            metrics::gauge!("northstack_database_connections_limit").set(pool.options().get_max_connections());
            let up = topology.nodes().iter().filter(|node| node.up).count();
            metrics::gauge!("northstack_database_servers_up").set(u32::try_from(up).unwrap_or(u32::MAX));
        }
    }));
}
