//! Replay: what was published, by subject and time.

use std::time::Duration;

use async_nats::jetstream::Message;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use async_nats::jetstream::stream::Stream as NatsStream;
use futures::stream::{BoxStream, SelectAll};
use futures::{Stream, StreamExt, TryStreamExt};
use time::OffsetDateTime;

use super::{Bus, Event, streams, subject};
use crate::domain::{Error, Result};

/// Messages read in one go.
const BATCH: usize = 256;

/// How long the server is waited for when it has said that there is more. It counts wrongly where a consumer has a filter
/// and begins in the middle of a stream (nats-server 2.9), and would then never say that there is nothing left.
const PATIENCE: Duration = Duration::from_secs(2);

/// Which events to read again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replay {
    /// The subjects, such as `deployment.*.app-123`.
    pub subject: String,
    /// From when on, by the server's clock; from the beginning without it.
    pub since: Option<OffsetDateTime>,
    /// From which place in its stream on; the subjects must lie in one stream then.
    pub from_sequence: Option<u64>,
    /// Until when; until now without it.
    pub until: Option<OffsetDateTime>,
    /// Most events to read.
    pub limit: usize,
}

impl Replay {
    /// All kept events of these subjects, up to a number of them.
    pub fn all(subject: &str, limit: usize) -> Self {
        Self { subject: subject.to_owned(), since: None, from_sequence: None, until: None, limit }
    }

    fn policy(&self) -> DeliverPolicy {
        match (self.from_sequence, self.since) {
            (Some(start_sequence), _) => DeliverPolicy::ByStartSequence { start_sequence: start_sequence.max(1) },
            (None, Some(start_time)) => DeliverPolicy::ByStartTime { start_time },
            (None, None) => DeliverPolicy::All,
        }
    }

    /// The streams that keep these subjects, each with the filter that it is asked with.
    fn sources(&self) -> Result<Vec<(&'static streams::Spec, &str)>> {
        let kept: Vec<_> = streams::matching(&self.subject)
            .filter(|spec| !spec.work_queue)
            .map(|spec| {
                // A filter that lets all of the stream through is no filter for it.
                let narrow = spec.subjects.iter().any(|kept| subject::within(&self.subject, kept));
                let whole = spec.subjects == [self.subject.as_str()];
                (spec, if narrow && !whole { self.subject.as_str() } else { "" })
            })
            .collect();
        if self.from_sequence.is_some() && kept.len() != 1 {
            let message = "a place is one in a stream: name subjects of one stream, such as `deployment.>`";
            return Err(Error::invalid("subject", message));
        }
        Ok(kept)
    }
}

/// An event as the server keeps it.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    pub event: Event,
    /// The stream that keeps it.
    pub stream: String,
    /// Its place there.
    pub sequence: u64,
    /// When the server received it.
    pub recorded_at: OffsetDateTime,
}

/// A stream that is read page by page.
#[derive(Debug)]
pub struct Pages {
    replay: Replay,
    stream: &'static str,
    filter: String,
    over: bool,
}

impl Bus {
    /// The streams that keep what is to be read, each from its beginning.
    pub fn pages(&self, replay: &Replay) -> Result<Vec<Pages>> {
        let pages = replay.sources()?.into_iter().map(|(spec, filter)| Pages {
            replay: replay.clone(),
            stream: spec.name,
            filter: filter.to_owned(),
            over: false,
        });
        Ok(pages.collect())
    }

    /// The next page of a stream, oldest first; `None` after the last.
    pub async fn next_page(&self, pages: &mut Pages, limit: usize) -> Result<Option<Vec<Recorded>>> {
        if pages.over {
            return Ok(None);
        }
        let stream = self.stream(pages.stream).await?;
        let policy = pages.replay.policy();
        let messages = self.read(&stream, &pages.filter, policy, limit, |_| true).await?;
        pages.over = messages.len() < limit;
        let mut found = Vec::with_capacity(messages.len());
        for message in &messages {
            let info = message.info().map_err(|source| Error::internal("reading where an event comes from", source))?;
            pages.replay.from_sequence = Some(info.stream_sequence + 1);
            if pages.replay.until.is_some_and(|until| info.published > until) {
                pages.over = true;
                break;
            }
            if subject::within(&message.subject, &pages.replay.subject) {
                found.extend(recorded(message)?);
            }
        }
        Ok(Some(found))
    }

    /// Reads kept events, oldest first. Messages that are no events are left out.
    pub async fn get_history(&self, replay: &Replay) -> Result<Vec<Recorded>> {
        let mut found = Vec::new();
        for (spec, filter) in replay.sources()? {
            let stream = self.stream(spec.name).await?;
            let wanted = |message: &Message| {
                subject::within(&message.subject, &replay.subject)
                    && serde_json::from_slice::<Event>(&message.payload).is_ok()
            };
            let until = replay.until;
            let messages = self
                .read(&stream, filter, replay.policy(), replay.limit, |message| {
                    wanted(message)
                        && until.is_none_or(|until| message.info().is_ok_and(|info| info.published <= until))
                })
                .await?;
            for message in &messages {
                found.extend(recorded(message)?);
            }
        }
        found.sort_by(|a, b| a.recorded_at.cmp(&b.recorded_at).then(a.sequence.cmp(&b.sequence)));
        found.truncate(replay.limit);
        Ok(found)
    }

    /// Events of these subjects, those that are kept first and then those that come, until the stream is dropped. Its
    /// `until` and `limit` are not heeded. A lost connection is waited out; nothing is left out or doubled by it.
    pub async fn follow(&self, replay: &Replay) -> Result<impl Stream<Item = Result<Recorded>> + Send + use<>> {
        let failed = |source: async_nats::Error| Error::unavailable("following events", source);
        let mut sources: SelectAll<BoxStream<'static, Result<Recorded>>> = SelectAll::new();
        for (spec, filter) in replay.sources()? {
            let wanted = pull::OrderedConfig {
                deliver_policy: replay.policy(),
                filter_subject: filter.to_owned(),
                ..pull::OrderedConfig::default()
            };
            let consumer = self.stream(spec.name).await?.create_consumer(wanted).await;
            let messages = consumer.map_err(|source| failed(source.into()))?.messages().await;
            let messages = messages.map_err(|source| failed(source.into()))?;
            let subject = replay.subject.clone();
            let events = messages.filter_map(move |message| {
                let event = match message {
                    Ok(message) if subject::within(&message.subject, &subject) => recorded(&message).transpose(),
                    Ok(_) => None,
                    Err(source) => Some(Err(Error::unavailable("following events", source))),
                };
                std::future::ready(event)
            });
            sources.push(events.boxed());
        }
        Ok(sources)
    }

    /// Reads up to `limit` kept messages that are `wanted`, without a trace on the server.
    pub(super) async fn read(
        &self,
        stream: &NatsStream,
        filter: &str,
        deliver_policy: DeliverPolicy,
        limit: usize,
        wanted: impl Fn(&Message) -> bool,
    ) -> Result<Vec<Message>> {
        let failed = |source: async_nats::Error| Error::unavailable("reading kept events", source);
        let consumer = stream
            .create_consumer(pull::Config {
                deliver_policy,
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
            let batch = consumer.fetch().max_messages(BATCH).expires(PATIENCE).messages().await;
            let batch = batch.map_err(|source| failed(source.into()))?;
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

/// The event of a message; none when it is no event.
fn recorded(message: &Message) -> Result<Option<Recorded>> {
    let info = message.info().map_err(|source| Error::internal("reading where an event comes from", source))?;
    let event = serde_json::from_slice(&message.payload).ok();
    Ok(event.map(|event| Recorded {
        event,
        stream: info.stream.to_owned(),
        sequence: info.stream_sequence,
        recorded_at: info.published,
    }))
}
