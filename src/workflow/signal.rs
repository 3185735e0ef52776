//! Signals: how a person or a webhook tells a waiting operation something.

use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::db::signals;
use crate::domain::{Code, Error, Result};

/// What became of a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signalled {
    /// The operation has it, and goes on with it.
    New,
    /// One of that name came before: that one stands, and nothing was written.
    Before,
}

/// Tells an open operation something under a name, in the caller's transaction, and wakes it. The first of a name
/// stands, so that a repeated request does no harm. Nudge after the commit with the operation's kind, which is answered.
///
/// # Errors
/// `not-found`, and `illegal-transition` when the operation has ended.
pub async fn signal(
    db: &mut PgConnection,
    operation: Uuid,
    name: &str,
    payload: &Value,
    sent_by: Option<Uuid>,
) -> Result<(Signalled, String)> {
    if name.is_empty() || name.len() > 100 {
        return Err(Error::invalid("name", "must have from 1 to 100 characters"));
    }
    let found = signals::lock(&mut *db, operation).await?;
    let (kind, status) = found.ok_or_else(|| Error::not_found("operation"))?;
    if signals::find(&mut *db, operation, name).await?.is_some() {
        return Ok((Signalled::Before, kind));
    }
    if !status.is_open() {
        return Err(Error::new(Code::IllegalTransition, format!("the operation {}", status.in_words())));
    }
    signals::insert(&mut *db, operation, name, payload, sent_by).await?;
    signals::wake(&mut *db, operation).await?;
    Ok((Signalled::New, kind))
}
