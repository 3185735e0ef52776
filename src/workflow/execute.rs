//! Carries one claimed operation forward from where its journal stands.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::faults::{Faults, Injected, Moment, Point};
use super::flow::{Act, Flow, Progress, Step, StepContext, Transition};
use super::journal::Journal;
use super::retry::Backoff;
use crate::db::operations::Operation;
use crate::db::steps::{Step as Row, Tried, Waits};
use crate::domain::{Code, Direction, Error, Result, StepStatus};

/// The longest pause that a vendor may ask for.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Why a worker let go of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// It has ended: succeeded, failed or cancelled.
    Ended,
    /// It waits, and is due again later.
    Parked,
    /// It was given back because the worker stops.
    Released,
    /// The lease was lost, or the database cannot be reached to write under it.
    Lost,
    /// A failpoint has killed the worker.
    Killed,
}

/// One claimed operation on its way.
pub(super) struct Execution {
    pub flow: Arc<Flow>,
    pub operation: Arc<Operation>,
    pub journal: Journal,
    pub faults: Faults,
    pub backoff: Backoff,
    pub stopping: CancellationToken,
}

impl Execution {
    /// Goes on until the operation ends, waits, or cannot be worked on here any more.
    pub async fn run(&self) -> Stop {
        match self.drive().await {
            Ok(stop) | Err(stop) => stop,
        }
    }

    async fn drive(&self) -> Result<Stop, Stop> {
        let mut rows = self.kept(self.journal.steps().await)?;
        if self.operation.direction == Direction::Undo {
            return self.undo(&rows).await;
        }
        if self.operation.lane_blocked {
            return self.out_of_turn(&rows).await;
        }
        let mut results = results(&rows);
        for (step, row) in self.flow.steps.iter().zip(&mut rows) {
            if matches!(row.status, StepStatus::Succeeded | StepStatus::Skipped) {
                continue;
            }
            if self.cancelled() {
                break;
            }
            if self.stopping.is_cancelled() {
                self.kept(self.journal.release().await)?;
                return Ok(Stop::Released);
            }
            let span = tracing::info_span!(
                "workflow.step",
                flow = self.flow.kind,
                step = step.name,
                operation_id = %self.operation.id,
                correlation_id = %self.operation.correlation_id,
            );
            let value = self.forward(step, row, &results).instrument(span).await?;
            row.status = StepStatus::Succeeded;
            results.insert(step.name.to_owned(), value);
        }
        let output = Value::Object(results.into_iter().filter(|(_, value)| !value.is_null()).collect());
        if self.cancelled() || !self.kept(self.journal.succeed(&output).await)? {
            return self.turn_back().await;
        }
        tracing::info!(operation_id = %self.operation.id, flow = self.flow.kind, "operation.succeeded");
        Ok(Stop::Ended)
    }

    fn cancelled(&self) -> bool {
        self.journal.cancelled() && self.flow.cancellable
    }

    /// Somebody asked for the end of an operation that waits for its turn in a lane: it ends without a beginning.
    async fn out_of_turn(&self, rows: &[Row]) -> Result<Stop, Stop> {
        let begun = rows.iter().any(|row| row.status != StepStatus::Pending);
        if !begun || self.flow.cancellable {
            return self.turn_back().await;
        }
        self.kept(self.journal.release().await)?;
        Ok(Stop::Released)
    }

    async fn turn_back(&self) -> Result<Stop, Stop> {
        let without_undo: Vec<i32> =
            (0..).zip(&self.flow.steps).filter(|(_, step)| step.undo.is_none()).map(|(ordinal, _)| ordinal).collect();
        self.kept(self.journal.turn_back(&without_undo).await)?;
        let rows = self.kept(self.journal.steps().await)?;
        self.undo(&rows).await
    }

    /// Does one step. Answers its result, or why the worker lets go.
    async fn forward(&self, step: &Step, row: &Row, results: &HashMap<String, Value>) -> Result<Value, Stop> {
        let started = Instant::now();
        let tried = self.begin(step, row, StepStatus::Running, StepStatus::Waiting).await?;
        let context = self.context(step, row.ordinal, tried, results);
        let outcome = match self.given_up(step, tried.attempt) {
            Some(error) => Err(error),
            None => self.attempt(step, &step.forward, &context, false).await?,
        };
        match outcome {
            Ok(Progress::Done(value)) => {
                let done = Transition::StepDone { name: step.name, title: &step.title, left_out: None };
                self.kept(
                    self.journal.finish(row.ordinal, StepStatus::Succeeded, None, Some(&value), Some(done)).await,
                )?;
                metrics::histogram!("northstack_workflow_step_seconds", "flow" => self.flow.kind, "step" => step.name)
                    .record(started.elapsed());
                tracing::info!(attempt = tried.attempt, "step.succeeded");
                self.survives(step, Moment::AfterRecord, false).await?;
                Ok(value)
            }
            Ok(Progress::Skipped { detail }) => {
                let done = Transition::StepDone { name: step.name, title: &step.title, left_out: Some(&detail) };
                self.kept(
                    self.journal.finish(row.ordinal, StepStatus::Skipped, Some(&detail), None, Some(done)).await,
                )?;
                tracing::warn!(attempt = tried.attempt, detail, "step.skipped");
                self.survives(step, Moment::AfterRecord, false).await?;
                Ok(Value::Null)
            }
            Ok(Progress::Wait { detail, poll }) => match overdue(step, &context, &detail) {
                Some(error) => self.failed(step, row, StepStatus::Failed, &error).await,
                None => {
                    self.kept(
                        self.journal.park(row.ordinal, StepStatus::Waiting, 0, &detail, Waits::World, Some(poll)).await,
                    )?;
                    Err(Stop::Parked)
                }
            },
            Ok(Progress::Park { detail, wake }) => {
                self.kept(self.journal.park(row.ordinal, StepStatus::Waiting, 0, &detail, Waits::Signal, wake).await)?;
                Err(Stop::Parked)
            }
            Err(error) => self.again_or(step, row, &context, (StepStatus::Waiting, StepStatus::Failed), error).await,
        }
    }

    /// Begins a try, unless this is only another look at something that is waited for.
    pub(super) async fn begin(
        &self,
        step: &Step,
        row: &Row,
        running: StepStatus,
        waiting: StepStatus,
    ) -> Result<Tried, Stop> {
        if row.status == waiting && row.attempt == 0 && row.outage.is_none() {
            return Ok(row.tried());
        }
        self.kept(self.journal.begin(row.ordinal, running, step.limits.attempts).await)
    }

    pub(super) fn context(
        &self,
        step: &Step,
        ordinal: i32,
        tried: Tried,
        results: &HashMap<String, Value>,
    ) -> StepContext {
        StepContext {
            operation: Arc::clone(&self.operation),
            results: Arc::new(results.clone()),
            journal: self.journal.clone(),
            ordinal,
            step: step.name,
            tried,
            began: Instant::now(),
        }
    }

    /// A step that never came to an answer, because the process died in it each time, is not tried for ever.
    pub(super) fn given_up(&self, step: &Step, attempt: u32) -> Option<Error> {
        (attempt > step.limits.attempts.saturating_mul(2))
            .then(|| Error::new(Code::Internal, format!("{}: interrupted {attempt} times", step.title)))
    }

    /// One try of a step's work, with the faults that a test asks for.
    pub(super) async fn attempt(
        &self,
        step: &Step,
        act: &Act,
        context: &StepContext,
        undo: bool,
    ) -> Result<Result<Progress>, Stop> {
        if let Some(error) = self.survives(step, Moment::Before, undo).await? {
            return Ok(Err(error));
        }
        let mut outcome = timed(step, act, context.clone()).await;
        if matches!(outcome, Ok(Progress::Done(_))) {
            match self.faults.at(self.point(step, Moment::AfterEffect, undo)) {
                Injected::Kill => return Err(Stop::Killed),
                Injected::Hold(until) => until.notified().await,
                Injected::Repeat => outcome = timed(step, act, context.clone()).await,
                Injected::Nothing | Injected::Abort | Injected::Fail(_) => {}
            }
        }
        Ok(outcome)
    }

    /// Passes a failpoint; answers the error that it injects.
    pub(super) async fn survives(&self, step: &Step, moment: Moment, undo: bool) -> Result<Option<Error>, Stop> {
        match self.faults.at(self.point(step, moment, undo)) {
            Injected::Kill => Err(Stop::Killed),
            Injected::Hold(until) => {
                until.notified().await;
                Ok(None)
            }
            Injected::Fail(error) => Ok(Some(error)),
            Injected::Nothing | Injected::Abort | Injected::Repeat => Ok(None),
        }
    }

    fn point(&self, step: &Step, moment: Moment, undo: bool) -> Point<'_> {
        Point { flow: self.flow.kind, step: step.name, moment, undo }
    }

    /// Parks the step for another try if the fault may pass, and fails the operation otherwise.
    pub(super) async fn again_or<T>(
        &self,
        step: &Step,
        row: &Row,
        context: &StepContext,
        (waiting, failed): (StepStatus, StepStatus),
        error: Error,
    ) -> Result<T, Stop> {
        if self.journal.lost() {
            return Err(Stop::Lost);
        }
        let (attempt, tries) = (context.attempt(), step.limits.attempts);
        tracing::warn!(step = step.name, attempt, code = error.code().as_str(), error = %error.chain(), "step.fault");
        if error.outage() {
            return self.outwait(step, row, context, (waiting, failed), error).await;
        }
        if !error.retryable() || attempt >= tries || context.spent() >= step.limits.deadline {
            return self.failed(step, row, failed, &error).await;
        }
        let pause = self.backoff.after(attempt);
        let detail = format!("try {attempt} of {tries} failed: {}; trying again", error.message());
        self.kept(self.journal.park(row.ordinal, waiting, attempt, &detail, Waits::Fault, Some(pause)).await)?;
        Err(Stop::Parked)
    }

    /// Parks the step until what it needs is there again. Such a try says nothing about the step, and is not counted.
    async fn outwait<T>(
        &self,
        step: &Step,
        row: &Row,
        context: &StepContext,
        (waiting, failed): (StepStatus, StepStatus),
        error: Error,
    ) -> Result<T, Stop> {
        let lasted = context.outage();
        if lasted >= error.patience().map_or(step.patience, |most| most.min(step.patience)) {
            let message = format!("{}, for {} s", error.message(), lasted.as_secs());
            let error = Error::new(error.code(), message).caused_by(error);
            return self.failed(step, row, failed, &error).await;
        }
        let pause = self.backoff.during(lasted);
        let pause = error.retry_after().map_or(pause, |wait| pause.max(wait.min(LONGEST_PAUSE)));
        let detail = format!("{}; waiting until that is over, {} s", error.message(), lasted.as_secs());
        let attempt = context.tried.attempt.saturating_sub(1);
        self.kept(self.journal.park(row.ordinal, waiting, attempt, &detail, Waits::Outage, Some(pause)).await)?;
        Err(Stop::Parked)
    }

    pub(super) async fn failed<T>(&self, step: &Step, row: &Row, status: StepStatus, error: &Error) -> Result<T, Stop> {
        self.kept(self.journal.fail(row.ordinal, status, step.name, error).await)?;
        metrics::counter!("northstack_workflow_failures_total", "flow" => self.flow.kind, "step" => step.name)
            .increment(1);
        tracing::error!(operation_id = %self.operation.id, step = step.name, code = error.code().as_str(), error = %error.chain(), "operation.failed");
        Err(Stop::Ended)
    }

    /// A journal write that did not happen ends the work here: the next claim goes on from what is written.
    pub(super) fn kept<T>(&self, written: Result<T>) -> Result<T, Stop> {
        written.map_err(|error| {
            tracing::warn!(operation_id = %self.operation.id, lost = self.journal.lost(), error = %error.chain(), "journal.not_written");
            Stop::Lost
        })
    }
}

/// What the steps kept in the journal, by their names.
pub(super) fn results(rows: &[Row]) -> HashMap<String, Value> {
    rows.iter().filter_map(|row| Some((row.name.clone(), row.result.clone()?))).collect()
}

/// The error of a wait that has lasted too long, with what was last seen.
pub(super) fn overdue(step: &Step, context: &StepContext, detail: &str) -> Option<Error> {
    (context.spent() >= step.limits.deadline).then(|| {
        let seconds = step.limits.deadline.as_secs();
        Error::new(Code::Timeout, format!("{} took longer than {seconds} s; last seen: {detail}", step.title))
    })
}

async fn timed(step: &Step, act: &Act, context: StepContext) -> Result<Progress> {
    let limit = step.limits.timeout;
    match tokio::time::timeout(limit, AssertUnwindSafe(act(context)).catch_unwind()).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_panic)) => Err(Error::new(Code::Internal, format!("{}: something went wrong on our side", step.title))),
        Err(_) => {
            let message = format!("{}: no answer within {} s", step.title, limit.as_secs());
            Err(Error::new(Code::Timeout, message).during_outage())
        }
    }
}
