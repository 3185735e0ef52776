//! Connections for statements of requests: one round trip each.
//!
//! sqlx's own pool asks a connection whether it is alive before each use and again after it, which makes three round
//! trips of one. Connections are taken out of it for good here, as it opens them (servers in turn, its options), and
//! asked only after a pause. One whose use was broken off is closed, never given on. Statements stay prepared until the
//! tables may have changed: a prepared one must not give other types than it did.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use deadpool::managed::{
    Manager, Metrics, Object, Pool, PoolError, QueueMode, RecycleError, RecycleResult, Timeouts, WeakPool,
};
use deadpool::{Runtime, managed};
use sqlx::{Connection, PgConnection, PgPool};

/// A connection that was used this recently is taken to be alive.
const FRESH: Duration = Duration::from_secs(1);

/// Connections for statements of requests. Cheap to clone.
#[derive(Clone)]
pub struct Connections {
    pool: Pool<Opener>,
    generation: Arc<AtomicU64>,
}

impl Connections {
    /// As many as a pool may have, opened as that pool opens its own, with its times.
    pub fn like(pool: &PgPool) -> Self {
        let options = pool.options();
        let timeouts = Timeouts { wait: Some(options.get_acquire_timeout()), create: None, recycle: None };
        let generation = Arc::new(AtomicU64::new(0));
        let opener = Opener { pool: pool.clone(), generation: generation.clone() };
        let mut builder = Pool::builder(opener);
        builder = builder.config(managed::PoolConfig {
            max_size: options.get_max_connections() as usize,
            timeouts,
            // The one that was used last has its statements prepared and is known to be alive.
            queue_mode: QueueMode::Lifo,
        });
        match builder.runtime(Runtime::Tokio1).build() {
            Ok(pool) => {
                if let Some(most) = options.get_idle_timeout() {
                    tokio::spawn(close_idle(pool.weak(), most));
                }
                Self { pool, generation }
            }
            // Only a time-out without a runtime is refused, and there is one.
            Err(error) => unreachable!("{error}"),
        }
    }

    /// A connection.
    ///
    /// # Errors
    /// Of the database, or [`sqlx::Error::PoolTimedOut`] when none becomes free in time.
    pub async fn take(&self) -> sqlx::Result<Lease> {
        match self.pool.get().await {
            Ok(object) => Ok(Lease(Some(object))),
            Err(PoolError::Backend(error)) => Err(error),
            Err(PoolError::Closed) => Err(sqlx::Error::PoolClosed),
            Err(_) => Err(sqlx::Error::PoolTimedOut),
        }
    }

    /// Closes those that nobody uses: after one was lost the others are doubtful.
    pub fn forget_idle(&self) {
        self.pool.retain(|_, _| false);
    }

    /// Has every connection prepare its statements anew: tables may have changed.
    pub fn prepare_anew(&self) {
        self.generation.fetch_add(1, Ordering::Relaxed);
    }

    /// Closes all; those in use when they come back.
    pub fn close(&self) {
        self.pool.close();
    }
}

/// Closes connections that nobody has used for so long, until the pool is gone.
async fn close_idle(pool: WeakPool<Opener>, most: Duration) {
    let mut looks = tokio::time::interval(most.max(FRESH));
    loop {
        looks.tick().await;
        let Some(pool) = pool.upgrade() else { return };
        pool.retain(|_, metrics| metrics.last_used() < most);
    }
}

/// A connection in use. It goes back when [`Lease::done`] says that its last statement has ended; else it is closed.
pub struct Lease(Option<Object<Opener>>);

impl Lease {
    /// The connection.
    pub fn connection(&mut self) -> &mut PgConnection {
        match &mut self.0 {
            Some(object) => &mut object.connection,
            None => unreachable!("only `done` and `drop` take the connection, and both end the lease"),
        }
    }

    /// Gives the connection back.
    pub fn done(mut self) {
        drop(self.0.take());
    }

    /// Gives the connection back unless the outcome tells that it is gone.
    pub fn ended<T>(self, outcome: &sqlx::Result<T>) {
        match outcome {
            Err(error) if lost(error) || !matches!(error, sqlx::Error::Database(_)) => {}
            _ => self.done(),
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(object) = self.0.take() {
            drop(Object::take(object));
        }
    }
}

/// Whether a statement failed because its tables have changed since it was prepared (`feature_not_supported`).
pub fn outdated(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Database(error) if error.code().as_deref() == Some(OUTDATED))
}

/// What PostgreSQL answers then, among other things.
pub const OUTDATED: &str = "0A000";

/// Whether a statement failed because its connection was lost: nothing is known of what it did.
pub fn lost(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) => true,
        // The server shuts down, or an operator ended the connection.
        sqlx::Error::Database(error) => error.code().is_some_and(|code| matches!(&*code, "57P01" | "57P02" | "57P03")),
        _ => false,
    }
}

/// Opens connections and tells whether they are alive.
pub struct Opener {
    pool: PgPool,
    generation: Arc<AtomicU64>,
}

/// A connection that is kept.
pub struct Kept {
    connection: PgConnection,
    /// When its statements were prepared.
    generation: u64,
}

impl Manager for Opener {
    type Type = Kept;
    type Error = sqlx::Error;

    async fn create(&self) -> sqlx::Result<Kept> {
        let generation = self.generation.load(Ordering::Relaxed);
        let mut connection = Box::pin(self.pool.acquire()).await?.detach();
        // The pool may have used it for statements of its own.
        Box::pin(connection.clear_cached_statements()).await?;
        Ok(Kept { connection, generation })
    }

    async fn recycle(&self, kept: &mut Kept, metrics: &Metrics) -> RecycleResult<sqlx::Error> {
        let old = self.pool.options().get_max_lifetime().is_some_and(|most| metrics.age() > most);
        if old || self.pool.is_closed() {
            return Err(RecycleError::message("past its time"));
        }
        if metrics.last_used() > FRESH {
            Box::pin(kept.connection.ping()).await?;
        }
        let generation = self.generation.load(Ordering::Relaxed);
        if kept.generation < generation {
            Box::pin(kept.connection.clear_cached_statements()).await?;
            kept.generation = generation;
        }
        Ok(())
    }
}
