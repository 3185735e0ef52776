//! Every step, disturbed on its way forward.

use std::sync::Arc;

use serde_json::Value;

use super::{Bench, Disturbance, Matrix, Trap, Worker, ended, eventually, faults, finish_by_another, lapse, share};
use crate::workflow::faults::Faults;

/// Disturbs every step of a flow in the given ways, one run each, and compares each end with `expected`. The worlds
/// share the runs between them. A flow that cannot be ended by a person is not disturbed that way.
///
/// # Panics
/// When an end differs.
pub async fn disturb<B: Bench>(worlds: &[B], ways: &[Disturbance], expected: &Value) -> Matrix {
    let Some(world) = worlds.first() else { return Matrix::new() };
    let flow = world.flow();
    let ways = ways.iter().filter(|way| **way != Disturbance::Cancel || flow.cancellable());
    let ways: Vec<Disturbance> = ways.copied().collect();
    let nothing = if ways.contains(&Disturbance::Cancel) { never_begun(world).await } else { Value::Null };
    let steps = flow.step_names().into_iter().enumerate();
    let runs = runs(&ways);
    let cases = steps.flat_map(|step| runs.iter().map(move |run| (step, run.clone()))).collect();
    let outcomes = share(worlds, cases, async |world, ((ordinal, step), run)| {
        let outcome = match run.as_slice() {
            [Disturbance::Cancel] => end_during(world, step, &nothing).await,
            [way] if !way.kills() => disturb_one(world, step, *way, expected).await,
            kills => kill_in_turn(world, step, kills, expected).await,
        };
        run.into_iter().map(move |way| ((ordinal, way), outcome))
    });
    outcomes.await.into_iter().flatten().collect()
}

/// What is done to a step in one run: all kills, one worker after the other, and every other disturbance by itself.
pub(super) fn runs(ways: &[Disturbance]) -> Vec<Vec<Disturbance>> {
    let (kills, others): (Vec<_>, Vec<_>) = ways.iter().partition(|way| way.kills());
    let others = others.into_iter().map(|way| vec![way]);
    Some(kills).filter(|kills| !kills.is_empty()).into_iter().chain(others).collect()
}

/// Kills one worker after the other in the step.
async fn kill_in_turn(bench: &impl Bench, step: &'static str, kills: &[Disturbance], expected: &Value) -> &'static str {
    let operation = bench.submit().await;
    for way in kills {
        let case = format!("{} {step} {way:?}", bench.flow().kind());
        kill(bench, Arc::new(Trap::new(step, *way, false)), &case).await;
    }
    let case = format!("{} {step} {kills:?}", bench.flow().kind());
    finish_by_another(bench, operation, "succeeded", &case).await;
    let left = bench.dump(operation).await;
    assert_eq!(&left, expected, "{case}: another end than an undisturbed run\n{left:#}\n{expected:#}");
    "resumed, same end"
}

/// Lets a worker run into a trap that kills it.
pub(super) async fn kill(bench: &impl Bench, trap: Arc<Trap>, case: &str) {
    lapse(bench, case).await;
    Worker::start(bench, faults(&[&trap])).killed(case).await;
    assert!(trap.fired(), "{case}: the step was not reached");
}

/// What is left of a run that was ended before its first step.
pub(super) async fn never_begun(bench: &impl Bench) -> Value {
    let operation = bench.submit().await;
    bench.cancel(operation).await;
    let worker = Worker::start(bench, Faults::none());
    assert_eq!(ended(bench, operation).await, "cancelled", "a run that was ended before it began");
    worker.stop().await;
    bench.residue(operation).await
}

async fn disturb_one(bench: &impl Bench, step: &'static str, way: Disturbance, expected: &Value) -> &'static str {
    let case = format!("{} {step} {way:?}", bench.flow().kind());
    let trap = Arc::new(Trap::new(step, way, false));
    let operation = bench.submit().await;
    let first = Worker::start(bench, faults(&[&trap]));
    let outcome = match way {
        Disturbance::Fail => {
            assert_eq!(ended(bench, operation).await, "failed", "{case}");
            first.stop().await;
            bench.retry(operation).await;
            finish_by_another(bench, operation, "succeeded", &case).await;
            "failed, retried there, same end"
        }
        Disturbance::Overtake => {
            eventually(&case, async || trap.fired()).await;
            finish_by_another(bench, operation, "succeeded", &case).await;
            trap.release();
            first.stop().await;
            "fenced out, same end"
        }
        _ => {
            assert_eq!(ended(bench, operation).await, "succeeded", "{case}");
            first.stop().await;
            "nothing doubled"
        }
    };
    assert!(trap.fired(), "{case}: the step was not reached");
    let left = bench.dump(operation).await;
    assert_eq!(&left, expected, "{case}: another end than an undisturbed run\n{left:#}\n{expected:#}");
    outcome
}

/// Ends the operation while the step is at work.
async fn end_during(bench: &impl Bench, step: &'static str, nothing: &Value) -> &'static str {
    let case = format!("{} {step} Cancel", bench.flow().kind());
    let trap = Arc::new(Trap::new(step, Disturbance::Cancel, false));
    let operation = bench.submit().await;
    let worker = Worker::start(bench, faults(&[&trap]));
    eventually(&case, async || trap.fired()).await;
    bench.cancel(operation).await;
    trap.release();
    assert_eq!(ended(bench, operation).await, "cancelled", "{case}");
    worker.stop().await;
    let left = bench.residue(operation).await;
    assert_eq!(&left, nothing, "{case}: something is left\n{left:#}\n{nothing:#}");
    "taken back, nothing left"
}
