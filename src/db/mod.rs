//! The SQL database: topology-aware pools, transactions that are retried, migrations, leases,
//! and one file of queries per aggregate.

pub mod alerts;
pub mod applications;
pub mod audit;
pub mod audit_chain;
pub mod claims;
pub mod departed;
pub mod deployments;
pub mod error;
pub mod event_effects;
pub mod events;
pub mod idempotency;
pub mod lanes;
pub mod leases;
pub mod migrate;
pub mod operations;
pub mod operators;
pub mod previews;
pub mod projects;
pub mod repairs;
pub mod restored;
pub mod runtime;
pub mod secrets;
pub mod settled;
pub mod signals;
pub mod steps;
pub mod stores;
pub mod teams;
pub mod upkeep;
pub mod users;
pub mod variables;

mod connect;
mod health;
mod topology;
mod transaction;
mod words;

use std::sync::Arc;

use sqlx::PgPool;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::config;
use crate::domain::Result;

pub use health::{Health, Statistics};
pub use topology::{Node, NodeKind};
pub use transaction::{Audit, PgTx};

/// The database. Cheap to clone; all clones share the pools.
#[derive(Clone)]
pub struct Db(Arc<Inner>);

struct Inner {
    writer: connect::Balanced,
    reader: Option<connect::Balanced>,
    topology: Arc<topology::Topology>,
    attempts: usize,
    stop: CancellationToken,
    _stop_with_last_clone: DropGuard,
}

impl Db {
    /// Connects, trying again with growing pauses until `connect_timeout`; finds the other servers
    /// of a YugabyteDB cluster; opens `min_connections`; and from then on follows the servers' state.
    ///
    /// # Errors
    /// `unavailable` when no server answered in time, `invalid-input` when the settings cannot be used.
    pub async fn connect(config: &config::Database) -> Result<Self> {
        let started = connect::start(config).await?;
        let stop = CancellationToken::new();
        let db = Self(Arc::new(Inner {
            writer: started.writer,
            reader: started.reader,
            topology: started.topology,
            attempts: config.transaction_attempts,
            _stop_with_last_clone: stop.clone().drop_guard(),
            stop,
        }));
        topology::follow(&db.0.topology, db.rotations(), config, db.0.stop.clone());
        health::report(&db, db.0.stop.clone());
        Ok(db)
    }

    /// The pool for reads and writes. New connections go to servers that are up, preferred placements first.
    pub fn pool(&self) -> &PgPool {
        self.0.writer.pool()
    }

    /// The pool for reads that tolerate data as old as `follower_staleness`: a follower answers where
    /// `follower_reads` is set and the database can do it, otherwise the same pool as [`Db::pool`].
    pub fn reader(&self) -> &PgPool {
        self.0.reader.as_ref().unwrap_or(&self.0.writer).pool()
    }

    /// Stops the background tasks and closes every connection once it is free.
    pub async fn close(&self) {
        self.0.stop.cancel();
        self.0.writer.pool().close().await;
        if let Some(reader) = &self.0.reader {
            reader.pool().close().await;
        }
    }

    fn rotations(&self) -> Vec<Arc<connect::Rotation>> {
        std::iter::once(&self.0.writer).chain(&self.0.reader).map(connect::Balanced::rotation).collect()
    }
}

impl std::fmt::Debug for Db {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Db").field("topology", &self.0.topology.nodes()).finish_non_exhaustive()
    }
}
