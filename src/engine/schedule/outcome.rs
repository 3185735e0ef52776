//! Writing down what came of a delivery.

use sqlx::{AssertSqlSafe, PgPool};
use time::OffsetDateTime;

use super::admin::Kind;
use crate::engine::tries;

/// One try as the log keeps it.
#[derive(Debug, Clone)]
pub(super) struct Log {
    pub status: Option<i32>,
    pub request: String,
    pub response: String,
}

/// What happens to an event.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Next {
    Delivered,
    /// Again after so many seconds.
    Retry(f64),
    /// No more tries.
    Failed,
    /// It was too late to be sent.
    Dead,
}

/// Writes an outcome. What cannot be written is tried again while the claim holds; then the event is delivered once
/// more, never lost.
pub(super) async fn write(pool: &PgPool, kind: Kind, id: &str, log: Option<&Log>, next: Next, now: OffsetDateTime) {
    tries::outcome("scheduled events", async || try_write(pool, kind, id, log, next, now).await).await;
}

async fn try_write(
    pool: &PgPool,
    kind: Kind,
    id: &str,
    log: Option<&Log>,
    next: Next,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    let (status, retry) = match next {
        Next::Delivered => ("delivered", None),
        Next::Failed => ("error", None),
        Next::Dead => ("dead", None),
        Next::Retry(seconds) => ("scheduled", Some(now + time::Duration::seconds_f64(seconds.clamp(0.0, 1e9)))),
    };
    let sql = format!(
        "with event as (update {} set status = $2, tries = tries + ($4::text is not null)::int, locked = null, \
           next_retry_at = coalesce($3, next_retry_at) where id = $1 and status = 'locked' returning id) \
         insert into {} (event_id, status, request, response) \
           select id, $6, $4::json, $5::json from event where $4::text is not null",
        kind.table(),
        kind.logs()
    );
    sqlx::query(AssertSqlSafe(sql))
        .bind(id)
        .bind(status)
        .bind(retry)
        .bind(log.map(|log| log.request.as_str()))
        .bind(log.map(|log| log.response.as_str()))
        .bind(log.and_then(|log| log.status))
        .execute(pool)
        .await
        .map(|_| ())
}
