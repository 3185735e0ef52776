//! Transactions that carry the actor to the audit triggers and are done again when they conflict.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rand::RngExt;
use serde_json::json;

use super::{Db, error};
use crate::domain::transaction::{OpenTransaction, counted};
use crate::domain::{Actor, Error, Result};

/// Who does a transaction, for the audit log, and under which correlation id.
#[derive(Debug, Clone)]
pub struct Audit {
    /// Who acts.
    pub actor: Actor,
    /// The id that ties the rows, events, log lines and spans of one request together.
    pub correlation_id: Option<String>,
}

impl Audit {
    /// The platform itself.
    pub fn system(correlation_id: impl Into<Option<String>>) -> Self {
        Self { actor: Actor::System, correlation_id: correlation_id.into() }
    }

    /// Names the actor for the rest of an open transaction.
    pub async fn apply(&self, db: &mut sqlx::PgConnection) -> Result<()> {
        sqlx::query!(
            "select set_config('hasura.user', $1, true) as actor,
                    set_config('northstack.correlation_id', $2, true) as correlation",
            self.session(),
            self.correlation_id.as_deref().unwrap_or_default()
        )
        .fetch_one(db)
        .await
        .map_err(error::while_doing("naming the actor of a transaction"))
        .map(drop)
    }

    /// The session variables as Hasura sets them for its own mutations, which the audit triggers read.
    pub(super) fn session(&self) -> String {
        let mut session = json!({ "x-hasura-role": self.actor.role() });
        if let Some(id) = self.actor.user_id() {
            session["x-hasura-user-id"] = json!(id);
        }
        if let Some(id) = &self.correlation_id {
            session["x-hasura-correlation-id"] = json!(id);
        }
        session.to_string()
    }
}

/// An open transaction, as its body gets it: a connection, for queries as `&mut *tx`.
/// It goes back to [`Db::transaction`] when dropped, which then commits or rolls back.
pub struct PgTx {
    open: Option<Open>,
    back: Arc<Mutex<Option<Open>>>,
}

type Open = sqlx::Transaction<'static, sqlx::Postgres>;

impl Deref for PgTx {
    type Target = sqlx::PgConnection;

    #[expect(clippy::expect_used, reason = "only `drop` takes the transaction out")]
    fn deref(&self) -> &Self::Target {
        self.open.as_deref().expect("a transaction that is not dropped is open")
    }
}

impl DerefMut for PgTx {
    #[expect(clippy::expect_used, reason = "only `drop` takes the transaction out")]
    fn deref_mut(&mut self) -> &mut Self::Target {
        self.open.as_deref_mut().expect("a transaction that is not dropped is open")
    }
}

impl Drop for PgTx {
    fn drop(&mut self) {
        *self.back.lock().unwrap_or_else(PoisonError::into_inner) = self.open.take();
    }
}

impl Db {
    /// Runs `body` in a transaction and commits; rolls back when it fails. When the database reports a
    /// conflict with another transaction (SQLSTATE 40001, 40P01), the whole is done again after a random,
    /// growing pause, at most `transaction_attempts` times: `body` must have no effect outside the database, nor ask
    /// another system for anything, which would hold what the transaction has locked. The clients of vendors see to that.
    ///
    /// ```ignore
    /// db.transaction(&audit, async |mut tx| stores::insert(&mut tx, &store).await).await?
    /// ```
    pub async fn transaction<T, F, Fut>(&self, audit: &Audit, mut body: F) -> Result<T>
    where
        F: FnMut(PgTx) -> Fut,
        Fut: Future<Output = Result<T>>,
    {
        let mut attempt = 1;
        loop {
            let mut open = self.pool().begin().await.map_err(error::while_doing("beginning a transaction"))?;
            audit.apply(&mut open).await?;
            let back = Arc::new(Mutex::new(None));
            let work = body(PgTx { open: Some(open), back: Arc::clone(&back) });
            let outcome = counted(async {
                let _open = OpenTransaction::begin();
                work.await
            })
            .await;
            let open = back.lock().unwrap_or_else(PoisonError::into_inner).take();
            let result = match (outcome, open) {
                (Ok(value), Some(open)) => match open.commit().await {
                    Ok(()) => return Ok(value),
                    Err(source) => Err(error::while_doing("committing a transaction")(source)),
                },
                (Ok(_), None) => Err(Error::internal("committing a transaction", "its body kept it")),
                (Err(failure), open) => {
                    // The connection may be gone; the server rolls back by itself then.
                    if let Some(open) = open
                        && let Err(source) = open.rollback().await
                    {
                        tracing::debug!(error = %source, "transaction_rollback_failed");
                    }
                    Err(failure)
                }
            };
            match result {
                Err(failure) if attempt < self.0.attempts && error::conflicts(&failure) => {
                    metrics::counter!("northstack_database_transaction_retries_total").increment(1);
                    tracing::debug!(attempt, "transaction_retried");
                    tokio::time::sleep(pause(attempt)).await;
                    attempt += 1;
                }
                other => return other,
            }
        }
    }
}

/// A random pause of up to 2 ms × 2ⁿ, at most a second (full jitter).
fn pause(attempt: usize) -> Duration {
    let longest = 2_000_u64.saturating_mul(1 << attempt.min(10)).min(1_000_000);
    Duration::from_micros(rand::rng().random_range(500..=longest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_session_names_role_user_and_correlation() {
        let id = uuid::Uuid::from_u128(7);
        let audit = Audit { actor: Actor::User(id), correlation_id: Some("req-1".into()) };
        let session: serde_json::Value = serde_json::from_str(&audit.session()).unwrap();
        assert_eq!(session["x-hasura-role"], "user");
        assert_eq!(session["x-hasura-user-id"], json!(id));
        assert_eq!(session["x-hasura-correlation-id"], "req-1");
        assert_eq!(Audit::system(None).session(), r#"{"x-hasura-role":"system"}"#);
    }

    #[test]
    fn pauses_grow_and_stay_below_a_second() {
        for attempt in 1..40 {
            assert!(pause(attempt) <= Duration::from_secs(1));
        }
        assert!((0..200).any(|_| pause(9) > Duration::from_millis(100)));
    }
}

#[cfg(test)]
mod send {
    use super::*;

    fn assert_send<T: Send>(value: T) -> T {
        value
    }

    async fn handler(db: Db, name: String) -> Result<i64> {
        let audit = Audit::system(None);
        let (db, name) = (&db, &name);
        db.transaction(&audit, async |mut tx| {
            let row =
                sqlx::query_scalar!(r#"select length($1)::bigint as "length!""#, name).fetch_one(&mut *tx).await?;
            Ok(row)
        })
        .await
    }

    /// Handlers run on any thread: a transaction whose body borrows from its surroundings is still `Send`.
    #[allow(dead_code)]
    fn transactions_can_move_between_threads(db: Db) {
        drop(assert_send(handler(db, String::new())));
    }
}
