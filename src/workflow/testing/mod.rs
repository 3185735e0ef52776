//! The test kit: disturbs every step of a flow in every way, and compares the end with an undisturbed run.
//!
//! A test gives a [`Bench`]: how to begin one run in a fresh corner of the world, and how to write down all that it
//! left behind. The kit takes the points from the flow's own list of steps, so a step that is added is tested.

mod disturb;
mod table;
mod undo;
mod worker;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use sqlx::PgPool;
use tokio::sync::Notify;
use uuid::Uuid;

use super::faults::{Faults, Injected, Moment, Point};
use super::flow::{Flow, Registry};
use crate::db::{claims, operations, steps};
use crate::domain::{Code, Error};

pub use disturb::disturb;
pub use table::{table, undo_table};
pub use undo::disturb_undo;
pub use worker::Worker;

/// The longest time for one run.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often something that is waited for is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// One flow in a world of its own. The kit's runner is the only one on the world's database.
pub trait Bench: Sync {
    /// The flow under test.
    fn flow(&self) -> Arc<Flow>;
    /// The flows that the runner knows.
    fn registry(&self) -> Registry;
    /// The world's database.
    fn pool(&self) -> PgPool;
    /// Begins a run about a new subject; gives the operation.
    fn submit(&self) -> impl Future<Output = Uuid>;
    /// Queues a failed operation again, as a person would, in the direction in which it failed.
    fn retry(&self, operation: Uuid) -> impl Future<Output = ()>;
    /// Asks for an operation's end, as a person would.
    fn cancel(&self, operation: Uuid) -> impl Future<Output = ()>;
    /// Writes down all that a run left behind, without ids, times and evidence of faults: equal runs give equal dumps.
    fn dump(&self, operation: Uuid) -> impl Future<Output = Value>;
    /// Writes down what is left of a run that was taken back, likewise, whatever it had done before.
    fn residue(&self, operation: Uuid) -> impl Future<Output = Value>;
}

/// What is done to a step, or to its undo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Disturbance {
    /// The worker is killed before the step's effect.
    KillBefore,
    /// The worker is killed between the effect and its record.
    KillAfterEffect,
    /// The worker is killed after the record.
    KillAfterRecord,
    /// The step fails for good, and is retried by a person.
    Fail,
    /// The step's work is done twice.
    Repeat,
    /// The worker stands still in the step, loses its lease, and goes on after another has finished the run.
    Overtake,
    /// A person asks for the operation's end while the step is at work.
    Cancel,
}

impl Disturbance {
    /// Every disturbance of a step.
    pub const ALL: [Self; 7] = [
        Self::KillBefore,
        Self::KillAfterEffect,
        Self::KillAfterRecord,
        Self::Fail,
        Self::Repeat,
        Self::Overtake,
        Self::Cancel,
    ];

    /// Every disturbance of a step's undo: what is being taken back cannot be ended once more.
    pub const UNDO: [Self; 6] =
        [Self::KillBefore, Self::KillAfterEffect, Self::KillAfterRecord, Self::Fail, Self::Repeat, Self::Overtake];

    fn kills(self) -> bool {
        matches!(self, Self::KillBefore | Self::KillAfterEffect | Self::KillAfterRecord)
    }

    fn moment(self) -> Moment {
        match self {
            Self::KillBefore | Self::Fail => Moment::Before,
            Self::KillAfterEffect | Self::Repeat | Self::Overtake | Self::Cancel => Moment::AfterEffect,
            Self::KillAfterRecord => Moment::AfterRecord,
        }
    }

    fn injected(self, gate: &Arc<Notify>) -> Injected {
        match self {
            Self::KillBefore | Self::KillAfterEffect | Self::KillAfterRecord => Injected::Kill,
            Self::Fail => Injected::Fail(Error::new(Code::VendorRejected, "refused by the test")),
            Self::Repeat => Injected::Repeat,
            Self::Overtake | Self::Cancel => Injected::Hold(Arc::clone(gate)),
        }
    }
}

/// Outcomes by step and disturbance.
pub type Matrix = BTreeMap<(usize, Disturbance), &'static str>;

/// Runs a flow undisturbed and gives what it left behind.
///
/// # Panics
/// When the run does not succeed.
pub async fn undisturbed(bench: &impl Bench) -> Value {
    let operation = bench.submit().await;
    let worker = Worker::start(bench, Faults::none());
    let end = ended(bench, operation).await;
    assert_eq!(end, "succeeded", "an undisturbed run: {:?}", steps::list(&bench.pool(), operation).await);
    worker.stop().await;
    bench.dump(operation).await
}

/// Runs each case in one of the worlds, as many at once as there are worlds.
async fn share<B: Bench, C, O>(worlds: &[B], cases: Vec<C>, run: impl AsyncFn(&B, C) -> O) -> Vec<O> {
    let waiting = std::sync::Mutex::new(cases.into_iter());
    let next = || waiting.lock().unwrap_or_else(std::sync::PoisonError::into_inner).next();
    let shares = worlds.iter().map(async |world| {
        let mut outcomes = Vec::new();
        while let Some(case) = next() {
            outcomes.push(run(world, case).await);
        }
        outcomes
    });
    futures::future::join_all(shares).await.into_iter().flatten().collect()
}

/// One point at which one disturbance fires once.
struct Trap {
    gate: Arc<Notify>,
    fired: Arc<AtomicBool>,
    step: &'static str,
    way: Disturbance,
    undo: bool,
}

impl Trap {
    fn new(step: &'static str, way: Disturbance, undo: bool) -> Self {
        Self { gate: Arc::default(), fired: Arc::default(), step, way, undo }
    }

    /// The disturbance at the first passage of its point; nothing elsewhere and later.
    fn at(&self, point: Point<'_>) -> Injected {
        let here = point.step == self.step && point.moment == self.way.moment() && point.undo == self.undo;
        if here && !self.fired.swap(true, Ordering::SeqCst) { self.way.injected(&self.gate) } else { Injected::Nothing }
    }

    fn fired(&self) -> bool {
        self.fired.load(Ordering::SeqCst)
    }

    /// Lets whoever stands still here go on.
    fn release(&self) {
        self.gate.notify_one();
    }
}

/// Faults at several traps.
fn faults(traps: &[&Arc<Trap>]) -> Faults {
    let traps: Vec<_> = traps.iter().map(|trap| Arc::clone(trap)).collect();
    Faults::script(move |point| {
        let armed = traps.iter().map(|trap| trap.at(point));
        armed.into_iter().find(|injected| !matches!(injected, Injected::Nothing)).unwrap_or_default()
    })
}

/// Lets every lease lapse, and another worker bring the operation to its end.
async fn finish_by_another(bench: &impl Bench, operation: Uuid, end: &str, case: &str) {
    lapse(bench, case).await;
    let second = Worker::start(bench, Faults::none());
    assert_eq!(ended(bench, operation).await, end, "{case}");
    second.stop().await;
}

async fn lapse(bench: &impl Bench, case: &str) {
    claims::lapse(&bench.pool()).await.unwrap_or_else(|error| panic!("{case}: {}", error.chain()));
}

/// Waits until an operation has ended and gives the word of its status.
///
/// # Panics
/// When it does not end in time.
pub async fn ended(bench: &impl Bench, operation: Uuid) -> &'static str {
    let pool = bench.pool();
    let begun = Instant::now();
    loop {
        let found = operations::find(&pool, operation).await.unwrap_or_else(|error| panic!("{}", error.chain()));
        let found = found.unwrap_or_else(|| panic!("the operation {operation} is gone"));
        if !found.status.is_open() {
            return found.status.as_str();
        }
        if begun.elapsed() > PATIENCE {
            let steps = steps::list(&pool, operation).await.unwrap_or_default();
            panic!("{} is still {} after {PATIENCE:?}: {steps:?}", found.kind, found.status);
        }
        tokio::time::sleep(LOOK).await;
    }
}

async fn eventually(case: &str, mut holds: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !holds().await {
        assert!(begun.elapsed() < PATIENCE, "{case}: nothing happened within {PATIENCE:?}");
        tokio::time::sleep(LOOK).await;
    }
}
