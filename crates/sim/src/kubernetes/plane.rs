//! What the network knows: which pods are behind a Service, a while after the API has said so, and which of them have
//! stopped to listen. As on a real cluster, a pod is told to end while requests still find their way to it.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The network of the cluster.
#[derive(Default)]
pub(crate) struct Plane(Mutex<Known>);

#[derive(Default)]
struct Known {
    /// The ready pods of each Service, by namespace and name, since when.
    services: HashMap<(String, String), Service>,
    /// The pods, by uid, whose containers have ended.
    ended: HashSet<String>,
}

#[derive(Default)]
struct Service {
    told: VecDeque<(Instant, Vec<String>)>,
    turn: usize,
}

impl Plane {
    /// Takes note of the ready pods of a Service.
    pub(crate) fn tell(&self, namespace: &str, service: &str, ready: Vec<String>) {
        let mut known = self.lock();
        let service = known.services.entry((namespace.to_owned(), service.to_owned())).or_default();
        if service.told.back().is_none_or(|(_, pods)| *pods != ready) {
            service.told.push_back((Instant::now(), ready));
        }
    }

    /// The pod whose turn it is behind a Service, by what was known `lag` ago.
    pub(crate) fn next(&self, namespace: &str, service: &str, lag: Duration) -> Option<String> {
        let mut known = self.lock();
        let service = known.services.get_mut(&(namespace.to_owned(), service.to_owned()))?;
        let now = Instant::now();
        while service.told.get(1).is_some_and(|(at, _)| *at + lag <= now) {
            service.told.pop_front();
        }
        let (_, pods) = service.told.front().filter(|(at, _)| *at + lag <= now)?;
        if pods.is_empty() {
            return None;
        }
        let turn = service.turn % pods.len();
        service.turn = service.turn.wrapping_add(1);
        pods.get(turn).cloned()
    }

    /// Says that the containers of a pod have ended: whoever connects to it is refused.
    pub(crate) fn end(&self, uid: &str) {
        self.lock().ended.insert(uid.to_owned());
    }

    /// Forgets a pod that is gone.
    pub(crate) fn forget(&self, uid: &str) {
        self.lock().ended.remove(uid);
    }

    /// Whether nothing in a pod listens any more.
    pub(crate) fn has_ended(&self, uid: &str) -> bool {
        self.lock().ended.contains(uid)
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_network_learns_later_than_the_api_says() {
        let (plane, lag) = (Plane::default(), Duration::from_millis(100));
        let next = || plane.next("n", "web", lag);
        plane.tell("n", "web", vec!["a".to_owned()]);
        assert_eq!(next(), None);
        tokio::time::advance(lag).await;
        assert_eq!(next().as_deref(), Some("a"));
        plane.tell("n", "web", vec!["b".to_owned(), "c".to_owned()]);
        assert_eq!(next().as_deref(), Some("a"));
        tokio::time::advance(lag).await;
        let mut both = [next(), next()];
        both.sort();
        assert_eq!(both, [Some("b".to_owned()), Some("c".to_owned())]);
    }
}
