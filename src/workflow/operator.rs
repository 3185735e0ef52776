//! Giving an operation up, whatever its flow: what only an operator may do.

use sqlx::PgConnection;
use uuid::Uuid;

use super::flow::{Flow, Registry, Transition};
use crate::db::operations::{self, Ending};
use crate::db::operators;
use crate::domain::{Code, Direction, Error, OperationStatus, Result};

/// What became of an operation that was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Abandoned {
    /// It was open and has failed now; what it had done is left as it is.
    Ended,
    /// It was open and has failed now. Its flow is unknown to this release: the row that it is about was not told.
    EndedUntold,
    /// It had failed before, and waits for nobody any more.
    Closed,
}

/// Gives an operation up, in the caller's transaction: its worker is fenced out, nothing is taken back, and it stands as
/// failed with the reason.
///
/// # Errors
/// `not-found`, and `illegal-transition` when it has ended otherwise.
pub async fn abandon(db: &mut PgConnection, flows: &Registry, id: Uuid, reason: &str) -> Result<Abandoned> {
    let operation = operations::lock(&mut *db, id).await?.ok_or_else(|| Error::not_found("operation"))?;
    let message = format!("abandoned by an operator: {reason}");
    match operation.status {
        OperationStatus::Failed => {
            operators::close(&mut *db, id, &message).await?;
            return Ok(Abandoned::Closed);
        }
        OperationStatus::Queued | OperationStatus::Running | OperationStatus::Waiting => {}
        ended @ (OperationStatus::Succeeded | OperationStatus::Cancelled) => {
            return Err(Error::new(Code::IllegalTransition, format!("the operation {}", ended.in_words())));
        }
    }
    let error = Error::new(Code::Conflict, message);
    operators::fence_off(&mut *db, id).await?;
    let step = operators::fail_current_step(&mut *db, id, error.message()).await?;
    let ending = Ending {
        status: OperationStatus::Failed,
        output: None,
        error_code: Some(error.code().as_str()),
        error_message: Some(error.message()),
        stuck_reason: None,
    };
    operations::finish(&mut *db, id, &ending).await?;
    let Some(flow) = flows.get(&operation.kind, operation.flow_version) else { return Ok(Abandoned::EndedUntold) };
    let undo = operation.direction == Direction::Undo;
    let failed = Transition::Failed { step: name_of(flow, step.as_deref()), undo, error: &error };
    (flow.observer)(&mut *db, &operation, failed).await?;
    Ok(Abandoned::Ended)
}

/// The flow's own name of a step; that of the first when none has begun.
fn name_of(flow: &Flow, step: Option<&str>) -> &'static str {
    let named = flow.steps.iter().find(|known| Some(known.name) == step);
    named.or(flow.steps.first()).map_or("abandoned", |step| step.name)
}
