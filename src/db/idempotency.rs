//! Idempotency keys: what a user's key stood for, and the operation that the first request with it got.

use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

use super::error::while_doing;
use crate::domain::Result;

/// What a key stood for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Used {
    /// SHA-256 of the request, in hex.
    pub digest: String,
    /// The operation that the request got.
    pub operation: Uuid,
    /// What the operation is about.
    pub subject: Uuid,
}

/// What a user's key stood for, if it was used.
pub async fn find(db: impl PgExecutor<'_>, user: Uuid, key: &str) -> Result<Option<Used>> {
    sqlx::query_as!(
        Used,
        "select k.digest, k.operation_id as operation, o.subject_id as subject
         from idempotency_keys k join operations o on o.id = k.operation_id
         where k.user_id = $1 and k.key = $2",
        user,
        key
    )
    .fetch_optional(db)
    .await
    .map_err(while_doing("look up an idempotency key"))
}

/// Keeps a key. False when the user has used it: nothing is written then. Waits for another transaction that keeps it.
pub async fn keep(db: &mut PgConnection, user: Uuid, key: &str, digest: &str, operation: Uuid) -> Result<bool> {
    sqlx::query!(
        "insert into idempotency_keys (user_id, key, digest, operation_id) values ($1, $2, $3, $4)
         on conflict (user_id, key) do nothing",
        user,
        key,
        digest,
        operation
    )
    .execute(db)
    .await
    .map_err(while_doing("keep an idempotency key"))
    .map(|done| done.rows_affected() == 1)
}
