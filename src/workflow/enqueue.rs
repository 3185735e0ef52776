//! How an operation comes to be: its row and all its step rows, in the caller's transaction.

use serde_json::Value;
use sha2::{Digest, Sha256};
use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

use super::flow::Flow;
use super::flow::Transition;
use crate::db::idempotency::{self, StandsFor, Used};
use crate::db::{lanes, operations, steps};
use crate::domain::{Code, Error, Result};

/// An operation to be enqueued.
#[derive(Debug)]
pub struct NewOperation<'a> {
    /// The flow that carries it out, in the version to which the run is pinned.
    pub flow: &'a Flow,
    pub team_id: Uuid,
    /// What `subject_id` names, such as `store`.
    pub subject_type: &'a str,
    /// The row that it is about.
    pub subject_id: Uuid,
    /// The user who asked, if a person did.
    pub requested_by: Option<Uuid>,
    /// The flow's input: never a secret.
    pub input: Value,
    /// The caller's key for "the same request again", with the digest of the request.
    pub idempotency: Option<Idempotency<'a>>,
    /// The request's correlation id.
    pub correlation_id: &'a str,
    /// One operation of a lane is worked on at a time, in order of creation: `application/<id>`. A failed one does not
    /// hold the lane; one that waits does.
    pub lane: Option<String>,
    /// The flows whose operations in the lane are ended if nobody has begun them: this one takes their place.
    pub supersedes: &'a [&'a Flow],
}

/// A caller's idempotency key with the digest of what it stands for.
#[derive(Debug, Clone)]
pub struct Idempotency<'a> {
    pub key: &'a str,
    /// The request's digest, from [`digest`].
    pub digest: String,
}

/// What became of an enqueued operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enqueued {
    /// A new operation.
    New(Uuid),
    /// The idempotency key made this operation before; nothing was written.
    Before {
        /// The first operation.
        operation: Uuid,
        subject: Uuid,
    },
}

/// Inserts an operation and its steps, all pending, in the caller's transaction. Nudge after the commit.
///
/// A lane is held until the transaction ends: let it be short.
///
/// # Errors
/// `idempotency-conflict` when the key was used before with another request.
pub async fn enqueue(db: &mut PgConnection, new: NewOperation<'_>) -> Result<Enqueued> {
    let turn = match &new.lane {
        Some(lane) => Some((lane.as_str(), lanes::take_turn(&mut *db, lane).await?)),
        None => None,
    };
    let insert = operations::Insert {
        kind: new.flow.kind,
        flow_version: new.flow.version,
        team_id: new.team_id,
        subject_type: new.subject_type,
        subject_id: new.subject_id,
        requested_by: new.requested_by,
        input: &new.input,
        idempotency_key: new.idempotency.as_ref().map(|it| it.key),
        idempotency_digest: new.idempotency.as_ref().map(|it| it.digest.as_str()),
        correlation_id: new.correlation_id,
        lane: turn,
    };
    if let Some(id) = operations::insert(&mut *db, &insert).await? {
        let (names, titles): (Vec<_>, Vec<_>) =
            new.flow.steps.iter().map(|step| (step.name.to_owned(), step.title.clone())).unzip();
        steps::insert(&mut *db, id, &names, &titles).await?;
        if let (Some(user), Some(idempotency)) = (new.requested_by, &new.idempotency) {
            keep(db, user, idempotency, StandsFor::Operation(id)).await?;
        }
        if let Some(lane) = &new.lane {
            supersede(&mut *db, lane, new.supersedes, id).await?;
            lanes::pass_on(&mut *db, lane).await?;
        }
        return Ok(Enqueued::New(id));
    }
    let (Some(user), Some(idempotency)) = (new.requested_by, new.idempotency) else {
        return Err(Error::new(Code::Conflict, "the operation could not be inserted; try again"));
    };
    before(&mut *db, user, &idempotency).await?.ok_or_else(in_use)
}

/// Ends what waits in the lane for one of the flows, and tells the flow's observer of each.
async fn supersede(db: &mut PgConnection, lane: &str, flows: &[&Flow], by: Uuid) -> Result<()> {
    let kinds: Vec<String> = flows.iter().map(|flow| flow.kind.to_owned()).collect();
    if kinds.is_empty() {
        return Ok(());
    }
    for older in lanes::lock_unbegun(&mut *db, lane, &kinds, by).await? {
        let Some(flow) = flows.iter().find(|flow| flow.kind == older.kind) else { continue };
        lanes::supersede(&mut *db, older.id, by, "a newer request took the place of this one before it began").await?;
        (flow.observer)(&mut *db, &older, Transition::Superseded { by }).await?;
        tracing::info!(operation_id = %older.id, %by, flow = flow.kind, "operation.superseded");
    }
    Ok(())
}

/// Keeps what a user's idempotency key stands for.
///
/// # Errors
/// `conflict` when another request used the key at the same time: the caller's transaction must not be committed.
pub async fn keep(db: &mut PgConnection, user: Uuid, idempotency: &Idempotency<'_>, what: StandsFor<'_>) -> Result<()> {
    let kept = idempotency::keep(db, user, idempotency.key, &idempotency.digest, what).await?;
    if kept { Ok(()) } else { Err(in_use()) }
}

fn in_use() -> Error {
    Error::new(Code::Conflict, "the idempotency key is in use by a request that is still running")
}

/// The operation that a user's idempotency key made before, if it did.
///
/// # Errors
/// `idempotency-conflict` when it stood for another request.
pub async fn before(db: impl PgExecutor<'_>, user: Uuid, idempotency: &Idempotency<'_>) -> Result<Option<Enqueued>> {
    let first = used(db, user, idempotency).await?.and_then(|first| first.operation.zip(first.subject));
    Ok(first.map(|(operation, subject)| Enqueued::Before { operation, subject }))
}

/// What a user's idempotency key stands for, if it was used.
///
/// # Errors
/// `idempotency-conflict` when it stood for another request.
pub async fn used(db: impl PgExecutor<'_>, user: Uuid, idempotency: &Idempotency<'_>) -> Result<Option<Used>> {
    let first = idempotency::find(db, user, idempotency.key).await?;
    match first {
        Some(first) if first.digest != idempotency.digest => {
            Err(Error::new(Code::IdempotencyConflict, "this idempotency key was used for another request"))
        }
        first => Ok(first),
    }
}

/// SHA-256, in hex, of an action's name and its arguments: what an idempotency key stands for.
pub fn digest(action: &str, arguments: &Value) -> String {
    let mut hash = Sha256::new();
    hash.update(action.as_bytes());
    hash.update([0]);
    hash.update(arguments.to_string().as_bytes());
    hex::encode(hash.finalize())
}
