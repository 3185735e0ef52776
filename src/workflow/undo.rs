//! Takes one claimed operation back: its begun steps are undone in reverse.

use std::collections::HashMap;

use serde_json::Value;

use super::execute::{Execution, Stop, overdue, results};
use super::faults::Moment;
use super::flow::{Act, Progress, Step};
use crate::db::steps::{Step as Row, Waits};
use crate::domain::{Result, StepStatus};

impl Execution {
    /// Undoes every begun step, last first, and ends the operation as cancelled.
    pub(super) async fn undo(&self, rows: &[Row]) -> Result<Stop, Stop> {
        let results = results(rows);
        for (step, row) in self.flow.steps.iter().zip(rows).rev() {
            let Some(undo) = &step.undo else { continue };
            if matches!(row.status, StepStatus::Pending | StepStatus::Undone) {
                continue;
            }
            if self.stopping.is_cancelled() {
                self.kept(self.journal.release().await)?;
                return Ok(Stop::Released);
            }
            self.undo_step(step, undo, row, &results).await?;
        }
        self.kept(self.journal.cancel().await)?;
        tracing::info!(operation_id = %self.operation.id, flow = self.flow.kind, "operation.cancelled");
        Ok(Stop::Ended)
    }

    async fn undo_step(
        &self,
        step: &Step,
        undo: &Act,
        row: &Row,
        results: &HashMap<String, Value>,
    ) -> Result<(), Stop> {
        let tried = self.begin(step, row, StepStatus::Undoing, StepStatus::Undoing).await?;
        let context = self.context(step, row.ordinal, tried, results);
        let outcome = match self.given_up(step, tried.attempt) {
            Some(error) => Err(error),
            None => self.attempt(step, undo, &context, true).await?,
        };
        match outcome {
            Ok(Progress::Done(_) | Progress::Skipped { .. }) => {
                self.kept(self.journal.finish(row.ordinal, StepStatus::Undone, None, None, None).await)?;
                tracing::info!(step = step.name, "step.undone");
                self.survives(step, Moment::AfterRecord, true).await?;
                Ok(())
            }
            Ok(Progress::Wait { detail, poll }) => match overdue(step, &context, &detail) {
                Some(error) => self.failed(step, row, StepStatus::UndoFailed, &error).await,
                None => {
                    self.kept(
                        self.journal.park(row.ordinal, StepStatus::Undoing, 0, &detail, Waits::World, Some(poll)).await,
                    )?;
                    Err(Stop::Parked)
                }
            },
            Ok(Progress::Park { detail, wake }) => {
                self.kept(self.journal.park(row.ordinal, StepStatus::Undoing, 0, &detail, Waits::Signal, wake).await)?;
                Err(Stop::Parked)
            }
            Err(error) => {
                self.again_or(step, row, &context, (StepStatus::Undoing, StepStatus::UndoFailed), error).await
            }
        }
    }
}
