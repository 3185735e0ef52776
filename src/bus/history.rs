//! Replay: what was published, by subject and time.

use std::time::Duration;

use async_nats::jetstream::Message;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use async_nats::jetstream::stream::Stream as NatsStream;
use futures::TryStreamExt;
use time::OffsetDateTime;

use super::{Bus, Event, streams, subject};
use crate::domain::{Error, Result};

/// Messages read in one go.
const BATCH: usize = 256;

/// Which events to read again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replay {
    /// The subjects, such as `deployment.*.app-123`.
    pub subject: String,
    /// From when on, by the server's clock; from the beginning without it.
    pub since: Option<OffsetDateTime>,
    /// Until when; until now without it.
    pub until: Option<OffsetDateTime>,
    /// Most events to read.
    pub limit: usize,
}

/// An event as the server keeps it.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    /// The event.
    pub event: Event,
    /// The stream that keeps it.
    pub stream: String,
    /// Its place there.
    pub sequence: u64,
    /// When the server received it.
    pub recorded_at: OffsetDateTime,
}

impl Bus {
    /// Reads kept events, oldest first. Messages that are no events are left out.
    pub async fn get_history(&self, replay: &Replay) -> Result<Vec<Recorded>> {
        let mut found = Vec::new();
        for spec in streams::matching(&replay.subject).filter(|spec| !spec.work_queue) {
            // A filter wider than the stream is no filter for it.
            let narrow = spec.subjects.iter().any(|kept| subject::within(&replay.subject, kept));
            let filter = if narrow { replay.subject.as_str() } else { "" };
            let stream = self.stream(spec.name).await?;
            let wanted = |message: &Message| {
                subject::within(&message.subject, &replay.subject)
                    && serde_json::from_slice::<Event>(&message.payload).is_ok()
            };
            let until = replay.until;
            let messages = self
                .read(&stream, filter, replay.since, replay.limit, |message| {
                    wanted(message)
                        && until.is_none_or(|until| message.info().is_ok_and(|info| info.published <= until))
                })
                .await?;
            for message in messages {
                let info =
                    message.info().map_err(|source| Error::internal("reading where an event comes from", source))?;
                if let Ok(event) = serde_json::from_slice(&message.payload) {
                    let (stream, sequence) = (info.stream.to_owned(), info.stream_sequence);
                    found.push(Recorded { event, stream, sequence, recorded_at: info.published });
                }
            }
        }
        found.sort_by(|a, b| a.recorded_at.cmp(&b.recorded_at).then(a.sequence.cmp(&b.sequence)));
        found.truncate(replay.limit);
        Ok(found)
    }

    /// Reads up to `limit` kept messages that are `wanted`, without a trace on the server.
    pub(super) async fn read(
        &self,
        stream: &NatsStream,
        filter: &str,
        since: Option<OffsetDateTime>,
        limit: usize,
        wanted: impl Fn(&Message) -> bool,
    ) -> Result<Vec<Message>> {
        let failed = |source: async_nats::Error| Error::unavailable("reading kept events", source);
        let consumer = stream
            .create_consumer(pull::Config {
                deliver_policy: since
                    .map_or(DeliverPolicy::All, |start_time| DeliverPolicy::ByStartTime { start_time }),
                ack_policy: AckPolicy::None,
                filter_subject: filter.to_owned(),
                inactive_threshold: Duration::from_secs(30),
                memory_storage: true,
                num_replicas: 1,
                ..pull::Config::default()
            })
            .await
            .map_err(|source| failed(source.into()))?;
        let mut left = consumer.cached_info().num_pending;
        let mut messages = Vec::new();
        while left > 0 && messages.len() < limit {
            let batch =
                consumer.fetch().max_messages(BATCH).messages().await.map_err(|source| failed(source.into()))?;
            let batch: Vec<Message> = batch.try_collect().await.map_err(failed)?;
            if batch.is_empty() {
                break;
            }
            left = left.saturating_sub(batch.len() as u64);
            messages.extend(batch.into_iter().filter(&wanted));
        }
        messages.truncate(limit);
        let name = consumer.cached_info().name.clone();
        if let Err(error) = stream.delete_consumer(&name).await {
            tracing::debug!(%error, "replay_consumer_left_to_expire");
        }
        Ok(messages)
    }
}
