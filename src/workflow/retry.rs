//! How long to wait before a step is tried again.

use std::time::Duration;

use rand::RngExt;

/// Back-off between tries: doubles from `first` up to `most`, each spread by half so that many do not come at once.
#[derive(Debug, Clone, Copy)]
pub struct Backoff {
    /// Before the second try.
    pub first: Duration,
    /// The longest.
    pub most: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { first: Duration::from_millis(500), most: Duration::from_secs(30) }
    }
}

impl Backoff {
    /// The pause after try number `attempt` (from 1).
    pub fn after(&self, attempt: u32) -> Duration {
        let doubled = self.first.saturating_mul(2_u32.saturating_pow(attempt.saturating_sub(1).min(16)));
        doubled.min(self.most).mul_f64(rand::rng().random_range(0.5..=1.0))
    }

    /// The pause between tries in an outage that has lasted so long: a share of that, so that a short one is over soon.
    pub fn during(&self, outage: Duration) -> Duration {
        (outage / 2).clamp(self.first.min(self.most), self.most).mul_f64(rand::rng().random_range(0.5..=1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_to_the_most_and_is_spread() {
        let backoff = Backoff { first: Duration::from_millis(100), most: Duration::from_secs(1) };
        for (attempt, longest) in [(1, 100), (2, 200), (3, 400), (4, 800), (5, 1000), (60, 1000)] {
            let pause = backoff.after(attempt);
            assert!(pause <= Duration::from_millis(longest), "{attempt}: {pause:?}");
            assert!(pause >= Duration::from_millis(longest / 2), "{attempt}: {pause:?}");
        }
        for (lasted, longest) in [(0, 100), (500, 250), (60_000, 1000)] {
            let pause = backoff.during(Duration::from_millis(lasted));
            assert!((longest / 2..=longest).contains(&pause.as_millis()), "{lasted}: {pause:?}");
        }
    }
}
