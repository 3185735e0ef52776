//! Writing down what came of deliveries, many at once.

use sqlx::PgPool;
use tokio::sync::{mpsc, oneshot};

use crate::engine::tries;

/// Most outcomes that one statement writes.
const BATCH: usize = 200;

/// What came of one try, as it goes into the log and the event's row.
pub(super) struct Outcome {
    pub event_id: String,
    pub trigger: String,
    /// What goes into the log; nothing when nothing was sent.
    pub log: Option<Log>,
    pub next: Next,
    /// Told once the outcome is committed.
    pub done: oneshot::Sender<()>,
}

/// One try as the log keeps it.
pub(super) struct Log {
    pub status: Option<i32>,
    pub request: String,
    pub response: String,
}

/// What happens to the event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    Delivered,
    /// Again after so many seconds.
    Retry(u64),
    /// No more tries.
    Failed,
}

/// Writes outcomes until the senders are gone. An outcome that cannot be written is tried again while the lease
/// holds, then dropped: the event is delivered once more, never lost.
pub(super) async fn write(pool: PgPool, mut outcomes: mpsc::Receiver<Outcome>) {
    let mut batch = Vec::with_capacity(BATCH);
    while outcomes.recv_many(&mut batch, BATCH).await > 0 {
        tries::outcome("events", async || write_batch(&pool, &batch).await).await;
        for outcome in batch.drain(..) {
            // The deliverer may have been stopped meanwhile.
            let _ = outcome.done.send(());
        }
    }
}

async fn write_batch(pool: &PgPool, batch: &[Outcome]) -> sqlx::Result<()> {
    let column = |pick: fn(&Outcome) -> String| batch.iter().map(pick).collect::<Vec<_>>();
    let retry: Vec<Option<i64>> = batch
        .iter()
        .map(|outcome| match outcome.next {
            Next::Retry(seconds) => Some(i64::try_from(seconds).unwrap_or(i64::MAX / 1_000_000)),
            Next::Delivered | Next::Failed => None,
        })
        .collect();
    sqlx::query(
        "with outcome as (select * from unnest($1::text[], $2::text[], $3::int[], $4::text[], $5::text[], $6::bool[], \
           $7::bool[], $8::bigint[]) o(event_id, trigger_name, status, request, response, delivered, failed, retry)), \
         logged as (insert into hdb_catalog.event_invocation_logs (event_id, trigger_name, status, request, response) \
           select event_id, trigger_name, status, request::json, response::json from outcome where request is not null) \
         update hdb_catalog.event_log l set tries = l.tries + (o.request is not null)::int, locked = null, delivered = o.delivered, \
           error = o.failed, next_retry_at = (now() at time zone 'utc') + o.retry * interval '1 second' \
         from outcome o where l.id = o.event_id",
    )
    .bind(column(|o| o.event_id.clone()))
    .bind(column(|o| o.trigger.clone()))
    .bind(batch.iter().map(|o| o.log.as_ref().and_then(|log| log.status)).collect::<Vec<_>>())
    .bind(batch.iter().map(|o| o.log.as_ref().map(|log| log.request.as_str())).collect::<Vec<_>>())
    .bind(batch.iter().map(|o| o.log.as_ref().map(|log| log.response.as_str())).collect::<Vec<_>>())
    .bind(batch.iter().map(|o| o.next == Next::Delivered).collect::<Vec<_>>())
    .bind(batch.iter().map(|o| o.next == Next::Failed).collect::<Vec<_>>())
    .bind(retry)
    .execute(pool)
    .await?;
    Ok(())
}
