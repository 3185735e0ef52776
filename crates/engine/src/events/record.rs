//! Writing down what came of deliveries, many at once.

use sqlx::PgPool;
use tokio::sync::{mpsc, oneshot};

use crate::retry;
use crate::webhook::{Log, Next, Outcome};

/// Most outcomes that one statement writes.
const BATCH: usize = 200;

/// What came of one try, as it goes into the log and the event's row.
pub(super) struct Record {
    pub event_id: String,
    pub trigger: String,
    pub outcome: Outcome,
    /// Told once the outcome is committed.
    pub done: oneshot::Sender<()>,
}

/// Writes outcomes until the senders are gone. An outcome that cannot be written is tried again while the lease
/// holds, then dropped: the event is delivered once more, never lost.
pub(super) async fn write(pool: PgPool, mut records: mpsc::Receiver<Record>) {
    let mut batch = Vec::with_capacity(BATCH);
    while records.recv_many(&mut batch, BATCH).await > 0 {
        retry::outcome("events", async || write_batch(&pool, &batch).await).await;
        for record in batch.drain(..) {
            // The deliverer may have been stopped meanwhile.
            let _ = record.done.send(());
        }
    }
}

async fn write_batch(pool: &PgPool, batch: &[Record]) -> sqlx::Result<()> {
    let column = |pick: fn(&Record) -> &str| batch.iter().map(pick).collect::<Vec<_>>();
    let text = |pick: fn(&Log) -> &str| batch.iter().map(|r| r.outcome.log.as_ref().map(pick)).collect::<Vec<_>>();
    let next = |is: Next| batch.iter().map(|r| r.outcome.next == is).collect::<Vec<_>>();
    let status: Vec<_> = batch.iter().map(|r| r.outcome.log.as_ref().and_then(|log| log.status)).collect();
    let retry: Vec<_> = batch
        .iter()
        .map(|r| match r.outcome.next {
            Next::Retry(after) => Some(i64::try_from(after.as_secs()).unwrap_or(i64::MAX / 1_000_000)),
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
    .bind(column(|r| &r.event_id))
    .bind(column(|r| &r.trigger))
    .bind(status)
    .bind(text(|log| &log.request))
    .bind(text(|log| &log.response))
    .bind(next(Next::Delivered))
    .bind(next(Next::Failed))
    .bind(retry)
    .execute(pool)
    .await?;
    Ok(())
}
