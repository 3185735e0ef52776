//! Durable consumers: each event is handled until its handler has succeeded, or lies with the dead letters.
//!
//! The count of deliveries is kept by the server and judged here: a server-side limit would only leave the
//! message behind in the stream (and tell so when somebody happens to pull).

use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, PullConsumer, pull};
use async_nats::jetstream::{AckKind, Message};
use futures::{FutureExt, TryStreamExt};
use tokio_util::sync::CancellationToken;

use super::publish::CONSUMER;
use super::{Bus, Event, streams, subject};
use crate::domain::{Code, Error, Result};

/// How long the server waits for a sign of life of a handler before it delivers again.
const ACK_WAIT: Duration = Duration::from_secs(10);
/// How often the server says that it still knows of an idle consumer; twice that without a word, and it is asked anew.
const HEARTBEAT: Duration = Duration::from_secs(3);
/// Pause before a consumer that lost its connection is set up anew.
const RESUME_AFTER: Duration = Duration::from_millis(500);

/// What a durable consumer receives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// Its name: consumers of the same name, in whatever process, share the events between them.
    pub name: String,
    /// The subjects, such as `deployment.>`; all within one stream.
    pub filter: String,
    /// Events handled at once; 1 keeps their order.
    pub concurrency: usize,
}

/// An event as it is handed to a handler.
#[derive(Debug, Clone)]
pub struct Delivery {
    pub event: Event,
    /// The stream it comes from.
    pub stream: String,
    /// Its place there.
    pub sequence: u64,
    /// How often it has been delivered, this time included.
    pub attempt: usize,
}

impl Bus {
    /// Handles the events of `subscription` until `stop`, those first that came while nobody listened.
    ///
    /// A handler that succeeds ends an event; one that fails gets it again after the pauses of
    /// `nats.redelivery_pauses`, up to `nats.max_deliver` times; then, or at once when the failure cannot
    /// pass (not [`Error::retryable`] and not `internal`), the event goes to the dead letters.
    /// A lost connection is waited out.
    ///
    /// # Errors
    /// `invalid-input` when the filter lies in no stream or in several.
    pub async fn subscribe<F, Fut>(&self, subscription: Subscription, handler: F, stop: CancellationToken) -> Result<()>
    where
        F: Fn(Delivery) -> Fut + Send + Sync,
        Fut: Future<Output = Result<()>> + Send,
    {
        let spec = spec(&subscription)?;
        let work = Work { bus: self, stream: spec.name, subscription: &subscription, handler };
        while !stop.is_cancelled() {
            let ended = stop.run_until_cancelled(work.run()).await;
            if let Some(Err(error)) = ended {
                tracing::warn!(consumer = subscription.name, error = %error.chain(), "consumer_interrupted");
                if error.code() == Code::InvalidInput {
                    return Err(error);
                }
            }
            stop.run_until_cancelled(tokio::time::sleep(RESUME_AFTER)).await;
        }
        Ok(())
    }
}

fn spec(subscription: &Subscription) -> Result<&'static streams::Spec> {
    let mut specs =
        streams::ALL.iter().filter(|spec| spec.subjects.iter().any(|kept| subject::within(&subscription.filter, kept)));
    let wrong = || Error::invalid("filter", "must lie within the subjects of one stream, such as `deployment.>`");
    specs.next().ok_or_else(wrong)
}

struct Work<'a, F> {
    bus: &'a Bus,
    stream: &'static str,
    subscription: &'a Subscription,
    handler: F,
}

impl<F, Fut> Work<'_, F>
where
    F: Fn(Delivery) -> Fut + Send + Sync,
    Fut: Future<Output = Result<()>> + Send,
{
    async fn run(&self) -> Result<()> {
        let consumer = self.consumer().await?;
        let messages = consumer
            .stream()
            .max_messages_per_batch(self.subscription.concurrency.max(1))
            .heartbeat(HEARTBEAT)
            .messages()
            .await
            .map_err(|source| Error::unavailable("receiving events", source))?;
        messages
            .map_err(|source| Error::unavailable("receiving events", source))
            .try_for_each_concurrent(self.subscription.concurrency.max(1), |message| self.handle(message).map(Ok))
            .await?;
        Ok(())
    }

    async fn consumer(&self) -> Result<PullConsumer> {
        let wanted = pull::Config {
            durable_name: Some(self.subscription.name.clone()),
            filter_subject: self.subscription.filter.clone(),
            deliver_policy: DeliverPolicy::All,
            ack_policy: AckPolicy::Explicit,
            ack_wait: ACK_WAIT,
            max_ack_pending: i64::try_from(self.bus.0.config.max_in_flight).unwrap_or(i64::MAX),
            ..pull::Config::default()
        };
        let stream = self.bus.stream(self.stream).await?;
        let consumer = stream
            .create_consumer(wanted)
            .await
            .map_err(|source| Error::unavailable("creating a durable consumer", source))?;
        if consumer.cached_info().config.filter_subject != self.subscription.filter {
            return Err(Error::invalid("filter", "the event bus did not take the consumer's filter"));
        }
        Ok(consumer)
    }

    /// Handles one message to its end. What fails on the way leaves it with the server, which delivers it again.
    async fn handle(&self, message: Message) {
        let started = tokio::time::Instant::now();
        let outcome = match self.judge(&message).await {
            Ok(outcome) => outcome,
            Err(error) => {
                tracing::warn!(consumer = self.subscription.name, error = %error.chain(), "event_not_settled");
                "unsettled"
            }
        };
        let name = self.subscription.name.clone();
        metrics::counter!("northstack_bus_consumed_total", "consumer" => name.clone(), "outcome" => outcome)
            .increment(1);
        metrics::histogram!("northstack_bus_handle_seconds", "consumer" => name)
            .record(started.elapsed().as_secs_f64());
    }

    async fn judge(&self, message: &Message) -> Result<&'static str> {
        let config = &self.bus.0.config;
        let meant_for = message.headers.as_ref().and_then(|headers| headers.get(CONSUMER));
        if meant_for.is_some_and(|name| name.as_str() != self.subscription.name) {
            settle(message, AckKind::Ack).await?;
            return Ok("not_meant");
        }
        let (sequence, attempt) = position(message)?;
        if attempt > config.max_deliver {
            let error =
                Error::new(Code::Timeout, "no handler finished the event in time, as often as it was delivered");
            return self.bury(message, sequence, attempt, &error).await;
        }
        let event = match serde_json::from_slice::<Event>(&message.payload) {
            Ok(event) => event,
            Err(source) => {
                let error = Error::invalid("event", format!("the message is not an event: {source}"));
                return self.bury(message, sequence, attempt, &error).await;
            }
        };
        let delivery = Delivery { event, stream: self.stream.to_owned(), sequence, attempt };
        match keep_alive(message, (self.handler)(delivery)).await {
            Ok(()) => {
                settle(message, AckKind::Ack).await?;
                Ok("handled")
            }
            Err(error) if attempt < config.max_deliver && (error.retryable() || error.code() == Code::Internal) => {
                let last = config.redelivery_pauses.len().saturating_sub(1);
                let pause = config.redelivery_pauses.get((attempt - 1).min(last)).copied();
                tracing::info!(consumer = self.subscription.name, attempt, error = %error.chain(), "event_retried");
                settle(message, AckKind::Nak(pause)).await?;
                Ok("retried")
            }
            Err(error) => self.bury(message, sequence, attempt, &error).await,
        }
    }

    async fn bury(&self, message: &Message, sequence: u64, attempt: usize, error: &Error) -> Result<&'static str> {
        self.bus.bury(self.stream, &self.subscription.name, message, sequence, attempt, error).await?;
        settle(message, AckKind::Term).await?;
        Ok("dead")
    }
}

/// The place of a message in its stream, and how often it has been delivered.
pub(super) fn position(message: &Message) -> Result<(u64, usize)> {
    let info = message.info().map_err(|source| Error::internal("reading where an event comes from", source))?;
    Ok((info.stream_sequence, usize::try_from(info.delivered).unwrap_or(usize::MAX).max(1)))
}

async fn settle(message: &Message, kind: AckKind) -> Result<()> {
    message.ack_with(kind).await.map_err(|source| Error::unavailable("settling an event", source))
}

/// Tells the server now and then that the event is still being worked on.
async fn keep_alive<T>(message: &Message, work: impl Future<Output = T>) -> T {
    let signs = async {
        loop {
            tokio::time::sleep(ACK_WAIT / 3).await;
            if let Err(error) = message.ack_with(AckKind::Progress).await {
                tracing::debug!(%error, "event_progress_not_told");
            }
        }
    };
    tokio::select! {
        result = work => result,
        () = signs => unreachable!("the signs of life never end"),
    }
}
