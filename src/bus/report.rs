//! How full the streams are, and how far behind the consumers, for the metrics.

use std::time::Duration;

use futures::TryStreamExt;
use tokio_util::sync::CancellationToken;

use super::{Bus, streams};
use crate::domain::{Error, Result};

/// How often the server is asked.
const EVERY: Duration = Duration::from_secs(15);

/// A stream's numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamNumbers {
    pub name: &'static str,
    /// Messages that it keeps.
    pub messages: u64,
    /// What they take on disk.
    pub bytes: u64,
    /// The place of the newest.
    pub last_sequence: u64,
    /// Its durable consumers.
    pub consumers: Vec<ConsumerNumbers>,
}

/// A durable consumer's numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsumerNumbers {
    pub name: String,
    /// Messages that it has not been given yet.
    pub pending: u64,
    /// Messages that it was given and has not settled.
    pub unsettled: usize,
    /// Messages of those that it was given more than once.
    pub redelivered: usize,
}

impl Bus {
    /// The numbers of every stream and of its durable consumers.
    ///
    /// # Errors
    /// `unavailable` when the bus is.
    pub async fn numbers(&self) -> Result<Vec<StreamNumbers>> {
        let mut numbers = Vec::with_capacity(streams::ALL.len());
        for spec in &streams::ALL {
            let stream = self.stream(spec.name).await?;
            let infos: Vec<_> = stream
                .consumers()
                .try_collect()
                .await
                .map_err(|source| Error::unavailable("listing a stream's consumers", source))?;
            let consumers = infos.into_iter().filter_map(|info| {
                // The others are of one reader, and gone with it.
                let name = info.config.durable_name?;
                let (pending, unsettled, redelivered) = (info.num_pending, info.num_ack_pending, info.num_redelivered);
                Some(ConsumerNumbers { name, pending, unsettled, redelivered })
            });
            let state = &stream.cached_info().state;
            numbers.push(StreamNumbers {
                name: spec.name,
                messages: state.messages,
                bytes: state.bytes,
                last_sequence: state.last_sequence,
                consumers: consumers.collect(),
            });
        }
        Ok(numbers)
    }
}

/// Reports the numbers as metrics until `stop`.
pub async fn run(bus: Bus, stop: CancellationToken) {
    while !stop.is_cancelled() {
        match stop.run_until_cancelled(bus.numbers()).await {
            Some(Ok(numbers)) => numbers.iter().for_each(report),
            Some(Err(error)) => tracing::debug!(error = %error.chain(), "bus_numbers_not_read"),
            None => return,
        }
        stop.run_until_cancelled(tokio::time::sleep(EVERY)).await;
    }
}

#[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
fn report(stream: &StreamNumbers) {
    let name = stream.name;
    metrics::gauge!("northstack_bus_stream_messages", "stream" => name).set(stream.messages as f64);
    metrics::gauge!("northstack_bus_stream_bytes", "stream" => name).set(stream.bytes as f64);
    metrics::gauge!("northstack_bus_stream_last_sequence", "stream" => name).set(stream.last_sequence as f64);
    for consumer in &stream.consumers {
        let gauge = |what: &'static str, value: f64| {
            metrics::gauge!(what, "stream" => name, "consumer" => consumer.name.clone()).set(value);
        };
        gauge("northstack_bus_consumer_pending", consumer.pending as f64);
        gauge("northstack_bus_consumer_unsettled", consumer.unsettled as f64);
        gauge("northstack_bus_consumer_redelivered", consumer.redelivered as f64);
    }
}
