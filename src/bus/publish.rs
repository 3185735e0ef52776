//! Publishing: an event is sent when the server has acknowledged it.

use async_nats::jetstream::context::{PublishAckFuture, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;

use super::{Bus, Event, Subject, streams};
use crate::domain::{Code, Error, Result, transaction};

/// The header that carries the correlation id beside the envelope.
pub(super) const CORRELATION: &str = "x-correlation-id";
/// The header that names the one consumer a message is meant for; others pass over it.
pub(super) const CONSUMER: &str = "x-northstack-consumer";

/// Where the server keeps a published event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    pub stream: String,
    /// Its place in the stream.
    pub sequence: u64,
    /// Whether the server had it already, by its id.
    pub duplicate: bool,
}

/// An event that was sent and not yet acknowledged.
pub struct Unconfirmed(PublishAckFuture);

impl Unconfirmed {
    /// Waits for the acknowledgment.
    ///
    /// # Errors
    /// `unavailable` when it does not come in time: the event may have been kept nevertheless.
    pub async fn confirmed(self) -> Result<Published> {
        let ack = self.0.await.map_err(|source| failed("waiting for the acknowledgment of an event", source))?;
        metrics::counter!("northstack_bus_published_total", "stream" => ack.stream.clone()).increment(1);
        Ok(Published { stream: ack.stream, sequence: ack.sequence, duplicate: ack.duplicate })
    }
}

impl Bus {
    /// Publishes an event and waits until the server keeps it. The event's id makes a repetition within
    /// `nats.duplicate_window` harmless.
    ///
    /// # Errors
    /// `unavailable` when the server did not acknowledge it in time; publish it again then.
    pub async fn publish(&self, subject: &Subject, event: &Event) -> Result<Published> {
        let started = tokio::time::Instant::now();
        let result = match self.publish_async(subject, event).await?.confirmed().await {
            // No stream keeps the subject: the server has lost its streams. They are made again, once.
            Err(error) if error.code() == Code::Unavailable && no_stream(&error) => {
                streams::ensure(self).await?;
                self.publish_async(subject, event).await?.confirmed().await
            }
            other => other,
        };
        metrics::histogram!("northstack_bus_publish_seconds").record(started.elapsed().as_secs_f64());
        if result.is_err() {
            metrics::counter!("northstack_bus_publish_failures_total").increment(1);
        }
        result
    }

    /// Sends an event without waiting; many may be under way at once.
    pub async fn publish_async(&self, subject: &Subject, event: &Event) -> Result<Unconfirmed> {
        let payload =
            serde_json::to_vec(event).map_err(|source| Error::internal("writing an event as JSON", source))?;
        let message = PublishMessage::build()
            .payload(payload.into())
            .message_id(event.id.to_string())
            .header(CORRELATION, header(&event.metadata.correlation_id));
        self.send(subject.as_str().to_owned(), message).await
    }

    pub(super) async fn send(&self, subject: String, message: PublishMessage) -> Result<Unconfirmed> {
        transaction::asks_outside("NATS");
        let sent = self.jetstream().send_publish(subject, message).await;
        sent.map(Unconfirmed).map_err(|source| failed("publishing an event", source))
    }
}

/// A header cannot hold line breaks; the envelope has the value unchanged.
fn header(value: &str) -> String {
    value.chars().filter(|character| !character.is_control()).collect()
}

fn failed(doing: &'static str, source: async_nats::jetstream::context::PublishError) -> Error {
    match source.kind() {
        PublishErrorKind::MaxPayloadExceeded => {
            Error::invalid("data", "the event is larger than the event bus accepts").caused_by(source)
        }
        _ => Error::unavailable(doing, source),
    }
}

fn no_stream(error: &Error) -> bool {
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        if let Some(publish) = inner.downcast_ref::<async_nats::jetstream::context::PublishError>() {
            return publish.kind() == PublishErrorKind::StreamNotFound;
        }
        cause = inner.source();
    }
    false
}
