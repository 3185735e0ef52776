//! The test kit: disturbs every step of a flow in every way, and compares the end with an undisturbed run.
//!
//! A test gives a [`Bench`]: how to begin one run in a fresh corner of the world, and how to write down all that it
//! left behind. The kit takes the points from the flow's own list of steps, so a step that is added is tested.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use sqlx::PgPool;
use strum::IntoEnumIterator;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::faults::{Faults, Injected, Moment};
use super::flow::{Flow, Registry};
use super::nudge::Nudge;
use super::runner::{Options, Runner};
use crate::db::{operations, steps};
use crate::domain::{Code, Error};

/// The longest time for one run.
const PATIENCE: Duration = Duration::from_secs(60);

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
    /// Queues a failed operation again, as a person would.
    fn retry(&self, operation: Uuid) -> impl Future<Output = ()>;
    /// Writes down all that a run left behind, without ids, times and evidence of faults: equal runs give equal dumps.
    fn dump(&self, operation: Uuid) -> impl Future<Output = Value>;
}

/// What is done to a step.
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
}

impl Disturbance {
    /// Every disturbance.
    pub const ALL: [Self; 6] =
        [Self::KillBefore, Self::KillAfterEffect, Self::KillAfterRecord, Self::Fail, Self::Repeat, Self::Overtake];

    fn moment(self) -> Moment {
        match self {
            Self::KillBefore | Self::Fail => Moment::Before,
            Self::KillAfterEffect | Self::Repeat | Self::Overtake => Moment::AfterEffect,
            Self::KillAfterRecord => Moment::AfterRecord,
        }
    }

    fn injected(self, gate: &Arc<Notify>) -> Injected {
        match self {
            Self::KillBefore | Self::KillAfterEffect | Self::KillAfterRecord => Injected::Kill,
            Self::Fail => Injected::Fail(Error::new(Code::VendorRejected, "refused by the test")),
            Self::Repeat => Injected::Repeat,
            Self::Overtake => Injected::Hold(Arc::clone(gate)),
        }
    }
}

/// Outcomes by step and disturbance.
pub type Matrix = BTreeMap<(usize, Disturbance), String>;

/// Runs a flow undisturbed and gives what it left behind.
///
/// # Panics
/// When the run does not succeed.
pub async fn undisturbed(bench: &impl Bench) -> Value {
    let operation = bench.submit().await;
    let worker = Worker::start(bench, Faults::none());
    assert_eq!(ended(bench, operation).await, "succeeded", "an undisturbed run succeeds");
    worker.stop().await;
    bench.dump(operation).await
}

/// Disturbs every step of a flow in the given ways, one run each, and compares each end with `expected`.
///
/// # Panics
/// When an end differs.
pub async fn disturb(bench: &impl Bench, ways: &[Disturbance], expected: &Value) -> Matrix {
    let mut matrix = Matrix::new();
    for (ordinal, step) in bench.flow().step_names().into_iter().enumerate() {
        for way in ways {
            let outcome = disturb_one(bench, step, *way, expected).await;
            matrix.insert((ordinal, *way), outcome.to_owned());
        }
    }
    matrix
}

async fn disturb_one(bench: &impl Bench, step: &'static str, way: Disturbance, expected: &Value) -> &'static str {
    let case = format!("{} {step} {way:?}", bench.flow().kind());
    let gate = Arc::new(Notify::new());
    let (faults, fired) = once(step, way, &gate);
    let operation = bench.submit().await;
    let first = Worker::start(bench, faults);
    let outcome = match way {
        Disturbance::KillBefore | Disturbance::KillAfterEffect | Disturbance::KillAfterRecord => {
            first.killed(&case).await;
            finish_by_another(bench, operation, &case).await;
            "resumed, same end"
        }
        Disturbance::Fail => {
            assert_eq!(ended(bench, operation).await, "failed", "{case}");
            first.stop().await;
            bench.retry(operation).await;
            finish_by_another(bench, operation, &case).await;
            "failed, retried there, same end"
        }
        Disturbance::Repeat => {
            assert_eq!(ended(bench, operation).await, "succeeded", "{case}");
            first.stop().await;
            "nothing doubled"
        }
        Disturbance::Overtake => {
            eventually(&case, async || fired.load(Ordering::SeqCst)).await;
            finish_by_another(bench, operation, &case).await;
            gate.notify_one();
            first.stop().await;
            "fenced out, same end"
        }
    };
    assert!(fired.load(Ordering::SeqCst), "{case}: the step was not reached");
    let left = bench.dump(operation).await;
    assert_eq!(&left, expected, "{case}: another end than an undisturbed run\n{left:#}\n{expected:#}");
    outcome
}

/// Fires one disturbance at the first passage of its point.
fn once(step: &'static str, way: Disturbance, gate: &Arc<Notify>) -> (Faults, Arc<AtomicBool>) {
    let (fired, gate) = (Arc::new(AtomicBool::new(false)), Arc::clone(gate));
    let flag = Arc::clone(&fired);
    let faults = Faults::script(move |point| {
        let here = point.step == step && point.moment == way.moment() && !point.undo;
        if here && !flag.swap(true, Ordering::SeqCst) { way.injected(&gate) } else { Injected::Nothing }
    });
    (faults, fired)
}

async fn finish_by_another(bench: &impl Bench, operation: Uuid, case: &str) {
    operations::lapse(&bench.pool()).await.unwrap_or_else(|error| panic!("{case}: {}", error.chain()));
    let second = Worker::start(bench, Faults::none());
    assert_eq!(ended(bench, operation).await, "succeeded", "{case}");
    second.stop().await;
}

/// Waits until an operation has ended and gives its status.
///
/// # Panics
/// When it does not end in time.
pub async fn ended(bench: &impl Bench, operation: Uuid) -> String {
    let pool = bench.pool();
    let begun = Instant::now();
    loop {
        let found = operations::find(&pool, operation).await.unwrap_or_else(|error| panic!("{}", error.chain()));
        let found = found.unwrap_or_else(|| panic!("the operation {operation} is gone"));
        if matches!(found.status.as_str(), "succeeded" | "failed" | "cancelled") {
            return found.status;
        }
        if begun.elapsed() > PATIENCE {
            let steps = steps::list(&pool, operation).await.unwrap_or_default();
            panic!("{} is still {} after {PATIENCE:?}: {steps:?}", found.kind, found.status);
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn eventually(case: &str, mut holds: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !holds().await {
        assert!(begun.elapsed() < PATIENCE, "{case}: nothing happened within {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A runner in this process.
pub struct Worker {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Worker {
    /// Starts a runner over a bench's world. It never renews its leases, so that a test decides when they lapse.
    pub fn start(bench: &impl Bench, faults: Faults) -> Self {
        let options = Options {
            concurrency: 4,
            lease: Duration::from_secs(600),
            heartbeat: Duration::from_secs(300),
            poll: Duration::from_millis(50),
            grace: Duration::from_secs(5),
            backoff_first: Duration::from_millis(5),
            backoff_most: Duration::from_millis(50),
            faults,
            ..Options::default()
        };
        let runner = Runner::new(bench.pool(), bench.registry(), Nudge::default(), options);
        let stop = CancellationToken::new();
        let token = stop.clone();
        Self { stop, task: tokio::spawn(async move { runner.run(token).await }) }
    }

    /// Stops it in good order.
    ///
    /// # Panics
    /// When it does not stop, or has panicked.
    pub async fn stop(self) {
        self.stop.cancel();
        let joined = tokio::time::timeout(PATIENCE, self.task).await;
        assert!(matches!(joined, Ok(Ok(()))), "the runner did not stop: {joined:?}");
    }

    async fn killed(self, case: &str) {
        let joined = tokio::time::timeout(PATIENCE, self.task).await;
        assert!(matches!(joined, Ok(Ok(()))), "{case}: the failpoint did not kill the runner: {joined:?}");
    }
}

/// Writes a matrix as a Markdown table.
pub fn table(flow: &Flow, matrix: &Matrix) -> String {
    let mut text = format!("## `{}` version {}\n\n", flow.kind, flow.version);
    text.push_str("| step | killed before | killed during | killed after | fails | done twice | overtaken |\n");
    text.push_str("|---|---|---|---|---|---|---|\n");
    for (ordinal, step) in flow.steps.iter().enumerate() {
        let _ = write!(text, "| {}", step.name);
        for way in Disturbance::ALL {
            let outcome = matrix.get(&(ordinal, way)).map_or("not tested", String::as_str);
            let _ = write!(text, " | {outcome}");
        }
        text.push_str(" |\n");
    }
    text
}

/// Every point of a flow at which [`super::faults::VARIABLE`] can abort a process, forward only.
pub fn points(flow: &Flow) -> Vec<String> {
    let of = |step: &str| Moment::iter().map(|moment| format!("{}.{step}.{moment}", flow.kind)).collect::<Vec<_>>();
    flow.steps.iter().flat_map(|step| of(step.name)).collect()
}
