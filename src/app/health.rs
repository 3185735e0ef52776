//! Whether the systems that requests need answer.

use std::time::{Duration, Instant};

use super::App;
use crate::domain::{Error, Result};

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
        let database = check("database", async { self.db.health().await.map(drop) });
        let cache = check("cache", async { Ok(self.cache.health().await.map(drop)?) });
        let events = check("events", async {
            let missing = self.bus.health().await?.missing;
            match missing.first() {
                None => Ok(()),
                Some(stream) => Err(Error::unavailable("looking for the streams", format!("{stream} is missing"))),
            }
        });
        let (database, cache, events) = tokio::join!(database, cache, events);
        vec![database, cache, events]
    }
}

async fn check(name: &'static str, probe: impl Future<Output = Result<()>>) -> Check {
    let begun = Instant::now();
    let answered = tokio::time::timeout(PATIENCE, probe).await;
    let answered = answered.unwrap_or_else(|late| Err(Error::unavailable("waiting for a sign of life", late)));
    if let Err(error) = &answered {
        tracing::warn!(system = name, cause = error.chain(), "not_ready");
    }
    let milliseconds = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    Check { name, healthy: answered.is_ok(), milliseconds }
}
