//! Applications that are to be looked at: each once for all that happens within a moment, and ever more rarely while it
//! does not stay as it is to be.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

/// What happens within that time after the first event is looked at together.
const MOMENT: Duration = Duration::from_millis(100);
/// The rest after the first look that found something.
const FIRST_REST: Duration = Duration::from_secs(1);
const LONGEST_REST: Duration = Duration::from_secs(60);

/// The applications that wait.
#[derive(Debug, Default)]
pub(super) struct Queue {
    due: HashMap<Uuid, Instant>,
    busy: HashSet<Uuid>,
    rests: HashMap<Uuid, Rest>,
}

/// Why an application is left alone for a while.
#[derive(Debug, Clone, Copy)]
struct Rest {
    length: Duration,
    until: Instant,
}

impl Queue {
    /// Something has happened to an application.
    pub fn add(&mut self, application: Uuid, now: Instant) {
        let rested = self.rests.get(&application).map_or(now, |rest| rest.until);
        self.due.entry(application).or_insert((now + MOMENT).max(rested));
    }

    /// How many wait.
    pub fn waiting(&self) -> usize {
        self.due.len()
    }

    /// When the next one is due.
    pub fn next(&self) -> Option<Instant> {
        self.due.iter().filter(|(application, _)| !self.busy.contains(*application)).map(|(_, at)| *at).min()
    }

    /// Takes at most so many that are due, those that wait longest first. They are not taken again until they are
    /// [looked at](Queue::looked_at).
    pub fn take(&mut self, now: Instant, most: usize) -> Vec<Uuid> {
        let due = self.due.iter().filter(|(application, at)| **at <= now && !self.busy.contains(*application));
        let mut due: Vec<(Instant, Uuid)> = due.map(|(application, at)| (*at, *application)).collect();
        due.sort_unstable();
        due.truncate(most);
        let taken: Vec<Uuid> = due.into_iter().map(|(_, application)| application).collect();
        for application in &taken {
            self.due.remove(application);
            self.busy.insert(*application);
        }
        taken
    }

    /// Takes all, for a look at everything.
    pub fn clear(&mut self) {
        self.due.clear();
    }

    /// An application was looked at. One that was not as it is to be is left alone for a while, longer each time.
    pub fn looked_at(&mut self, application: Uuid, well: bool, now: Instant) {
        self.busy.remove(&application);
        if well {
            self.rests.remove(&application);
        } else {
            let before = self.rests.get(&application).filter(|rest| rest.until + LONGEST_REST > now);
            let length = before.map_or(FIRST_REST, |rest| (rest.length * 2).min(LONGEST_REST));
            let until = now + length;
            self.rests.insert(application, Rest { length, until });
            // What has happened meanwhile waits as long.
            if let Some(due) = self.due.get_mut(&application) {
                *due = (*due).max(until);
            }
        }
        self.rests.retain(|_, rest| rest.until + LONGEST_REST > now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happens_within_a_moment_is_looked_at_once() {
        let (mut queue, one, now) = (Queue::default(), Uuid::new_v4(), Instant::now());
        for later in [0, 30, 60, 90] {
            queue.add(one, now + Duration::from_millis(later));
        }
        assert_eq!((queue.waiting(), queue.next()), (1, Some(now + MOMENT)));
        assert!(queue.take(now, 9).is_empty(), "not due yet");
        assert_eq!(queue.take(now + MOMENT, 9), [one]);
        // What happens while it is looked at is looked at afterwards.
        queue.add(one, now + MOMENT);
        assert_eq!((queue.take(now + 3 * MOMENT, 9), queue.next()), (vec![], None));
        queue.looked_at(one, true, now + 3 * MOMENT);
        assert_eq!(queue.take(now + 3 * MOMENT, 9), [one]);
    }

    #[test]
    fn the_longest_waiting_go_first() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        let all: Vec<Uuid> = (0..5).map(|_| Uuid::new_v4()).collect();
        for (place, application) in all.iter().enumerate() {
            queue.add(*application, now + Duration::from_millis(place as u64));
        }
        let later = now + Duration::from_secs(1);
        assert_eq!(queue.take(later, 3), all[..3]);
        assert_eq!(queue.take(later, 3), all[3..]);
    }

    #[test]
    fn an_application_that_does_not_stay_right_is_looked_at_ever_more_rarely() {
        let (mut queue, one) = (Queue::default(), Uuid::new_v4());
        let (mut now, mut rests) = (Instant::now(), Vec::new());
        for _ in 0..9 {
            queue.add(one, now);
            let due = queue.next().unwrap();
            rests.push((due - now).as_millis());
            assert_eq!(queue.take(due, 1), [one]);
            now = due;
            queue.looked_at(one, false, now);
        }
        assert_eq!(rests, [100, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]);
        // A look that finds it well ends that.
        queue.looked_at(one, true, now);
        queue.add(one, now);
        assert_eq!(queue.next(), Some(now + MOMENT));
    }
}
