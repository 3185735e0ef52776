//! A worker's writes about one claimed operation. Each is one transaction, and none happens once the lease was lost.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use serde_json::Value;
use sqlx::{PgConnection, PgPool, Postgres, Transaction};

use super::flow::{Flow, Transition};
use crate::db::error::{conflicts, while_doing};
use crate::db::operations::{self, Ending, Lease, Operation};
use crate::db::steps::{Tried, Waits};
use crate::db::{Audit, signals, steps};
use crate::domain::transaction::OpenTransaction;
use crate::domain::{Actor, Code, Error, OperationStatus, Result, StepStatus};

/// The journal of one claimed operation.
#[derive(Clone)]
pub(super) struct Journal {
    pool: PgPool,
    lease: Arc<Lease>,
    operation: Arc<Operation>,
    flow: Arc<Flow>,
    cancelled: Arc<AtomicBool>,
    lost: Arc<AtomicBool>,
}

/// A transaction that has checked the lease and holds the operation's row until it ends.
pub struct Fenced(Transaction<'static, Postgres>, OpenTransaction);

impl Fenced {
    /// Makes it all last.
    pub async fn commit(self) -> Result<()> {
        self.0.commit().await.map_err(while_doing("commit a worker's transaction"))
    }
}

impl Deref for Fenced {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.0
    }
}

impl DerefMut for Fenced {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.0
    }
}

impl Journal {
    pub fn new(pool: PgPool, holder: &str, operation: Arc<Operation>, flow: Arc<Flow>) -> Self {
        let lease = Lease { operation: operation.id, generation: operation.generation, holder: holder.to_owned() };
        let cancelled = Arc::new(AtomicBool::new(operation.cancel_requested_at.is_some()));
        Self { pool, lease: Arc::new(lease), operation, flow, cancelled, lost: Arc::default() }
    }

    /// Whether somebody asked for the operation's end, as of the last write or renewal.
    pub fn cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    /// Whether another worker has the operation now.
    pub fn lost(&self) -> bool {
        self.lost.load(Ordering::Relaxed)
    }

    /// Extends the lease. False when it was lost.
    pub async fn renew(&self, length: Duration) -> Result<bool> {
        let answer = operations::renew(&self.pool, &self.lease, length).await?;
        Ok(self.note(answer))
    }

    /// The operation's steps.
    pub async fn steps(&self) -> Result<Vec<steps::Step>> {
        again(|| steps::list(&self.pool, self.operation.id)).await
    }

    /// Opens a transaction that holds only while the lease does.
    pub async fn open(&self) -> Result<Fenced> {
        let mut transaction = self.pool.begin().await.map_err(while_doing("begin a worker's transaction"))?;
        let open = OpenTransaction::begin();
        let actor = self.operation.requested_by.map_or(Actor::System, Actor::User);
        let audit = Audit { actor, correlation_id: Some(self.operation.correlation_id.clone()) };
        if self.note(operations::fence(&mut transaction, &self.lease, &audit).await?) {
            Ok(Fenced(transaction, open))
        } else {
            Err(Error::new(Code::Conflict, "another worker has taken this operation over"))
        }
    }

    /// Begins a try, of as many as there may be.
    pub async fn begin(&self, ordinal: i32, status: StepStatus, tries: u32) -> Result<Tried> {
        let tries = i32::try_from(tries).unwrap_or(i32::MAX);
        again(async || {
            let mut tx = self.open().await?;
            operations::mark_running(&mut tx, self.operation.id).await?;
            let tried = steps::begin(&mut tx, self.operation.id, ordinal, status, tries).await?;
            tx.commit().await?;
            Ok(tried)
        })
        .await
    }

    /// Says what the step is doing.
    pub async fn detail(&self, ordinal: i32, detail: &str) -> Result<()> {
        let mut tx = self.open().await?;
        steps::detail(&mut tx, self.operation.id, ordinal, detail).await?;
        tx.commit().await
    }

    /// Records a step's end, and tells the flow's observer of it in the same transaction.
    pub async fn finish(
        &self,
        ordinal: i32,
        status: StepStatus,
        detail: Option<&str>,
        result: Option<&Value>,
        transition: Option<Transition<'_>>,
    ) -> Result<()> {
        again(async || {
            let mut tx = self.open().await?;
            if steps::finish(&mut tx, self.operation.id, ordinal, status, detail, result).await?
                && let Some(transition) = transition
            {
                (self.flow.observer)(&mut tx, &self.operation, transition).await?;
            }
            tx.commit().await
        })
        .await
    }

    /// What a signal of this name said, if it came.
    pub async fn signal(&self, name: &str) -> Result<Option<Value>> {
        again(|| signals::find(&self.pool, self.operation.id, name)).await
    }

    /// Records what the step waits for, and gives the operation back until then, or until it is woken.
    pub async fn park(
        &self,
        ordinal: i32,
        status: StepStatus,
        attempt: u32,
        detail: &str,
        why: Waits,
        delay: Option<Duration>,
    ) -> Result<()> {
        let attempt = i32::try_from(attempt).unwrap_or(i32::MAX);
        again(async || {
            let mut tx = self.open().await?;
            steps::wait(&mut tx, self.operation.id, ordinal, status, attempt, detail, why).await?;
            operations::park(&mut tx, self.operation.id, delay).await?;
            tx.commit().await
        })
        .await
    }

    /// Records that a step failed for good, and with it the operation.
    pub async fn fail(&self, ordinal: i32, status: StepStatus, step: &'static str, error: &Error) -> Result<()> {
        let undo = status == StepStatus::UndoFailed;
        let stuck = undo.then(|| format!("{step} could not be undone: {}", error.message()));
        let ending = Ending {
            status: OperationStatus::Failed,
            output: None,
            error_code: Some(error.code().as_str()),
            error_message: Some(error.message()),
            stuck_reason: stuck.as_deref(),
        };
        again(async || {
            let mut tx = self.open().await?;
            steps::finish(&mut tx, self.operation.id, ordinal, status, Some(error.message()), None).await?;
            operations::finish(&mut tx, self.operation.id, &ending).await?;
            (self.flow.observer)(&mut tx, &self.operation, Transition::Failed { step, undo, error }).await?;
            tx.commit().await
        })
        .await
    }

    /// Records that every step has been done. False when the operation's end was asked for just before: it has to be
    /// taken back then.
    pub async fn succeed(&self, output: &Value) -> Result<bool> {
        again(async || {
            let mut tx = self.open().await?;
            if self.cancelled() && self.flow.cancellable {
                return Ok(false);
            }
            self.end(&mut tx, OperationStatus::Succeeded, Some(output), Transition::Succeeded).await?;
            tx.commit().await?;
            Ok(true)
        })
        .await
    }

    /// Records that every begun step has been undone.
    pub async fn cancel(&self) -> Result<()> {
        again(async || {
            let mut tx = self.open().await?;
            self.end(&mut tx, OperationStatus::Cancelled, None, Transition::Cancelled).await?;
            tx.commit().await
        })
        .await
    }

    async fn end(
        &self,
        tx: &mut Fenced,
        status: OperationStatus,
        output: Option<&Value>,
        seen: Transition<'_>,
    ) -> Result<()> {
        let ending = Ending { status, output, error_code: None, error_message: None, stuck_reason: None };
        operations::finish(tx, self.operation.id, &ending).await?;
        (self.flow.observer)(tx, &self.operation, seen).await
    }

    /// Turns the operation round; begun steps without an undo are skipped.
    pub async fn turn_back(&self, without_undo: &[i32]) -> Result<()> {
        again(async || {
            let mut tx = self.open().await?;
            operations::turn_back(&mut tx, self.operation.id).await?;
            steps::skip_begun(&mut tx, self.operation.id, without_undo).await?;
            tx.commit().await
        })
        .await
    }

    /// Gives the operation back at once, for any worker.
    pub async fn release(&self) -> Result<()> {
        let mut tx = self.open().await?;
        operations::release(&mut tx, self.operation.id).await?;
        tx.commit().await
    }

    fn note(&self, answer: Option<bool>) -> bool {
        match answer {
            Some(cancelled) => {
                self.cancelled.fetch_or(cancelled, Ordering::Relaxed);
                true
            }
            None => {
                self.lost.store(true, Ordering::Relaxed);
                false
            }
        }
    }
}

/// Tries a write again for a few seconds while the database has a fault that may pass. A lost lease does not pass.
async fn again<T, F: Future<Output = Result<T>>>(write: impl FnMut() -> F) -> Result<T> {
    write
        .retry(
            ExponentialBuilder::default()
                .with_min_delay(Duration::from_millis(20))
                .with_max_delay(Duration::from_secs(2))
                .with_max_times(8)
                .with_jitter(),
        )
        .when(|error| matches!(error.code(), Code::Unavailable | Code::Timeout) || conflicts(error))
        .await
}
