//! Writing down what came of a delivery.

use std::time::Duration;

use sqlx::{AssertSqlSafe, PgPool};
use time::OffsetDateTime;

use super::admin::Kind;
use crate::retry;
use crate::webhook::{Next, Outcome};

/// Bounds what is added to a time that cannot be later than the year 9999.
const LONGEST_WAIT: Duration = Duration::from_secs(1_000_000_000);

/// Writes an outcome; without one the event was too late to be sent. What cannot be written is tried again while the
/// claim holds; then the event is delivered once more, never lost.
pub(super) async fn write(pool: &PgPool, kind: Kind, id: &str, outcome: Option<&Outcome>, now: OffsetDateTime) {
    retry::outcome("scheduled events", async || try_write(pool, kind, id, outcome, now).await).await;
}

async fn try_write(
    pool: &PgPool,
    kind: Kind,
    id: &str,
    outcome: Option<&Outcome>,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    let log = outcome.and_then(|outcome| outcome.log.as_ref());
    let (status, retry) = match outcome.map(|outcome| outcome.next) {
        Some(Next::Delivered) => ("delivered", None),
        Some(Next::Failed) => ("error", None),
        Some(Next::Retry(after)) => ("scheduled", Some(now + after.min(LONGEST_WAIT))),
        None => ("dead", None),
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
