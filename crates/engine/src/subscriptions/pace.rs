//! How soon a cohort is fetched again after something may have changed.

use std::time::Duration;

/// Hints are gathered at least this long.
pub(super) const SHORTEST: Duration = Duration::from_millis(5);
/// And at most this long.
pub(super) const LONGEST: Duration = Duration::from_secs(1);

/// The gathering window: as long as the last fetch took, within bounds, so that fetching takes at most half the time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    window: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { window: SHORTEST }
    }
}

impl Pace {
    /// How long to gather hints before the next fetch.
    pub fn window(self) -> Duration {
        self.window
    }

    /// Takes the cost of the last fetch into account.
    pub fn fetched_in(&mut self, cost: Duration) {
        self.window = cost.clamp(SHORTEST, LONGEST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_follows_the_cost_within_bounds() {
        let mut pace = Pace::default();
        assert_eq!(pace.window(), SHORTEST);
        pace.fetched_in(Duration::from_millis(120));
        assert_eq!(pace.window(), Duration::from_millis(120));
        pace.fetched_in(Duration::from_secs(9));
        assert_eq!(pace.window(), LONGEST);
        pace.fetched_in(Duration::from_micros(300));
        assert_eq!(pace.window(), SHORTEST);
    }
}
