//! Idempotency keys: what a user's key stood for, and what the first request with it got.

use serde_json::Value;
use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

use super::error::while_doing;
use crate::domain::Result;

/// What a key stood for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Used {
    /// SHA-256 of the request, in hex.
    pub digest: String,
    /// The operation that the request got, if it got one.
    pub operation: Option<Uuid>,
    /// What the operation is about.
    pub subject: Option<Uuid>,
    /// What the request was answered with, if it got no operation.
    pub answer: Option<Value>,
}

/// What a key is to stand for.
#[derive(Debug, Clone, Copy)]
pub enum StandsFor<'a> {
    /// A request that got this operation.
    Operation(Uuid),
    /// A request that was done at once and answered with this. Never a secret.
    Answer(&'a Value),
}

/// What a user's key stood for, if it was used.
pub async fn find(db: impl PgExecutor<'_>, user: Uuid, key: &str) -> Result<Option<Used>> {
    sqlx::query_as!(
        Used,
        "select k.digest, k.operation_id as operation, o.subject_id as \"subject?\", k.answer
         from idempotency_keys k left join operations o on o.id = k.operation_id
         where k.user_id = $1 and k.key = $2",
        user,
        key
    )
    .fetch_optional(db)
    .await
    .map_err(while_doing("look up an idempotency key"))
}

/// Keeps a key. False when the user has used it: nothing is written then. Waits for another transaction that keeps it.
pub async fn keep(
    db: &mut PgConnection,
    user: Uuid,
    key: &str,
    digest: &str,
    stands_for: StandsFor<'_>,
) -> Result<bool> {
    let (operation, answer) = match stands_for {
        StandsFor::Operation(operation) => (Some(operation), None),
        StandsFor::Answer(answer) => (None, Some(answer)),
    };
    sqlx::query!(
        "insert into idempotency_keys (user_id, key, digest, operation_id, answer) values ($1, $2, $3, $4, $5)
         on conflict (user_id, key) do nothing",
        user,
        key,
        digest,
        operation,
        answer
    )
    .execute(db)
    .await
    .map_err(while_doing("keep an idempotency key"))
    .map(|done| done.rows_affected() == 1)
}

/// Forgets the keys that were used more than seven days ago: whoever repeats a request does so sooner. Answers how many.
pub async fn forget(db: impl PgExecutor<'_>) -> Result<u64> {
    sqlx::query!("delete from idempotency_keys where created_at < now() - interval '7 days'")
        .execute(db)
        .await
        .map_err(while_doing("forget idempotency keys"))
        .map(|done| done.rows_affected())
}
