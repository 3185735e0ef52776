//! Nudges: a hint to one worker that there is work. The table of operations is the truth, so a lost
//! nudge costs a worker's poll interval and nothing else.

use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, pull};
use futures::{Stream, StreamExt};

use super::{Bus, Subject, streams};
use crate::domain::{Error, Result};

/// Pause before nudges are asked for again after a loss.
const RESUME_AFTER: Duration = Duration::from_millis(500);

impl Bus {
    /// Tells one worker that an operation of `kind` waits. Does not wait for the server.
    pub async fn nudge(&self, kind: &str) -> Result<()> {
        let subject = Subject::new("work", &[], kind);
        self.0
            .client
            .publish(subject.as_str().to_owned(), bytes::Bytes::new())
            .await
            .map_err(|source| Error::unavailable("nudging a worker", source))
    }

    /// The kinds of operations that wait, as they are nudged; each nudge reaches one worker. The stream
    /// never ends: losses of the connection are waited out.
    pub fn work_nudges(&self) -> impl Stream<Item = String> + Send + use<> {
        let bus = self.clone();
        async_stream::stream! {
            loop {
                match bus.pull_nudges().await {
                    Ok(mut messages) => {
                        while let Some(message) = messages.next().await {
                            let Ok(message) = message else { break };
                            if let Err(error) = message.ack().await {
                                tracing::debug!(%error, "nudge_not_acknowledged");
                            }
                            let kind = message.subject.rsplit_once('.').map_or("", |(_, kind)| kind);
                            yield percent_encoding::percent_decode_str(kind).decode_utf8_lossy().into_owned();
                        }
                    }
                    Err(error) => tracing::debug!(error = %error.chain(), "nudges_interrupted"),
                }
                tokio::time::sleep(RESUME_AFTER).await;
            }
        }
    }

    async fn pull_nudges(&self) -> Result<pull::Stream> {
        let stream = self.stream(streams::WORK).await?;
        let consumer = stream
            .create_consumer(pull::Config {
                durable_name: Some("workers".to_owned()),
                ack_policy: AckPolicy::Explicit,
                ack_wait: Duration::from_secs(30),
                ..pull::Config::default()
            })
            .await
            .map_err(|source| Error::unavailable("waiting for nudges", source))?;
        consumer.messages().await.map_err(|source| Error::unavailable("waiting for nudges", source))
    }
}
