//! The hub: finds or makes the cohort of a subscription.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::mpsc;

use super::cohort::{Cohort, Command, Commands, Fetch, Subscriber, Wake};
use super::feed::{ChangeFeed, Coverage};
use crate::metadata::QualifiedName;

/// How live queries are kept up to date.
#[derive(Debug, Clone)]
pub struct HubOptions {
    /// How often to look where the change feed covers all tables, in case a hint was lost.
    pub safety_poll: Duration,
    /// How often to look where it does not, as Hasura does.
    pub poll: Duration,
}

impl Default for HubOptions {
    fn default() -> Self {
        Self { safety_poll: Duration::from_secs(30), poll: Duration::from_secs(1) }
    }
}

/// A subscription that was planned.
pub struct Plan<F: Fetch> {
    /// Equal for subscriptions that one statement can fetch: metadata version, role, operation, shape of variables.
    pub cohort: String,
    /// Equal for subscriptions of a cohort that get equal answers.
    pub key: String,
    /// The tables and views that it reads; `None` when they are not known (it calls functions).
    pub relations: Option<Vec<QualifiedName>>,
    /// Fetches the cohort.
    pub fetch: Arc<F>,
    /// This one.
    pub member: F::Member,
}

type Sender<F> = mpsc::UnboundedSender<Command<<F as Fetch>::Member>>;

type Cohorts<F> = Arc<Mutex<HashMap<String, Sender<F>>>>;

/// All subscriptions that are fetched alike.
pub struct Hub<F: Fetch> {
    feed: ChangeFeed,
    coverage: RwLock<Coverage>,
    cohorts: Cohorts<F>,
    next_id: AtomicU64,
    options: HubOptions,
}

/// A running subscription; it ends when this is dropped.
pub struct Subscription {
    leave: Box<dyn Fn() + Send + Sync>,
}

impl Drop for Subscription {
    fn drop(&mut self) {
        (self.leave)();
    }
}

impl<F: Fetch> Hub<F> {
    /// A hub that listens to `feed`.
    pub fn new(feed: ChangeFeed, options: HubOptions) -> Self {
        Self {
            feed,
            coverage: RwLock::default(),
            cohorts: Cohorts::<F>::default(),
            next_id: AtomicU64::new(1),
            options,
        }
    }

    /// Which tables the feed covers from now on. Cohorts that run keep what they were started with.
    pub fn set_coverage(&self, coverage: Coverage) {
        *self.coverage.write().unwrap_or_else(PoisonError::into_inner) = coverage;
    }

    /// How many cohorts run.
    pub fn cohorts(&self) -> usize {
        self.cohorts.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Starts a subscription: the first answer comes at once, then one whenever it has changed.
    pub fn subscribe(&self, plan: Plan<F>, subscriber: Arc<dyn Subscriber<F::Member>>) -> Subscription {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let mut cohorts = self.cohorts.lock().unwrap_or_else(PoisonError::into_inner);
        let cohort = match cohorts.get(&plan.cohort) {
            Some(cohort) if !cohort.is_closed() => cohort.clone(),
            _ => {
                let cohort = self.start(&plan);
                cohorts.insert(plan.cohort.clone(), cohort.clone());
                cohort
            }
        };
        // Sent under the lock, so that a cohort cannot end between being found and being joined.
        let _ = cohort.send(Command::Join { id, key: plan.key, member: plan.member, subscriber });
        let leave = move || {
            // The cohort may have ended already.
            let _ = cohort.send(Command::Leave { id });
        };
        Subscription { leave: Box::new(leave) }
    }

    fn start(&self, plan: &Plan<F>) -> Sender<F> {
        let tables = plan
            .relations
            .as_ref()
            .and_then(|relations| self.coverage.read().unwrap_or_else(PoisonError::into_inner).of(relations));
        let poll = if tables.is_some() { self.options.safety_poll } else { self.options.poll };
        // Without coverage the engine's own mutations still wake it.
        let tables = tables.or_else(|| plan.relations.as_ref().map(|relations| relations.iter().cloned().collect()));
        // The feed is listened to before the first fetch: no change falls between.
        let wake = Wake { changes: self.feed.subscribe(), tables, poll };
        let (sender, receiver) = mpsc::unbounded_channel();
        let (cohorts, name) = (self.cohorts.clone(), plan.cohort.clone());
        let idle = move |commands: &Commands<F::Member>| {
            // Joins are sent under this lock: one that is under way is in the queue now.
            let mut cohorts = cohorts.lock().unwrap_or_else(PoisonError::into_inner);
            let nobody = commands.is_empty();
            if nobody {
                cohorts.remove(&name);
            }
            nobody
        };
        let cohort = Cohort::new(plan.fetch.clone(), wake);
        tokio::spawn(cohort.run(receiver, idle));
        sender
    }
}
