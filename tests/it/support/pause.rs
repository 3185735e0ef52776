//! A worker that stands still in mid-step.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use northstack::workflow::Faults;
use northstack::workflow::faults::{Injected, Moment};
use tokio::sync::Notify;

/// A worker stands still after a step's effect, the first time that it comes there, until it is told to go on.
#[derive(Clone)]
pub struct Pause {
    step: &'static str,
    reached: Arc<AtomicBool>,
    gate: Arc<Notify>,
}

impl Pause {
    /// One pause, and the faults to start the worker with.
    pub fn after(step: &'static str) -> (Self, Faults) {
        let ([pause], faults) = Self::after_each([step]);
        (pause, faults)
    }

    /// A pause in each of several steps.
    pub fn after_each<const N: usize>(steps: [&'static str; N]) -> ([Self; N], Faults) {
        let pauses = steps.map(|step| Self { step, reached: Arc::default(), gate: Arc::default() });
        let here = pauses.clone();
        let faults = Faults::script(move |point| {
            let forward = point.moment == Moment::AfterEffect && !point.undo;
            let pause = here.iter().find(|pause| forward && pause.step == point.step);
            match pause.filter(|pause| !pause.reached.swap(true, Ordering::SeqCst)) {
                Some(pause) => Injected::Hold(Arc::clone(&pause.gate)),
                None => Injected::Nothing,
            }
        });
        (pauses, faults)
    }

    /// Waits until a worker stands there.
    pub async fn reached(&self) {
        let begun = Instant::now();
        while !self.reached.load(Ordering::SeqCst) {
            assert!(begun.elapsed() < Duration::from_secs(60), "no worker came to the step {}", self.step);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Lets the worker go on.
    pub fn go_on(&self) {
        self.gate.notify_one();
    }
}
