//! What containers print, kept in memory, with a signal for those who follow.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use tokio::sync::watch;

use super::clock;

const KEPT: usize = 2000;

/// One line of output.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) number: u64,
    pub(crate) time: String,
    /// What the container wrote, which may be no text at all.
    pub(crate) bytes: Bytes,
}

/// The output of every container.
pub(crate) struct Logs {
    lines: Mutex<HashMap<(String, String), VecDeque<Line>>>,
    count: watch::Sender<u64>,
}

impl Default for Logs {
    fn default() -> Self {
        Self { lines: Mutex::default(), count: watch::Sender::new(0) }
    }
}

impl Logs {
    /// Adds a line to the output of a pod's container.
    pub(crate) fn print(&self, pod: &str, container: &str, line: impl Into<Bytes>) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let number = *self.count.borrow() + 1;
        let kept = lines.entry((pod.to_owned(), container.to_owned())).or_default();
        kept.push_back(Line { number, time: clock::now_micros(), bytes: line.into() });
        if kept.len() > KEPT {
            kept.pop_front();
        }
        drop(lines);
        self.count.send_modify(|count| *count = number.max(*count));
    }

    /// The lines of a container after a line number.
    pub(crate) fn after(&self, pod: &str, container: &str, number: u64) -> Vec<Line> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = lines.get(&(pod.to_owned(), container.to_owned()));
        kept.into_iter().flatten().filter(|line| line.number > number).cloned().collect()
    }

    /// Forgets a pod's output.
    pub(crate) fn forget(&self, pod: &str) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.retain(|(uid, _), _| uid != pod);
    }

    /// Changes with every line.
    pub(crate) fn news(&self) -> watch::Receiver<u64> {
        self.count.subscribe()
    }
}
