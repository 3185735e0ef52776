//! Word that the bridge has written events. The table is the truth, so a word that is lost costs its readers the time until
//! they look by themselves, and nothing else.

use std::time::Duration;

use futures::{Stream, StreamExt};

use super::Bus;

/// The subject; no stream keeps it.
const WRITTEN: &str = "northstack.written";
/// Pause before the word is asked for again after a loss.
const RESUME_AFTER: Duration = Duration::from_millis(500);

impl Bus {
    /// Tells whoever listens. Does not wait for the server.
    pub(super) async fn tell_written(&self) {
        if let Err(error) = self.0.client.publish(WRITTEN, bytes::Bytes::new()).await {
            tracing::debug!(%error, "written_not_told");
        }
    }

    /// One item whenever the bridge, in whatever process, has written events. The stream never ends: losses of the
    /// connection are waited out, and what was told meanwhile is not told again.
    pub fn written(&self) -> impl Stream<Item = ()> + Send + use<> {
        let client = self.0.client.clone();
        async_stream::stream! {
            loop {
                match client.subscribe(WRITTEN).await {
                    Ok(mut told) => {
                        while told.next().await.is_some() {
                            yield ();
                        }
                    }
                    Err(error) => tracing::debug!(%error, "written_not_heard"),
                }
                tokio::time::sleep(RESUME_AFTER).await;
            }
        }
    }
}
