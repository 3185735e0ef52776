//! A cohort: the subscriptions of one role to one operation, fetched together.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::{Duration, Instant};

use indexmap::IndexMap;
use tokio::sync::{broadcast, mpsc};

use super::feed::Change;
use super::pace::Pace;
use crate::engine::callers::Pending;
use crate::engine::error::{ErrorCode, GraphqlError};
use crate::engine::metadata::QualifiedName;

/// Members that one statement fetches.
const BATCH: usize = 500;
/// A failing member is tried again after this time.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// What tells the members of a cohort apart: variables and session, as the plan needs them. For streams the cursor
/// is part of it.
pub type Member = Arc<dyn std::any::Any + Send + Sync>;

/// One member's answer.
#[derive(Clone)]
pub struct Fetched {
    /// The whole GraphQL answer, `{"data": ...}`.
    pub answer: Arc<str>,
    /// Of a stream: the member with the cursor moved on, when there were rows. `None` for live queries, and for
    /// streams without new rows.
    pub moved: Option<Member>,
}

/// Fetches many members in one statement.
pub trait Fetch: Send + Sync {
    /// The answers in the order of the members.
    fn fetch<'a>(&'a self, members: Vec<Member>) -> Pending<'a, Result<Vec<Fetched>, GraphqlError>>;

    /// Whether this is a stream: each member stands alone, and an answer without rows is not sent.
    fn is_stream(&self) -> bool {
        false
    }

    /// Of a stream that was planned again: `fresh` at the place where `left` stands.
    ///
    /// # Errors
    /// A cursor that does not fit the new plan.
    fn resume(&self, left: &Member, fresh: Member) -> Result<Member, GraphqlError> {
        let _ = left;
        Ok(fresh)
    }
}

/// Who receives results.
pub trait Subscriber: Send + Sync {
    /// A new answer. A live query's replaces one that still waits; a stream's comes with the member moved on.
    fn answer(&self, answer: &Arc<str>, moved: Option<&Member>);
    /// The subscription could not be started; nothing follows.
    fn refused(&self, error: &GraphqlError);
    /// Whether it takes another answer now. Streams wait until it does, live queries do not ask.
    fn is_ready(&self) -> bool {
        true
    }
}

/// What a cohort is told.
pub(super) enum Command {
    Join { id: u64, key: String, member: Member, subscriber: Arc<dyn Subscriber> },
    Leave { id: u64 },
}

pub(super) type Commands = mpsc::UnboundedReceiver<Command>;

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
struct Entry {
    member: Member,
    digest: Option<u64>,
    subscribers: HashMap<u64, (Arc<dyn Subscriber>, Started)>,
    due: bool,
    failing: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Started {
    No,
    Yes,
}

pub(super) struct Cohort {
    fetch: Arc<dyn Fetch>,
    wake: Wake,
    entries: IndexMap<Arc<str>, Entry>,
    /// Whose subscription is in which entry.
    homes: HashMap<u64, Arc<str>>,
    pace: Pace,
    hasher: RandomState,
}

impl Cohort {
    pub fn new(fetch: Arc<dyn Fetch>, wake: Wake) -> Self {
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
    pub async fn run(mut self, mut commands: Commands, idle: impl Fn(&Commands) -> bool) {
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

    fn join(&mut self, id: u64, key: String, member: Member, subscriber: Arc<dyn Subscriber>) {
        // Each stream has a cursor of its own.
        let key: Arc<str> = if self.fetch.is_stream() { format!("{id}").into() } else { key.into() };
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

    fn at(&self, index: usize) -> Option<&Entry> {
        self.entries.get_index(index).map(|(_, entry)| entry)
    }

    fn at_mut(&mut self, index: usize) -> Option<&mut Entry> {
        self.entries.get_index_mut(index).map(|(_, entry)| entry)
    }

    /// Fetches what is due; gives the pause after which to fetch again, when something is left to do.
    async fn fetch_due(&mut self) -> Option<Duration> {
        let mut again: Option<Duration> = None;
        let mut sooner = |pause: Duration| again = Some(again.map_or(pause, |set| set.min(pause)));
        let due: Vec<usize> = (0..self.entries.len())
            .filter(|index| self.at(*index).is_some_and(|entry| entry.due))
            .filter(|index| {
                // A stream whose reader is behind waits: its answers may not be left out.
                let ready = !self.fetch.is_stream()
                    || self
                        .at(*index)
                        .is_some_and(|entry| entry.subscribers.values().all(|(subscriber, _)| subscriber.is_ready()));
                if !ready {
                    sooner(Duration::from_millis(20));
                }
                ready
            })
            .collect();
        for batch in due.chunks(BATCH) {
            let members: Vec<Member> =
                batch.iter().filter_map(|index| self.at(*index)).map(|entry| entry.member.clone()).collect();
            match self.fetch.fetch(members).await {
                Ok(answers) => {
                    for (index, fetched) in batch.iter().zip(answers) {
                        if self.deliver(*index, fetched) {
                            sooner(Duration::ZERO);
                        }
                    }
                }
                Err(error) if batch.len() == 1 => {
                    batch.iter().for_each(|index| self.fail(*index, &error));
                    sooner(AFTER_FAILURE);
                }
                // One member's variables may fail the statement for all: each on its own then.
                Err(_) => {
                    for index in batch {
                        let Some(member) = self.at(*index).map(|entry| entry.member.clone()) else { continue };
                        match self.fetch.fetch(vec![member]).await.map(|answers| answers.into_iter().next()) {
                            Ok(Some(fetched)) => {
                                if self.deliver(*index, fetched) {
                                    sooner(Duration::ZERO);
                                }
                            }
                            Ok(None) => {}
                            Err(error) => {
                                self.fail(*index, &error);
                                sooner(AFTER_FAILURE);
                            }
                        }
                    }
                }
            }
        }
        self.entries.retain(|_, entry| !entry.subscribers.is_empty());
        again
    }

    /// Sends an answer where it is new; says whether more is to be fetched at once (a stream that had rows).
    fn deliver(&mut self, index: usize, fetched: Fetched) -> bool {
        let is_stream = self.fetch.is_stream();
        let digest = self.hasher.hash_one(fetched.answer.as_bytes());
        let Some(entry) = self.at_mut(index) else { return false };
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
    fn fail(&mut self, index: usize, error: &GraphqlError) {
        let later = GraphqlError::new(ErrorCode::Unexpected, "database query error").to_graphql(false);
        let answer: Arc<str> = serde_json::json!({"data": null, "errors": [later]}).to_string().into();
        let Some(entry) = self.at_mut(index) else { return };
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
