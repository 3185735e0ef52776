//! Going on with a failed operation, and ending one: judged in one place, whoever asks for it.
//!
//! The callers say who may and keep idempotency keys; what an operation allows, and what its rows say afterwards, is the
//! same for the API, the command line and an administrator.

use std::sync::Arc;

use sqlx::PgConnection;
use uuid::Uuid;

use super::flow::{Flow, Registry, Transition};
use crate::db::applications;
use crate::db::operations::{self, Operation};
use crate::domain::{Code, Direction, Error, OperationStatus, Result};

/// The type of a subject whose row people write too.
const APPLICATION: &str = "application";

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Controlled {
    /// It was done. Nudge after the commit.
    Done,
    /// There was nothing to do: the operation is on its way there already.
    UnderWay,
}

/// An operation, locked until the transaction ends, about which something is to be decided.
#[derive(Debug)]
pub struct Control<'f> {
    operation: Operation,
    flow: Option<&'f Flow>,
}

impl<'f> Control<'f> {
    /// Locks an operation.
    ///
    /// # Errors
    /// `not-found`.
    pub async fn lock(db: &mut PgConnection, flows: &'f Registry, id: Uuid) -> Result<Self> {
        let operation = operations::lock(db, id).await?.ok_or_else(|| Error::not_found("operation"))?;
        let flow = flows.get(&operation.kind, operation.flow_version).map(Arc::as_ref);
        Ok(Self { operation, flow })
    }

    /// The operation as it was when it was locked.
    pub fn operation(&self) -> &Operation {
        &self.operation
    }

    /// Queues a failed operation again, in the direction in which it failed. One that is open is left at that.
    ///
    /// # Errors
    /// `illegal-transition` when it has ended otherwise, when a newer operation on its subject took its place, when its
    /// subject's status does not allow it, or its flow is unknown to this release.
    pub async fn retry(&self, db: &mut PgConnection) -> Result<Controlled> {
        match self.operation.status {
            OperationStatus::Queued | OperationStatus::Running | OperationStatus::Waiting => Ok(Controlled::UnderWay),
            OperationStatus::Failed => self.resume(db, self.operation.direction).await,
            ended @ (OperationStatus::Succeeded | OperationStatus::Cancelled) => {
                let message = format!("only a failed operation can be retried; this one {}", ended.in_words());
                Err(refused(message))
            }
        }
    }

    /// Ends an open operation between two of its steps and takes back what it did; takes back a failed one likewise. One
    /// that is being ended is left at that.
    ///
    /// # Errors
    /// `illegal-transition` when it has ended otherwise or its flow cannot be stopped; for a failed one as in
    /// [`Self::retry`].
    pub async fn cancel(&self, db: &mut PgConnection) -> Result<Controlled> {
        let Some(flow) = self.flow.filter(|flow| flow.cancellable()) else {
            return Err(refused("this operation cannot be stopped once it was asked for".to_owned()));
        };
        match self.operation.status {
            open if open.is_open() && self.operation.cancel_requested_at.is_some() => Ok(Controlled::UnderWay),
            OperationStatus::Queued | OperationStatus::Running | OperationStatus::Waiting => {
                operations::request_cancel(&mut *db, self.operation.id).await?;
                (flow.observer)(db, &self.operation, Transition::CancelRequested).await?;
                Ok(Controlled::Done)
            }
            OperationStatus::Failed => self.resume(db, Direction::Undo).await,
            ended @ (OperationStatus::Succeeded | OperationStatus::Cancelled) => {
                Err(refused(format!("the operation {}", ended.in_words())))
            }
        }
    }

    async fn resume(&self, db: &mut PgConnection, direction: Direction) -> Result<Controlled> {
        let Operation { id, kind, flow_version, .. } = &self.operation;
        let flow =
            self.flow.ok_or_else(|| refused(format!("this release has no flow {kind} of version {flow_version}")))?;
        self.is_newest(db).await?;
        if self.operation.subject_type == APPLICATION {
            // Whoever asks is written into the team's audit chain; whoever changes the row locks it before the chain.
            applications::lock_any(db, self.operation.subject_id).await?;
        }
        operations::requeue(&mut *db, *id, direction).await?;
        (flow.observer)(&mut *db, &self.operation, Transition::Resumed { undo: direction == Direction::Undo }).await?;
        // Once more: what begins an operation holds the subject's row while it does, and the observer waited for that row.
        self.is_newest(db).await?;
        Ok(Controlled::Done)
    }

    /// A later operation has decided anew what the subject is to be: what it left must not be changed by an earlier one.
    async fn is_newest(&self, db: &mut PgConnection) -> Result<()> {
        let Operation { id, subject_type, subject_id, .. } = &self.operation;
        if operations::newest(db, subject_type, *subject_id).await? == Some(*id) {
            return Ok(());
        }
        Err(refused("a newer operation took the place of this one".to_owned()))
    }
}

fn refused(message: String) -> Error {
    Error::new(Code::IllegalTransition, message)
}
