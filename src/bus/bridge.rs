//! The bridge: writes every event to `platform_events`, in JetStream's order, one writer at a time, so that
//! `sequence` is a safe cursor: it grows without gaps that fill later.
//!
//! The table itself says how far the bridge has come. It reads each stream from there on, in order, and
//! acknowledges nothing: what was written and what was read cannot disagree, whatever is lost in between.

use std::time::Duration;

use async_nats::jetstream::Message;
use async_nats::jetstream::consumer::{DeliverPolicy, pull};
use futures::stream::{BoxStream, SelectAll};
use futures::{StreamExt, stream};
use tokio_util::sync::CancellationToken;

use super::{Bus, Event, streams};
use crate::db::events::{self, Row};
use crate::db::leases::{self, Lease};
use crate::db::{Audit, Db};
use crate::domain::{Error, Result};

/// The lease that the one writer holds.
const LEASE: &str = "bridge";
/// How long a bridge that died keeps the others waiting.
const LEASE_TIME: Duration = Duration::from_secs(10);
/// How often the others ask for the lease.
const ASK_EVERY: Duration = Duration::from_secs(2);
/// Most events written in one transaction.
const BATCH: usize = 200;
/// Pause after a failure.
const RESUME_AFTER: Duration = Duration::from_millis(500);

/// Runs the bridge until `stop`. Any number of processes may run it: one writes, the others stand by.
/// Losses of the bus and of the database are waited out.
pub async fn run(db: Db, bus: Bus, stop: CancellationToken) {
    let holder = leases::holder();
    while !stop.is_cancelled() {
        // It ends with `stop` by itself, and gives the lease back.
        let pause = match turn(&db, &bus, &holder, &stop).await {
            Ok(true) => RESUME_AFTER,
            Ok(false) => ASK_EVERY,
            Err(error) => {
                metrics::counter!("northstack_bridge_interruptions_total").increment(1);
                tracing::warn!(error = %error.chain(), "bridge_interrupted");
                RESUME_AFTER
            }
        };
        stop.run_until_cancelled(tokio::time::sleep(pause)).await;
    }
}

/// Writes for as long as the lease is held; `false` when another process has it.
async fn turn(db: &Db, bus: &Bus, holder: &str, stop: &CancellationToken) -> Result<bool> {
    let Some(lease) = leases::acquire(db.pool(), LEASE, holder, LEASE_TIME).await? else { return Ok(false) };
    tracing::info!(generation = lease.generation, "bridge_started");
    let kept = lease.clone().keep(db.pool(), LEASE_TIME);
    let result = tokio::select! {
        result = pump(db, bus, &lease) => result,
        () = kept.lost().cancelled() => Ok(()),
        () = stop.cancelled() => Ok(()),
    };
    kept.release(db.pool()).await?;
    result.map(|()| true)
}

/// Reads all streams and writes what comes, in batches of what is there at the moment.
async fn pump(db: &Db, bus: &Bus, lease: &Lease) -> Result<()> {
    let mut sources: SelectAll<BoxStream<'static, Result<(&'static str, Message)>>> = SelectAll::new();
    for spec in streams::bridged() {
        sources.push(source(db, bus, spec.name).await?);
    }
    let mut batches = sources.ready_chunks(BATCH);
    while let Some(batch) = batches.next().await {
        let mut rows = Vec::with_capacity(batch.len());
        let mut failure = None;
        for message in batch {
            match message {
                Ok((stream, message)) => rows.extend(row(bus, stream, &message).await?),
                Err(error) => failure = Some(error),
            }
        }
        if write(db, lease, &rows).await? > 0 {
            bus.tell_written().await;
        }
        if let Some(error) = failure {
            return Err(error);
        }
    }
    Err(Error::unavailable("reading the streams", "they ended"))
}

/// The messages of a stream that come after the last one written.
async fn source(db: &Db, bus: &Bus, name: &'static str) -> Result<BoxStream<'static, Result<(&'static str, Message)>>> {
    let failed = |source: async_nats::Error| Error::unavailable("reading a stream for the bridge", source);
    let stream = bus.stream(name).await?;
    let policy = match events::last_written(db.pool(), name).await? {
        Some((sequence, id)) if same_stream(&stream, sequence, id).await? => {
            DeliverPolicy::ByStartSequence { start_sequence: sequence + 1 }
        }
        Some(_) => {
            // The stream was made anew. What it had and nobody has read is only in the database now; what was written
            // before is recognised.
            let audit = Audit::system(None);
            let again = db.transaction(&audit, async |mut tx| events::deliver_again(&mut tx).await).await?;
            tracing::warn!(stream = name, again, "stream_made_anew");
            DeliverPolicy::All
        }
        None => DeliverPolicy::All,
    };
    let consumer = stream
        .create_consumer(pull::OrderedConfig { deliver_policy: policy, ..pull::OrderedConfig::default() })
        .await
        .map_err(|source| failed(source.into()))?;
    let messages = consumer.messages().await.map_err(|source| failed(source.into()))?;
    let messages = messages.map(move |message| match message {
        Ok(message) => Ok((name, message)),
        Err(source) => Err(Error::unavailable("reading a stream for the bridge", source)),
    });
    // The end of one stream ends the turn, which then starts again.
    let ended = stream::once(async { Err(Error::unavailable("reading a stream for the bridge", "it ended")) });
    Ok(messages.chain(ended).boxed())
}

/// Whether the stream is the one of which `sequence` was written as the event `id`.
async fn same_stream(stream: &async_nats::jetstream::stream::Stream, sequence: u64, id: uuid::Uuid) -> Result<bool> {
    let state = &stream.cached_info().state;
    if state.last_sequence < sequence {
        return Ok(false);
    }
    if state.first_sequence > sequence {
        return Ok(true);
    }
    match stream.get_raw_message(sequence).await {
        Ok(message) => Ok(serde_json::from_slice::<Event>(&message.payload).is_ok_and(|event| event.id == id)),
        // Deleted since; the stream has gone on from there.
        Err(error) if error.kind() == async_nats::jetstream::stream::LastRawMessageErrorKind::NoMessageFound => {
            Ok(true)
        }
        Err(error) => Err(Error::unavailable("comparing a stream with what was written", error)),
    }
}

/// The row of a message; none for what is not an event, which goes to the dead letters.
async fn row(bus: &Bus, stream: &'static str, message: &Message) -> Result<Option<Row>> {
    let (sequence, attempt) = super::consume::position(message)?;
    let event: Event = match serde_json::from_slice(&message.payload) {
        Ok(event) => event,
        Err(source) => {
            let error = Error::invalid("event", format!("the message is not an event: {source}"));
            bus.bury(stream, LEASE, message, sequence, attempt, &error).await?;
            return Ok(None);
        }
    };
    let mut data = event.data;
    super::told::show(&mut data);
    let entity = super::Subject::parse(&event.subject).ok().map(|subject| subject.entity());
    let metadata = serde_json::to_value(&event.metadata)
        .map_err(|source| Error::internal("writing an event's metadata", source))?;
    Ok(Some(Row {
        id: event.id,
        stream: stream.to_owned(),
        stream_sequence: i64::try_from(sequence).unwrap_or(i64::MAX),
        subject: event.subject,
        kind: event.kind,
        source: event.source,
        entity_id: entity,
        correlation_id: event.metadata.correlation_id.clone(),
        occurred_at: event.timestamp,
        data: serde_json::Value::Object(data),
        metadata,
    }))
}

/// Writes a batch under the lease, again and again while the database is lost, and gives how many of its events were new.
/// The lease's loss ends it.
async fn write(db: &Db, lease: &Lease, rows: &[Row]) -> Result<u64> {
    if rows.is_empty() {
        return Ok(0);
    }
    let audit = Audit::system(None);
    let written = db.transaction(&audit, async |mut tx| events::append(&mut tx, lease, rows).await).await?;
    metrics::counter!("northstack_bridge_events_total").increment(written);
    Ok(written)
}
