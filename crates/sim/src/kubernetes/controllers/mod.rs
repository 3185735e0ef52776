//! The controllers' visible effects: one loop that, after each change, brings the touched namespaces a step closer to
//! what their objects ask for. Every step is level-triggered, so a restart simply goes on.

mod autoscale;
mod claim;
mod deployment;
mod events;
mod garbage;
mod gateway;
mod job;
mod kubelet;
mod namespace;
mod pod_status;
mod quota;
mod replicaset;
mod rollout;
mod scheduler;
mod seed;
mod service;
mod stateful;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

pub(crate) use gateway::{covers, gateway_of};
pub(crate) use seed::{NODE, seed};

use super::cluster::Cluster;
use super::json::text;
use super::kinds::{self, KindId};
use super::registry::{self, Part, Writer};
use super::storage::{Key, State};

/// How many rounds of reactions one change may set off before others get a turn.
const ROUNDS: usize = 64;

/// Since when something has been waiting, by the uid of its object and a name.
#[derive(Default)]
struct Book {
    since: HashMap<(String, &'static str), Instant>,
    wakes: HashMap<String, Instant>,
}

/// What a controller sees and uses: one namespace of the store.
pub(super) struct World<'a> {
    state: &'a mut State,
    cluster: &'a Cluster,
    book: &'a mut Book,
    namespace: &'a str,
    now: Instant,
}

impl World<'_> {
    /// Whether `delay` has passed since this was first asked for the object; otherwise asks to be woken then.
    fn due(&mut self, uid: &str, what: &'static str, delay: Duration) -> bool {
        let start = *self.book.since.entry((uid.to_owned(), what)).or_insert(self.now);
        let at = start + delay;
        if at <= self.now {
            return true;
        }
        self.wake(at);
        false
    }

    /// Starts a delay anew.
    fn restart(&mut self, uid: &str, what: &'static str) {
        self.book.since.remove(&(uid.to_owned(), what));
    }

    /// Asks to look at this namespace again at a time.
    fn wake(&mut self, at: Instant) {
        let wake = self.book.wakes.entry(self.namespace.to_owned()).or_insert(at);
        *wake = (*wake).min(at);
    }

    /// The objects of a kind in this namespace.
    fn objects(&self, kind: KindId) -> Vec<(Key, Arc<Value>)> {
        self.state.list(kind, self.namespace).map(|(key, object)| (key.clone(), object.clone())).collect()
    }

    /// Writes a status, if it differs.
    fn put_status(&mut self, key: &Key, mut object: Value, status: Value, who: &str) {
        if let Some(map) = object.as_object_mut() {
            map.insert("status".to_owned(), status);
        }
        let writer = Writer::update(who, key.kind, "status");
        let result = registry::update(self.state, key, object, &writer, Part::Whole);
        self.report(key, result);
    }

    /// Writes an object whole, if it differs.
    fn put(&mut self, key: &Key, object: Value) {
        let writer = Writer::controller(key.kind);
        let result = registry::update(self.state, key, object, &writer, Part::Whole);
        self.report(key, result);
    }

    fn report<T>(&self, key: &Key, result: super::status::ApiResult<T>) {
        if let Err(error) = result {
            tracing::debug!(
                kind = key.kind.kind,
                name = key.name,
                error = error.message,
                "simulated controller: refused"
            );
        }
    }
}

/// Runs the controllers until the cluster stops.
pub(crate) async fn run(cluster: Arc<Cluster>) {
    let mut book = Book::default();
    let mut cursor = None;
    let mut news = cluster.revisions();
    loop {
        news.mark_unchanged();
        cluster.write(|state| turn(state, &cluster, &mut book, &mut cursor));
        let next = book.wakes.values().min().copied();
        let timer = async {
            match next {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            changed = news.changed() => if changed.is_err() { break },
            () = timer => {}
            () = cluster.nudged() => cursor = None,
            () = cluster.stop.cancelled() => break,
        }
    }
}

/// Reacts to all changes since the cursor and to all timers that are due.
fn turn(state: &mut State, cluster: &Cluster, book: &mut Book, cursor: &mut Option<u64>) {
    for _ in 0..ROUNDS {
        let now = Instant::now();
        let News { mut touched, deleted } = news(state, *cursor);
        *cursor = Some(state.revision());
        let due: Vec<String> =
            book.wakes.iter().filter(|(_, at)| **at <= now).map(|(namespace, _)| namespace.clone()).collect();
        for namespace in due {
            book.wakes.remove(&namespace);
            touched.insert(namespace);
        }
        if touched.is_empty() {
            return;
        }
        for namespace in &touched {
            book.wakes.remove(namespace);
            reconcile(&mut World { state: &mut *state, cluster, book: &mut *book, namespace, now });
        }
        if deleted {
            garbage::cluster(state);
        }
    }
    // Too many rounds in one turn: let requests in, and come back at once.
    *cursor = None;
    book.wakes.insert("default".to_owned(), Instant::now());
}

/// What there is to react to.
struct News {
    /// The namespaces whose objects have changed, or may be concerned.
    touched: BTreeSet<String>,
    /// Whether something has gone, and others with it.
    deleted: bool,
}

/// What has changed since a revision; everything counts as changed after a start, or when the history was cut.
fn news(state: &State, since: Option<u64>) -> News {
    let Some(seen) = since.filter(|seen| *seen >= state.floor()) else {
        return News { touched: all_namespaces(state).into_iter().collect(), deleted: true };
    };
    let mut news = News { touched: BTreeSet::new(), deleted: false };
    for change in state.since(seen) {
        news.deleted |= change.deleted;
        match change.key.kind {
            kinds::EVENTS => {}
            kinds::NAMESPACES => {
                news.touched.insert(change.key.name.clone());
            }
            // A bound volume concerns its claim alone.
            kinds::PVS if !text(&change.object, "/spec/claimRef/namespace").is_empty() => {
                news.touched.insert(text(&change.object, "/spec/claimRef/namespace").to_owned());
            }
            // Routes of every namespace may be for a gateway.
            kind if change.key.namespace.is_empty() || kind == kinds::GATEWAYS => {
                news.touched.extend(all_namespaces(state));
            }
            _ => {
                news.touched.insert(change.key.namespace.clone());
            }
        }
    }
    news
}

fn all_namespaces(state: &State) -> Vec<String> {
    state.list(kinds::NAMESPACES, "").map(|(key, _)| key.name.clone()).collect()
}

fn reconcile(world: &mut World<'_>) {
    namespace::reconcile(world);
    garbage::reconcile(world);
    claim::reconcile(world);
    deployment::reconcile(world);
    stateful::reconcile(world);
    job::reconcile(world);
    replicaset::reconcile(world);
    scheduler::reconcile(world);
    kubelet::reconcile(world);
    service::reconcile(world);
    gateway::reconcile(world);
    autoscale::reconcile(world);
    quota::reconcile(world);
}
