//! The event bus: JetStream streams, the envelope, publishing, durable consumers, dead letters,
//! replay, and the bridge into `platform_events`.
//!
//! The database is the truth; the bus distributes it. Delivery is at least once: the event's id is
//! the key by which consumers recognise a repetition.

pub mod bridge;
mod connect;
pub mod consume;
pub mod dead;
mod event;
pub mod events;
mod history;
mod nudge;
mod publish;
pub mod report;
pub mod streams;
mod subject;
pub mod told;
mod written;

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::Context;
use async_nats::jetstream::stream::Stream as NatsStream;
use futures::TryStreamExt;

use crate::config;
use crate::domain::{Error, Result};

pub use consume::{Delivery, Subscription};
pub use dead::DeadLetter;
pub use event::{Event, Metadata};
pub use history::{Recorded, Replay};
pub use publish::{Published, Unconfirmed};
pub use subject::Subject;

/// The bus. Cheap to clone; all clones share the connection, which is made anew whenever it is lost.
#[derive(Clone)]
pub struct Bus(Arc<Inner>);

struct Inner {
    client: async_nats::Client,
    jetstream: Context,
    config: config::Nats,
}

/// The bus's health.
#[derive(Debug, Clone)]
pub struct Health {
    /// Time for one round trip to JetStream.
    pub latency: Duration,
    /// The server's version.
    pub version: String,
    /// Streams that should be there and are not.
    pub missing: Vec<String>,
}

impl Bus {
    /// Connects, trying again until `connect_timeout`, and creates or updates the streams.
    ///
    /// # Errors
    /// `unavailable` when no server answers in time; `invalid-input` when the settings cannot be used or an
    /// existing stream cannot be brought into the wanted form.
    pub async fn connect(config: &config::Nats) -> Result<Self> {
        let client = connect::client(config).await?;
        let jetstream = async_nats::jetstream::context::ContextBuilder::new()
            .timeout(config.publish_timeout)
            .ack_timeout(config.publish_timeout)
            .build(client.clone());
        let bus = Self(Arc::new(Inner { client, jetstream, config: config.clone() }));
        streams::ensure(&bus).await?;
        Ok(bus)
    }

    /// Asks JetStream for a sign of life.
    pub async fn health(&self) -> Result<Health> {
        let started = tokio::time::Instant::now();
        // The account's own statistics have changed their form between server versions; the names have not.
        let names = self.jetstream().stream_names().try_collect::<Vec<String>>().await;
        let names = names.map_err(|source| Error::unavailable("asking the event bus for a sign of life", source))?;
        let latency = started.elapsed();
        let missing = streams::ALL.iter().filter(|spec| !names.iter().any(|name| name == spec.name));
        let missing = missing.map(|spec| spec.name.to_owned()).collect();
        Ok(Health { latency, version: self.0.client.server_info().version, missing })
    }

    /// Sends what is buffered and closes the connection.
    pub async fn close(&self) {
        if let Err(error) = self.0.client.drain().await {
            tracing::debug!(%error, "bus_not_drained");
        }
    }

    fn jetstream(&self) -> &Context {
        &self.0.jetstream
    }

    async fn stream(&self, name: &'static str) -> Result<NatsStream> {
        let found = self.jetstream().get_stream(name).await;
        found.map_err(|source| Error::unavailable("opening a stream of the event bus", source))
    }
}

impl std::fmt::Debug for Bus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bus").field("state", &self.0.client.connection_state()).finish_non_exhaustive()
    }
}
