//! What every use case that starts an operation does alike: idempotency keys, and the operation itself.

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sqlx::PgExecutor;
use uuid::Uuid;

use super::{Caller, Provisioning};
use crate::db::PgTx;
use crate::db::idempotency::StandsFor;
use crate::domain::{Code, Error, Result};
use crate::workflow::{Enqueued, Flow, Idempotency, NewOperation, before, digest, enqueue, keep, used};

/// A caller's idempotency key, if the request has one, with what it stands for.
#[derive(Debug, Clone)]
pub(super) struct Key<'a>(Option<(Uuid, Idempotency<'a>)>);

/// What an earlier request with the same key got.
#[derive(Debug, Clone, Copy)]
pub(super) struct First {
    pub operation: Uuid,
    pub subject: Uuid,
}

impl<'a> Key<'a> {
    /// A key is a person's own: two people's equal keys are two keys, so whoever has no name can have none.
    ///
    /// # Errors
    /// `invalid-input` that names `idempotencyKey`.
    pub fn of(caller: &Caller, key: Option<&'a str>, action: &str, arguments: &Value) -> Result<Self> {
        let Some(key) = key else { return Ok(Self(None)) };
        let Some(user) = caller.actor.user_id() else {
            let message = "an idempotency key needs a user: send x-hasura-user-id";
            return Err(Error::invalid("idempotencyKey", message));
        };
        if key.is_empty() || key.len() > 200 || key.chars().any(char::is_control) {
            return Err(Error::invalid("idempotencyKey", "an idempotency key has 1 to 200 characters"));
        }
        Ok(Self(Some((user, Idempotency { key, digest: digest(action, arguments) }))))
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
            Some((user, key)) => keep(tx, *user, key, StandsFor::Operation(operation)).await,
            None => Ok(()),
        }
    }

    /// Whether this request, about an operation that is there already, was made before; otherwise the key stands for it
    /// from now on.
    ///
    /// # Errors
    /// `idempotency-conflict` when the key stood for another request.
    pub async fn repeats(&self, tx: &mut PgTx, operation: Uuid) -> Result<bool> {
        if self.first(&mut **tx).await?.is_some() {
            return Ok(true);
        }
        self.stands_for(tx, operation).await.map(|()| false)
    }

    /// What the same user's same request was answered with, where no operation came of it.
    ///
    /// # Errors
    /// `idempotency-conflict` when the key stood for another request.
    pub async fn answered<T: DeserializeOwned>(&self, db: impl PgExecutor<'_>) -> Result<Option<T>> {
        let Some((user, key)) = &self.0 else { return Ok(None) };
        let Some(answer) = used(db, *user, key).await?.and_then(|first| first.answer) else { return Ok(None) };
        serde_json::from_value(answer).map(Some).map_err(|source| Error::internal("read an earlier answer", source))
    }

    /// Makes the key stand for a request that got this answer and no operation.
    pub async fn answer(&self, tx: &mut PgTx, answer: &impl Serialize) -> Result<()> {
        let Some((user, key)) = &self.0 else { return Ok(()) };
        let answer = serde_json::to_value(answer).map_err(|source| Error::internal("keep an answer", source))?;
        keep(tx, *user, key, StandsFor::Answer(&answer)).await
    }
}

/// An operation that is asked for.
#[derive(Debug)]
pub(super) struct Asked<'a> {
    /// The flow.
    pub kind: &'a str,
    pub team: Uuid,
    pub subject_type: &'a str,
    pub subject: Uuid,
    /// One operation of a lane is worked on at a time.
    pub lane: Option<String>,
    /// The kinds of flows whose operations it takes the place of, where nobody has begun them.
    pub supersedes: &'a [&'a str],
}

/// Enqueues an operation. Nudge after the commit.
pub(super) async fn start(
    tx: &mut PgTx,
    provisioning: &Provisioning,
    caller: &Caller,
    asked: Asked<'_>,
    input: &impl Serialize,
    key: &Key<'_>,
) -> Result<Uuid> {
    let flow = provisioning.flows.newest(asked.kind);
    let flow = flow.ok_or_else(|| Error::internal("start a flow", asked.kind.to_owned()))?;
    let supersedes: Vec<&Flow> =
        asked.supersedes.iter().filter_map(|kind| provisioning.flows.newest(kind)).map(Arc::as_ref).collect();
    let new = NewOperation {
        flow,
        team_id: asked.team,
        subject_type: asked.subject_type,
        subject_id: asked.subject,
        requested_by: caller.actor.user_id(),
        input: serde_json::to_value(input).map_err(|source| Error::internal("write an operation's input", source))?,
        idempotency: key.0.as_ref().map(|(_, key)| key.clone()),
        correlation_id: &caller.correlation_id,
        lane: asked.lane,
        supersedes: &supersedes,
    };
    match enqueue(tx, new).await? {
        Enqueued::New(operation) => Ok(operation),
        // The key was free a moment ago: its other request, about something else, was quicker. Nothing is kept.
        Enqueued::Before { .. } => {
            Err(Error::new(Code::Conflict, "the idempotency key was used by another request at the same time"))
        }
    }
}
