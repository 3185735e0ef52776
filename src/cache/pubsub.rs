//! Messages to whoever listens at the moment. Nothing is kept: what must not be lost goes over the bus.

use std::time::Duration;

use futures::{Stream, StreamExt};
use redis::Cmd;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::value::encode;
use super::{Cache, Error, Result};

/// How long a subscriber that lost its connection waits before it makes a new one.
const RECONNECT_AFTER: Duration = Duration::from_millis(250);

/// A received message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The channel, without the installation's prefix.
    pub channel: String,
    /// What was published, as JSON.
    pub payload: Vec<u8>,
}

impl Message {
    /// Reads what was published.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(&self.payload).map_err(Error::Decode)
    }
}

impl Cache {
    /// Sends `message` to all who listen to `channel`; to how many (in a cluster: on the same server).
    pub async fn publish<T: Serialize + ?Sized>(&self, channel: &str, message: &T) -> Result<u64> {
        let command = Cmd::publish(self.key(channel), encode(message)?);
        self.bounded("publish", async |mut connection| command.query_async(&mut connection).await).await
    }

    /// The messages sent to `channels` from now on, until the cache is closed. A lost connection is made anew; what was sent
    /// meanwhile is missed.
    ///
    /// # Errors
    /// When the first connection cannot be made.
    pub async fn subscribe(&self, channels: &[&str]) -> Result<impl Stream<Item = Message> + Send + use<>> {
        let channels: Vec<String> = channels.iter().map(|channel| self.key(channel)).collect();
        let first = self.listen(&channels).await?;
        let cache = self.clone();
        let closed = self.0.closed.clone().cancelled_owned();
        let messages = async_stream::stream! {
            let mut connection = Some(first);
            loop {
                if let Some(open) = connection.take() {
                    let mut messages = open.into_on_message();
                    while let Some(message) = messages.next().await {
                        let channel = message.get_channel_name();
                        let channel = channel.strip_prefix(&cache.0.prefix).unwrap_or(channel).to_owned();
                        yield Message { channel, payload: message.get_payload_bytes().to_vec() };
                    }
                    tracing::warn!("cache_subscription_lost");
                }
                tokio::time::sleep(RECONNECT_AFTER).await;
                match cache.listen(&channels).await {
                    Ok(open) => connection = Some(open),
                    Err(error) => tracing::debug!(%error, "cache_subscription_not_renewed"),
                }
            }
        };
        Ok(messages.take_until(closed))
    }

    async fn listen(&self, channels: &[String]) -> Result<redis::aio::PubSub> {
        let connect = async {
            let mut connection = self.0.client.get_async_pubsub().await?;
            for channel in channels {
                connection.subscribe(channel).await?;
            }
            Ok(connection)
        };
        tokio::time::timeout(self.0.patience, connect).await.map_err(|_| Error::Timeout)?
    }
}
