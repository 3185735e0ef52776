//! Dead letters: events that no handler could handle, with the reason, until somebody drives them again.

use async_nats::jetstream::Message;
use async_nats::jetstream::consumer::DeliverPolicy;
use async_nats::jetstream::message::PublishMessage;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use time::OffsetDateTime;

use super::publish::CONSUMER;
use super::{Bus, Subject, streams};
use crate::domain::{Error, Result};

/// An event that no handler could handle.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetter {
    /// The stream that it comes from.
    pub stream: String,
    pub stream_sequence: u64,
    pub subject: String,
    /// The consumer that gave up.
    pub consumer: String,
    /// How often it was delivered.
    pub deliveries: usize,
    /// Code of the last failure.
    pub error_code: String,
    /// The last failure, in words.
    pub error_message: String,
    /// When the consumer gave up.
    #[serde(with = "time::serde::rfc3339")]
    pub failed_at: OffsetDateTime,
    /// The message as it was, if it was JSON; otherwise its text as a JSON string.
    pub event: Box<RawValue>,
}

impl Bus {
    /// Puts a message to the dead letters. Its place in its stream is the key, so a repetition is harmless.
    pub(super) async fn bury(
        &self,
        stream: &str,
        consumer: &str,
        message: &Message,
        sequence: u64,
        attempt: usize,
        error: &Error,
    ) -> Result<()> {
        let text = String::from_utf8_lossy(&message.payload);
        let event = match RawValue::from_string(text.clone().into_owned()) {
            Ok(event) => event,
            Err(_) => serde_json::value::to_raw_value(&text)
                .map_err(|source| Error::internal("writing a dead letter", source))?,
        };
        let letter = DeadLetter {
            stream: stream.to_owned(),
            stream_sequence: sequence,
            subject: message.subject.to_string(),
            consumer: consumer.to_owned(),
            deliveries: attempt,
            error_code: error.code().as_str().to_owned(),
            error_message: error.message().to_owned(),
            failed_at: OffsetDateTime::now_utc(),
            event,
        };
        let payload = serde_json::to_vec(&letter).map_err(|source| Error::internal("writing a dead letter", source))?;
        let id = format!("dead:{stream}:{consumer}:{sequence}");
        let publish = PublishMessage::build().payload(payload.into()).message_id(id);
        let subject = Subject::new("dead", &[stream], consumer);
        self.send(subject.as_str().to_owned(), publish).await?.confirmed().await?;
        metrics::counter!("northstack_bus_dead_letters_total", "consumer" => consumer.to_owned()).increment(1);
        tracing::error!(stream, consumer, sequence, attempt, error = %error.chain(), "event_dead");
        Ok(())
    }

    /// The dead letters, oldest first, each with its place among them.
    pub async fn dead_letters(&self, limit: usize) -> Result<Vec<(u64, DeadLetter)>> {
        let stream = self.stream(streams::DEAD_LETTERS).await?;
        let read = self.read(&stream, "", DeliverPolicy::All, limit, |_| true).await?;
        let letters = read.into_iter().filter_map(|message| {
            let letter = serde_json::from_slice(&message.payload).ok()?;
            Some((super::consume::position(&message).ok()?.0, letter))
        });
        Ok(letters.collect())
    }

    /// Publishes the event of the dead letter at `place` again, for the consumer that gave up alone,
    /// and removes the letter.
    ///
    /// # Errors
    /// `not-found` when there is no letter at that place.
    pub async fn redrive(&self, place: u64) -> Result<()> {
        let stream = self.stream(streams::DEAD_LETTERS).await?;
        let raw =
            stream.get_raw_message(place).await.map_err(|source| Error::not_found("dead letter").caused_by(source))?;
        let letter: DeadLetter =
            serde_json::from_slice(&raw.payload).map_err(|source| Error::internal("reading a dead letter", source))?;
        // A string stands for a message that was not JSON.
        let text = letter.event.get();
        let payload = serde_json::from_str::<String>(text).unwrap_or_else(|_| text.to_owned());
        // Under an id of its own: the server would take the event's for a repetition.
        let id = format!("redrive:{place}:{}", raw.time.unix_timestamp_nanos());
        let publish =
            PublishMessage::build().payload(payload.into()).message_id(id).header(CONSUMER, letter.consumer.as_str());
        self.send(letter.subject, publish).await?.confirmed().await?;
        stream
            .delete_message(place)
            .await
            .map_err(|source| Error::unavailable("removing a dead letter that was driven again", source))?;
        Ok(())
    }
}
