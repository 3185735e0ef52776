//! Every undo, disturbed on its way back.

use std::sync::Arc;

use serde_json::Value;
use uuid::Uuid;

use super::disturb::{kill, never_begun, runs};
use super::{Bench, Disturbance, Matrix, Trap, Worker, ended, eventually, faults, finish_by_another, share};

/// Ends a run during its last step, so that all of it is taken back, and disturbs every undo of the flow in every way,
/// one run each. Nothing may be left. The worlds share the runs between them.
///
/// # Panics
/// When something is left.
pub async fn disturb_undo<B: Bench>(worlds: &[B]) -> Matrix {
    let Some(world) = worlds.first() else { return Matrix::new() };
    let flow = world.flow();
    if !flow.cancellable() {
        return Matrix::new();
    }
    let nothing = never_begun(world).await;
    let undone = flow.steps.iter().enumerate().filter(|(_, step)| step.undo.is_some());
    let steps: Vec<_> = undone.map(|(ordinal, step)| (ordinal, step.name)).collect();
    let cases = steps.iter().flat_map(|step| runs(&Disturbance::UNDO).into_iter().map(|run| (*step, run))).collect();
    let outcomes = share(worlds, cases, async |world, ((ordinal, step), run)| {
        let outcome = disturb_one(world, step, &run, &nothing).await;
        run.into_iter().map(move |way| ((ordinal, way), outcome))
    });
    outcomes.await.into_iter().flatten().collect()
}

async fn disturb_one(bench: &impl Bench, step: &'static str, run: &[Disturbance], nothing: &Value) -> &'static str {
    let case = format!("{} {step} {run:?} of its undo", bench.flow().kind());
    let [way, later @ ..] = run else { panic!("{case}: nothing to do") };
    let way = *way;
    let trap = Arc::new(Trap::new(step, way, true));
    let (operation, first) = turned_back(bench, &trap, &case).await;
    let outcome = match way {
        Disturbance::KillBefore | Disturbance::KillAfterEffect | Disturbance::KillAfterRecord => {
            first.killed(&case).await;
            for way in later {
                kill(bench, Arc::new(Trap::new(step, *way, true)), &case).await;
            }
            finish_by_another(bench, operation, "cancelled", &case).await;
            "resumed, nothing left"
        }
        Disturbance::Fail => {
            assert_eq!(ended(bench, operation).await, "failed", "{case}");
            first.stop().await;
            bench.retry(operation).await;
            finish_by_another(bench, operation, "cancelled", &case).await;
            "failed, retried there, nothing left"
        }
        Disturbance::Repeat | Disturbance::Cancel => {
            assert_eq!(ended(bench, operation).await, "cancelled", "{case}");
            first.stop().await;
            "nothing left"
        }
        Disturbance::Overtake => {
            eventually(&case, async || trap.fired()).await;
            finish_by_another(bench, operation, "cancelled", &case).await;
            trap.release();
            first.stop().await;
            "fenced out, nothing left"
        }
    };
    assert!(trap.fired(), "{case}: the undo was not reached");
    let left = bench.residue(operation).await;
    assert_eq!(&left, nothing, "{case}: something is left\n{left:#}\n{nothing:#}");
    outcome
}

/// A run that is being taken back from its last step, by a worker with this trap.
async fn turned_back(bench: &impl Bench, trap: &Arc<Trap>, case: &str) -> (Uuid, Worker) {
    let last = bench.flow().step_names().pop().unwrap_or_else(|| panic!("{case}: a flow has a step"));
    let end = Arc::new(Trap::new(last, Disturbance::Cancel, false));
    let operation = bench.submit().await;
    let worker = Worker::start(bench, faults(&[&end, trap]));
    eventually(case, async || end.fired()).await;
    bench.cancel(operation).await;
    end.release();
    (operation, worker)
}
