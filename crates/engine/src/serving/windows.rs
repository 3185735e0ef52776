//! Counts over a sliding window: never more than the limit within any span of the window's length.
//!
//! Counts are kept by slots of a 64th of the window, so that a caller costs as little as a limit of ten as at one of a
//! million. A slot is dropped once the last moment of it is a window ago: a place comes back up to a slot late, never early.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use dashmap::DashMap;

const SLOTS: u64 = 64;

/// A limit, and what each caller has used of it.
pub(super) struct Windows {
    most: u32,
    window: Duration,
    begun: Instant,
    callers: DashMap<String, Used>,
}

#[derive(Default)]
struct Used {
    /// The numbers of slots in which something was counted, with how much; the oldest first.
    slots: VecDeque<(u64, u32)>,
    total: u32,
}

impl Windows {
    /// At most `most` within any `window`. Time is told by `now`'s clock from here on.
    pub fn new(most: u32, window: Duration, now: Instant) -> Self {
        Self { most, window, begun: now, callers: DashMap::new() }
    }

    /// Counts one.
    ///
    /// # Errors
    /// How long until there is a place again; what is refused is not counted.
    pub fn take(&self, caller: &str, now: Instant) -> Result<(), Duration> {
        if self.most == 0 {
            return Err(self.window);
        }
        let mut used = match self.callers.get_mut(caller) {
            Some(used) => used,
            None => self.callers.entry(caller.to_owned()).or_default(),
        };
        let slot = self.slot(now);
        used.forget(slot);
        if used.total >= self.most {
            let oldest = used.slots.front().map_or(slot, |(slot, _)| *slot);
            return Err(self.end(oldest).saturating_sub(now.saturating_duration_since(self.begun)));
        }
        used.total += 1;
        match used.slots.back_mut() {
            // Another thread may have read the clock a little later.
            Some((last, count)) if *last >= slot => *count += 1,
            _ => used.slots.push_back((slot, 1)),
        }
        Ok(())
    }

    /// Forgets the callers that have used nothing within a window.
    pub fn forget(&self, now: Instant) {
        let slot = self.slot(now);
        self.callers.retain(|_, used| {
            used.forget(slot);
            used.total > 0
        });
    }

    /// Rounded up: all slots together are no shorter than the window.
    fn slot_nanos(&self) -> u64 {
        u64::try_from(self.window.as_nanos()).unwrap_or(u64::MAX).div_ceil(SLOTS).max(1)
    }

    fn slot(&self, now: Instant) -> u64 {
        let since = now.saturating_duration_since(self.begun).as_nanos();
        u64::try_from(since).unwrap_or(u64::MAX) / self.slot_nanos()
    }

    /// When what was counted in a slot has left the window, since the beginning.
    fn end(&self, slot: u64) -> Duration {
        Duration::from_nanos((slot + 1 + SLOTS).saturating_mul(self.slot_nanos()))
    }
}

impl Used {
    fn forget(&mut self, now: u64) {
        while let Some((slot, count)) = self.slots.front().copied()
            && now > slot + SLOTS
        {
            self.slots.pop_front();
            self.total -= count;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn a_steady_caller_gets_the_limit_and_no_more_within_any_window() {
        let begun = Instant::now();
        let windows = Windows::new(1_000, MINUTE, begun);
        // 50 a second for three minutes.
        let taken: Vec<Duration> = (0..9_000)
            .map(|step| Duration::from_millis(20 * step))
            .filter(|at| windows.take("ada", begun + *at).is_ok())
            .collect();
        assert_eq!(most_within(&taken, MINUTE), 1_000);
        assert_eq!(taken.iter().filter(|at| **at < MINUTE).count(), 1_000);
        // The places come back in the order in which they were taken, a slot of 937.5 ms late at most.
        assert_eq!(taken.len(), 3_000);
        assert!(taken[1_000] > MINUTE && taken[1_000] <= MINUTE + Duration::from_millis(960), "{:?}", taken[1_000]);
    }

    #[test]
    fn a_refusal_tells_when_there_is_a_place_again_and_costs_nothing() {
        let begun = Instant::now();
        let windows = Windows::new(2, MINUTE, begun);
        let at = |milliseconds| begun + Duration::from_millis(milliseconds);
        assert!(windows.take("ada", at(0)).is_ok() && windows.take("ada", at(30_000)).is_ok());
        let wait = windows.take("ada", at(40_000)).unwrap_err();
        // A slot is 937.5 ms.
        assert_eq!(wait, Duration::from_nanos(20_937_500_000));
        for earlier in [40_001, 50_000, 60_000, 60_937] {
            assert!(windows.take("ada", at(earlier)).is_err(), "{earlier}");
        }
        assert!(windows.take("ada", at(40_000) + wait).is_ok());
        assert!(windows.take("ada", at(61_000)).is_err());
        assert!(windows.take("bob", at(61_000)).is_ok(), "another caller");
    }

    #[test]
    fn callers_who_stay_away_are_forgotten() {
        let begun = Instant::now();
        let windows = Windows::new(1, MINUTE, begun);
        windows.take("ada", begun).unwrap();
        windows.take("bob", begun + MINUTE / 2).unwrap();
        windows.forget(begun + MINUTE + MINUTE / 32);
        assert_eq!(windows.callers.iter().map(|it| it.key().clone()).collect::<Vec<_>>(), ["bob"]);
        assert!(Windows::new(0, MINUTE, begun).take("ada", begun) == Err(MINUTE), "a limit of nothing");
    }

    /// The most that lie within one window.
    fn most_within(taken: &[Duration], window: Duration) -> usize {
        let from = |first: usize| taken[first..].iter().take_while(|at| **at < taken[first] + window).count();
        (0..taken.len()).map(from).max().unwrap_or_default()
    }

    proptest! {
        #[test]
        fn no_window_ever_holds_more_than_the_limit(
            most in 1_u32..20,
            window in 1_000_u64..100_000,
            steps in prop::collection::vec(0_u64..5_000, 1..300),
        ) {
            let (begun, window) = (Instant::now(), Duration::from_millis(window));
            let windows = Windows::new(most, window, begun);
            let mut now = Duration::ZERO;
            let mut taken = Vec::new();
            for step in steps {
                now += Duration::from_millis(step);
                if windows.take("ada", begun + now).is_ok() {
                    taken.push(now);
                }
            }
            prop_assert!(most_within(&taken, window) <= most as usize);
        }
    }
}
