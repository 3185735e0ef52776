//! What every use case that starts an operation does alike: idempotency keys, and the operation itself.

use serde::Serialize;
use serde_json::Value;
use sqlx::PgExecutor;
use uuid::Uuid;

use super::{Caller, Provisioning};
use crate::db::PgTx;
use crate::domain::{Code, Error, Result};
use crate::workflow::{Enqueued, Idempotency, NewOperation, before, digest, enqueue, keep};

/// A caller's idempotency key, if the request has one, with what it stands for.
#[derive(Debug, Clone)]
pub(super) struct Key<'a>(Option<(Uuid, Idempotency<'a>)>);

/// What an earlier request with the same key got.
#[derive(Debug, Clone, Copy)]
pub(super) struct First {
    /// The operation.
    pub operation: Uuid,
    /// Its subject.
    pub subject: Uuid,
}

impl<'a> Key<'a> {
    /// A key is a person's own: two people's equal keys are two keys, so whoever has no name can have none.
    ///
    /// # Errors
    /// `invalid-input` that names `idempotencyKey`.
    pub fn of(caller: &Caller, key: Option<&'a str>, action: &str, arguments: &Value) -> Result<Self> {
        let key = super::stores::idempotency(caller, key, digest(action, arguments))?;
        Ok(Self(caller.actor.user_id().zip(key)))
    }

    /// What the same user's same request made before.
    ///
    /// # Errors
    /// `idempotency-conflict` when the key stood for another request.
    pub async fn first(&self, db: impl PgExecutor<'_>) -> Result<Option<First>> {
        let Some((user, key)) = &self.0 else { return Ok(None) };
        Ok(match before(db, *user, key).await? {
            Some(Enqueued::Before { operation, subject }) => Some(First { operation, subject }),
            Some(Enqueued::New(_)) | None => None,
        })
    }

    /// Makes the key stand for a request that got an operation which is there already.
    pub async fn stands_for(&self, tx: &mut PgTx, operation: Uuid) -> Result<()> {
        match &self.0 {
            Some((user, key)) => keep(tx, *user, key, operation).await,
            None => Ok(()),
        }
    }
}

/// An operation that is asked for.
#[derive(Debug)]
pub(super) struct Asked<'a> {
    /// The flow.
    pub kind: &'a str,
    /// The team.
    pub team: Uuid,
    /// What the subject is.
    pub subject_type: &'a str,
    /// The subject.
    pub subject: Uuid,
    /// Whether it takes the place of those of its kind that nobody has begun.
    pub supersedes: bool,
}

/// Enqueues an operation in a lane. Nudge after the commit.
pub(super) async fn start(
    tx: &mut PgTx,
    provisioning: &Provisioning,
    caller: &Caller,
    asked: &Asked<'_>,
    lane: &str,
    input: &impl Serialize,
    key: &Key<'_>,
) -> Result<Uuid> {
    let flow = provisioning.flows.newest(asked.kind);
    let flow = flow.ok_or_else(|| Error::internal("start a flow", asked.kind.to_owned()))?;
    let new = NewOperation {
        flow,
        team_id: asked.team,
        subject_type: asked.subject_type,
        subject_id: asked.subject,
        requested_by: caller.actor.user_id(),
        input: serde_json::to_value(input).map_err(|source| Error::internal("write an operation's input", source))?,
        idempotency: key.0.as_ref().map(|(_, key)| key.clone()),
        correlation_id: &caller.correlation_id,
        lane: Some(lane.to_owned()),
        supersedes: asked.supersedes,
    };
    match enqueue(tx, new).await? {
        Enqueued::New(operation) => Ok(operation),
        // The key was free a moment ago: its other request, about something else, was quicker. Nothing is kept.
        Enqueued::Before { .. } => {
            Err(Error::new(Code::Conflict, "the idempotency key was used by another request at the same time"))
        }
    }
}
