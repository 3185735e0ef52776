//! Whether the systems that requests need answer.

use std::time::{Duration, Instant};

use super::App;

/// One system's state.
#[derive(Debug, Clone)]
pub struct Check {
    /// `database`, `cache` or `events`.
    pub name: &'static str,
    /// Whether it answered.
    pub healthy: bool,
    /// How long the answer took.
    pub milliseconds: u64,
}

/// A system that takes longer counts as down.
const PATIENCE: Duration = Duration::from_secs(2);

impl App {
    /// Asks each system that requests need, all at once.
    pub async fn readiness(&self) -> Vec<Check> {
        let database = check("database", async { self.db.health().await.is_ok() });
        let cache = check("cache", async { self.cache.health().await.is_ok() });
        let events = check("events", async { self.bus.health().await.is_ok() });
        let (database, cache, events) = tokio::join!(database, cache, events);
        vec![database, cache, events]
    }
}

async fn check(name: &'static str, probe: impl Future<Output = bool>) -> Check {
    let begun = Instant::now();
    let healthy = tokio::time::timeout(PATIENCE, probe).await.unwrap_or(false);
    if !healthy {
        tracing::warn!(system = name, "not_ready");
    }
    Check { name, healthy, milliseconds: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX) }
}
