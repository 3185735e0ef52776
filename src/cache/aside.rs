//! Cache-aside: read the cache, or make the value once and keep it.

use std::sync::{Arc, Weak};
use std::time::Duration;

use dashmap::DashMap;
use rand::RngExt;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;

use super::{Cache, Error};
use crate::domain;

/// How long one process may keep the others of the installation from making the same value.
const OTHERS_WAIT: Duration = Duration::from_secs(3);

/// The values that this process is making at the moment, by key.
#[derive(Default)]
pub(super) struct Flights(DashMap<String, Weak<Mutex<()>>>);

impl Flights {
    fn of(&self, key: &str) -> Arc<Mutex<()>> {
        let mut entry = self.0.entry(key.to_owned()).or_default();
        entry.upgrade().unwrap_or_else(|| {
            let flight = Arc::new(Mutex::new(()));
            *entry = Arc::downgrade(&flight);
            flight
        })
    }

    fn ended(&self, key: &str) {
        self.0.remove_if(key, |_, flight| flight.strong_count() == 0);
    }
}

impl Cache {
    /// The value under `key`; if it is absent, `load` makes it and it is kept for `ttl`. Of many callers
    /// at once, in this process and in others, one runs `load` and the rest get its value. When the
    /// cache is lost, every caller runs `load`: only its failure is a failure here.
    pub async fn get_or_set<T, F, Fut>(&self, key: &str, ttl: Duration, load: F) -> domain::Result<T>
    where
        T: Serialize + DeserializeOwned,
        F: FnOnce() -> Fut,
        Fut: Future<Output = domain::Result<T>>,
    {
        match self.get(key).await {
            Ok(Some(value)) => return Ok(value),
            Ok(None) => {}
            Err(error) => {
                note("read", key, &error);
                if error.lost() {
                    return load().await;
                }
            }
        }
        let flight = self.0.flights.of(key);
        let result = {
            let _alone = flight.lock().await;
            self.make(key, ttl, load).await
        };
        drop(flight);
        self.0.flights.ended(key);
        result
    }

    /// Makes the value, unless another caller has made it meanwhile.
    async fn make<T, F, Fut>(&self, key: &str, ttl: Duration, load: F) -> domain::Result<T>
    where
        T: Serialize + DeserializeOwned,
        F: FnOnce() -> Fut,
        Fut: Future<Output = domain::Result<T>>,
    {
        let lock = self.lock(&format!("aside:{key}"), OTHERS_WAIT);
        let deadline = tokio::time::Instant::now() + OTHERS_WAIT;
        // Dropping it gives it back, without anybody waiting for that.
        let _guard = loop {
            // Asked together: another process may have finished since the last look, and the value is there then.
            let (acquired, known) = tokio::join!(lock.try_acquire(), self.get(key));
            if let Ok(Some(value)) = known {
                return Ok(value);
            }
            match acquired {
                Ok(guard) => break Some(guard),
                Err(Error::Locked) if tokio::time::Instant::now() < deadline => {
                    let pause = rand::rng().random_range(5..=25);
                    tokio::time::sleep(Duration::from_millis(pause)).await;
                }
                Err(_) => break None,
            }
        };
        let value = load().await?;
        if let Err(error) = self.set(key, &value, ttl).await {
            note("write", key, &error);
        }
        Ok(value)
    }
}

fn note(act: &'static str, key: &str, error: &Error) {
    tracing::debug!(act, key, %error, "cache_bypassed");
    metrics::counter!("northstack_cache_bypassed_total", "act" => act).increment(1);
}
