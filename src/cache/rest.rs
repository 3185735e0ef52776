//! A server that stands still is left alone for a moment, so that not every request waits for it in vain.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::Error;

/// So many commands in a row get no answer in time before the server is left alone.
const PATIENCE: u32 = 3;
/// For how long it is left alone. Then commands try again; one that gets no answer is enough for another rest.
const REST: Duration = Duration::from_millis(500);

/// Whether the server is left alone at the moment.
pub(super) struct Rest {
    epoch: Instant,
    /// Milliseconds after the epoch.
    until: AtomicU64,
    unanswered: AtomicU32,
}

impl Default for Rest {
    fn default() -> Self {
        Self { epoch: Instant::now(), until: AtomicU64::new(0), unanswered: AtomicU32::new(0) }
    }
}

impl Rest {
    pub fn now(&self) -> bool {
        self.elapsed() < self.until.load(Ordering::Relaxed)
    }

    /// Takes note of how a command ended.
    pub fn note<T>(&self, result: &Result<T, Error>) {
        if !matches!(result, Err(Error::Timeout)) {
            self.unanswered.store(0, Ordering::Relaxed);
        } else if self.unanswered.fetch_add(1, Ordering::Relaxed) + 1 >= PATIENCE {
            let rest = u64::try_from(REST.as_millis()).unwrap_or(u64::MAX);
            self.until.store(self.elapsed() + rest, Ordering::Relaxed);
            metrics::counter!("northstack_cache_rests_total").increment(1);
        }
    }

    fn elapsed(&self) -> u64 {
        u64::try_from(self.epoch.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_in_a_row_without_an_answer_bring_a_rest_and_an_answer_starts_the_count_anew() {
        let rest = Rest::default();
        let silence = || rest.note::<()>(&Err(Error::Timeout));
        silence();
        silence();
        rest.note(&Ok(()));
        silence();
        silence();
        rest.note::<()>(&Err(Error::Locked));
        silence();
        silence();
        assert!(!rest.now());
        silence();
        assert!(rest.now());
    }
}
