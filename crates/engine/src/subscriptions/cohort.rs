//! A cohort: the subscriptions of one role to one operation, fetched together.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::{Duration, Instant};

use indexmap::IndexMap;
use tokio::sync::{broadcast, mpsc};

use super::feed::Change;
use super::pace::Pace;
use crate::error::{ErrorCode, GraphqlError, Result};
use crate::metadata::QualifiedName;
use crate::outbound::caller::Pending;

/// Members that one statement fetches.
const BATCH: usize = 500;
/// A failing member is tried again after this time.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// Tells a member of a cohort from the others: members of one key get one answer.
pub type Key = Arc<str>;

/// A member whose answer is asked for.
pub struct Asked<M> {
    /// Which one.
    pub key: Key,
    /// What its answer depends on.
    pub member: M,
}

/// One member's answer.
#[derive(Clone)]
pub struct Fetched<M> {
    /// Whose it is.
    pub key: Key,
    /// The whole GraphQL answer, `{"data": ...}`.
    pub answer: Arc<str>,
    /// Of a stream: the member with the cursor moved on, when there were rows. `None` for live queries, and for
    /// streams without new rows.
    pub moved: Option<M>,
}

/// Fetches many members in one statement.
pub trait Fetch: Send + Sync + 'static {
    /// What tells the members of a cohort apart: variables and session, as the plan needs them. For streams the
    /// cursor is part of it.
    type Member: Clone + Send + Sync + 'static;

    /// The answers of the members, by their keys.
    fn fetch<'a>(&'a self, asked: Vec<Asked<Self::Member>>) -> Pending<'a, Result<Vec<Fetched<Self::Member>>>>;

    /// Whether this is a stream: each member stands alone, and an answer without rows is not sent.
    fn is_stream(&self) -> bool {
        false
    }
}

/// Who receives results.
pub trait Subscriber<M>: Send + Sync {
    /// A new answer. A live query's replaces one that still waits; a stream's comes with the member moved on.
    fn answer(&self, answer: &Arc<str>, moved: Option<&M>);
    /// The subscription could not be started; nothing follows.
    fn refused(&self, error: &GraphqlError);
    /// Whether it takes another answer now. Streams wait until it does, live queries do not ask.
    fn is_ready(&self) -> bool {
        true
    }
}

/// What a cohort is told.
pub(super) enum Command<M> {
    Join { id: u64, key: String, member: M, subscriber: Arc<dyn Subscriber<M>> },
    Leave { id: u64 },
}

pub(super) type Commands<M> = mpsc::UnboundedReceiver<Command<M>>;

/// What wakes a cohort.
pub(super) struct Wake {
    /// Hints of the change feed.
    pub changes: broadcast::Receiver<Change>,
    /// The tables whose changes concern it; `None` when the feed does not cover them.
    pub tables: Option<HashSet<QualifiedName>>,
    /// How often to look without a hint.
    pub poll: Duration,
}

/// One distinct set of variables with those who wait for it.
struct Entry<M> {
    member: M,
    digest: Option<u64>,
    subscribers: HashMap<u64, (Arc<dyn Subscriber<M>>, Started)>,
    due: bool,
    failing: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Started {
    No,
    Yes,
}

pub(super) struct Cohort<F: Fetch> {
    fetch: Arc<F>,
    wake: Wake,
    entries: IndexMap<Key, Entry<F::Member>>,
    /// Whose subscription is in which entry.
    homes: HashMap<u64, Key>,
    pace: Pace,
    hasher: RandomState,
}

impl<F: Fetch> Cohort<F> {
    pub fn new(fetch: Arc<F>, wake: Wake) -> Self {
        Self {
            fetch,
            wake,
            entries: IndexMap::new(),
            homes: HashMap::new(),
            pace: Pace::default(),
            hasher: RandomState::new(),
        }
    }

    /// Serves until nobody is left and `idle` agrees that nobody comes.
    pub async fn run(mut self, mut commands: Commands<F::Member>, idle: impl Fn(&Commands<F::Member>) -> bool) {
        let mut next_poll = Instant::now() + self.wake.poll;
        let mut fetch_at: Option<Instant> = None;
        loop {
            let wake_at = fetch_at.map_or(next_poll, |at| at.min(next_poll));
            tokio::select! {
                biased;
                command = commands.recv() => match command {
                    Some(Command::Join { id, key, member, subscriber }) => {
                        self.join(id, key, member, subscriber);
                        // New members are fetched at once, together with those who come in the same moment.
                        let soon = Instant::now() + Duration::from_millis(1);
                        fetch_at = Some(fetch_at.map_or(soon, |at| at.min(soon)));
                    }
                    Some(Command::Leave { id }) => {
                        self.leave(id);
                        if self.entries.is_empty() && idle(&commands) {
                            return;
                        }
                    }
                    None => return,
                },
                change = self.wake.changes.recv() => {
                    if self.concerns(change) && !self.entries.is_empty() {
                        self.entries.values_mut().for_each(|entry| entry.due = true);
                        let then = Instant::now() + self.pace.window();
                        fetch_at = Some(fetch_at.map_or(then, |at| at.min(then)));
                    }
                }
                () = tokio::time::sleep_until(wake_at.into()) => {
                    if next_poll <= Instant::now() {
                        next_poll = Instant::now() + self.wake.poll;
                        self.entries.values_mut().for_each(|entry| entry.due = true);
                    }
                    fetch_at = None;
                    let started = Instant::now();
                    let again = self.fetch_due().await;
                    self.pace.fetched_in(started.elapsed());
                    fetch_at = again.map(|pause| Instant::now() + pause).or(fetch_at);
                }
            }
        }
    }

    fn concerns(&mut self, change: Result<Change, broadcast::error::RecvError>) -> bool {
        match change {
            Ok(Change::Tables(changed)) => match &self.wake.tables {
                Some(tables) => changed.iter().any(|table| tables.contains(table)),
                None => false,
            },
            Ok(Change::Event(_)) | Err(broadcast::error::RecvError::Closed) => false,
            Ok(Change::Everything) | Err(broadcast::error::RecvError::Lagged(_)) => true,
        }
    }

    fn join(&mut self, id: u64, key: String, member: F::Member, subscriber: Arc<dyn Subscriber<F::Member>>) {
        // Each stream has a cursor of its own.
        let key: Key = if self.fetch.is_stream() { format!("{id}").into() } else { key.into() };
        self.homes.insert(id, key.clone());
        let entry = self.entries.entry(key).or_insert_with(|| Entry {
            member,
            digest: None,
            subscribers: HashMap::new(),
            due: true,
            failing: false,
        });
        entry.subscribers.insert(id, (subscriber, Started::No));
        entry.due = true;
    }

    fn leave(&mut self, id: u64) {
        let Some(key) = self.homes.remove(&id) else { return };
        if let Some(entry) = self.entries.get_mut(&key) {
            entry.subscribers.remove(&id);
            if entry.subscribers.is_empty() {
                self.entries.swap_remove(&key);
            }
        }
    }

    /// What is asked for the members of these keys.
    fn asked(&self, keys: &[Key]) -> Vec<Asked<F::Member>> {
        let asked = |key: &Key| Some(Asked { key: key.clone(), member: self.entries.get(key)?.member.clone() });
        keys.iter().filter_map(asked).collect()
    }

    /// Fetches what is due; gives the pause after which to fetch again, when something is left to do.
    async fn fetch_due(&mut self) -> Option<Duration> {
        let mut again: Option<Duration> = None;
        let mut sooner = |pause: Duration| again = Some(again.map_or(pause, |set| set.min(pause)));
        let mut due: Vec<Key> = Vec::new();
        for (key, entry) in self.entries.iter().filter(|(_, entry)| entry.due) {
            // A stream whose reader is behind waits: its answers may not be left out.
            if self.fetch.is_stream() && !entry.subscribers.values().all(|(subscriber, _)| subscriber.is_ready()) {
                sooner(Duration::from_millis(20));
                continue;
            }
            due.push(key.clone());
        }
        for batch in due.chunks(BATCH) {
            let outcome = self.fetch.fetch(self.asked(batch)).await;
            if outcome.is_ok() || batch.len() == 1 {
                self.settle(batch, outcome).into_iter().for_each(&mut sooner);
                continue;
            }
            // One member's variables may fail the statement for all: each on its own then.
            for one in batch.chunks(1) {
                let outcome = self.fetch.fetch(self.asked(one)).await;
                self.settle(one, outcome).into_iter().for_each(&mut sooner);
            }
        }
        self.entries.retain(|_, entry| !entry.subscribers.is_empty());
        again
    }

    /// Hands what was fetched for these keys to those who wait for it, each answer by its key; gives the pause after
    /// which to fetch again.
    fn settle(&mut self, keys: &[Key], outcome: Result<Vec<Fetched<F::Member>>>) -> Option<Duration> {
        let mut failed = None;
        let mut more = false;
        let mut waiting: HashSet<&Key> = keys.iter().collect();
        match outcome {
            Ok(answers) => {
                for fetched in answers {
                    // What nobody asked for is nobody's.
                    if waiting.remove(&fetched.key) {
                        more |= self.deliver(fetched);
                    }
                }
                if !waiting.is_empty() {
                    failed = Some(GraphqlError::unexpected("a member of a cohort was not answered"));
                }
            }
            Err(error) => failed = Some(error),
        }
        if let Some(error) = &failed {
            waiting.into_iter().for_each(|key| self.fail(key, error));
        }
        match (more, failed) {
            (true, _) => Some(Duration::ZERO),
            (false, Some(_)) => Some(AFTER_FAILURE),
            (false, None) => None,
        }
    }

    /// Sends an answer where it is new; says whether more is to be fetched at once (a stream that had rows).
    fn deliver(&mut self, fetched: Fetched<F::Member>) -> bool {
        let is_stream = self.fetch.is_stream();
        let digest = self.hasher.hash_one(fetched.answer.as_bytes());
        let Some(entry) = self.entries.get_mut(&fetched.key) else { return false };
        entry.due = false;
        entry.failing = false;
        if is_stream {
            let Some(moved) = fetched.moved else {
                entry.subscribers.values_mut().for_each(|(_, started)| *started = Started::Yes);
                return false;
            };
            entry.member = moved;
            entry.due = true;
        }
        let moved = is_stream.then(|| entry.member.clone());
        let changed = is_stream || entry.digest != Some(digest);
        entry.digest = Some(digest);
        for (subscriber, started) in entry.subscribers.values_mut() {
            if changed || *started == Started::No {
                subscriber.answer(&fetched.answer, moved.as_ref());
                *started = Started::Yes;
            }
        }
        is_stream
    }

    /// Tells of a failure: those who wait for their first answer are refused, the others see it as an answer.
    fn fail(&mut self, key: &Key, error: &GraphqlError) {
        let later = GraphqlError::new(ErrorCode::Unexpected, "database query error").to_graphql(false);
        let answer: Arc<str> = serde_json::json!({"data": null, "errors": [later]}).to_string().into();
        let Some(entry) = self.entries.get_mut(key) else { return };
        // It stays due: the next try tells whether it works again.
        entry.due = true;
        entry.digest = None;
        let first = !std::mem::replace(&mut entry.failing, true);
        entry.subscribers.retain(|_, (subscriber, started)| match started {
            Started::No => {
                subscriber.refused(error);
                false
            }
            Started::Yes => {
                if first {
                    subscriber.answer(&answer, None);
                }
                true
            }
        });
    }
}
