//! What waits to be sent on one socket: control frames in order, and of each subscription the latest result only.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use axum::extract::ws::{CloseFrame, Utf8Bytes};
use indexmap::IndexMap;
use tokio::sync::Notify;

/// Something to send.
#[derive(Debug)]
pub(super) enum Outgoing {
    Frame(Utf8Bytes),
    Close(CloseFrame),
    /// End the connection without a close frame.
    Drop,
}

/// What waits to be sent. A slow reader costs at most one result a subscription.
#[derive(Default)]
pub(super) struct Outbox {
    waiting: Mutex<Waiting>,
    filled: Notify,
}

#[derive(Default)]
struct Waiting {
    control: VecDeque<Outgoing>,
    latest: IndexMap<String, Utf8Bytes>,
}

impl Outbox {
    fn with<T>(&self, change: impl FnOnce(&mut Waiting) -> T) -> T {
        let result = change(&mut self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        self.filled.notify_one();
        result
    }

    /// Adds a frame that must not be left out.
    pub fn push(&self, outgoing: Outgoing) {
        self.with(|waiting| waiting.control.push_back(outgoing));
    }

    /// Sets the latest result of a subscription; one that still waits is replaced.
    pub fn set_latest(&self, id: &str, frame: Utf8Bytes) {
        self.with(|waiting| match waiting.latest.get_mut(id) {
            Some(latest) => *latest = frame,
            None => {
                waiting.latest.insert(id.to_owned(), frame);
            }
        });
    }

    /// Whether a result of the subscription still waits.
    pub fn is_waiting(&self, id: &str) -> bool {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).latest.contains_key(id)
    }

    /// Forgets what waits for a subscription.
    pub fn forget(&self, id: &str) {
        self.with(|waiting| waiting.latest.shift_remove(id));
    }

    /// How many control frames wait.
    pub fn backlog(&self) -> usize {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).control.len()
    }

    /// The next thing to send, once there is one.
    pub async fn next(&self) -> Outgoing {
        loop {
            let filled = self.filled.notified();
            let found = {
                let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
                match waiting.control.pop_front() {
                    Some(control) => Some(control),
                    None => waiting.latest.shift_remove_index(0).map(|(_, frame)| Outgoing::Frame(frame)),
                }
            };
            match found {
                Some(outgoing) => return outgoing,
                None => filled.await,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn text(outbox: &Outbox) -> String {
        match outbox.next().await {
            Outgoing::Frame(frame) => frame.to_string(),
            other => format!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn only_the_latest_result_of_a_subscription_waits() {
        let outbox = Outbox::default();
        outbox.set_latest("a", "a1".into());
        outbox.set_latest("b", "b1".into());
        outbox.set_latest("a", "a2".into());
        outbox.push(Outgoing::Frame("ka".into()));
        assert!(outbox.is_waiting("a"));
        assert_eq!((text(&outbox).await.as_str(), text(&outbox).await.as_str()), ("ka", "a2"));
        outbox.forget("b");
        assert!(!outbox.is_waiting("b"));
        outbox.push(Outgoing::Frame("end".into()));
        assert_eq!(text(&outbox).await, "end");
    }
}
