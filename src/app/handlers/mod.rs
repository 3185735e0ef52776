//! Handlers of events: durable consumers that carry what happened further. Each may get an event twice, and late; what
//! the tables say counts, the event only says where to look.

mod applications;
mod audit;
mod builds;
mod clusters;

use std::sync::Arc;

use futures::future::{BoxFuture, FutureExt};
use serde_json::Value;
use strum::IntoEnumIterator;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::App;
use crate::bus::{Delivery, Event, Subscription};
use crate::domain::Result;

/// A handler of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::EnumIter, strum::IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub enum Handler {
    /// Removes what there is of applications whose rows were marked as deleted.
    Applications,
    /// Shows builds in the deployments that wait for them, and deploys what was built.
    Builds,
    /// Takes over what vendors say of clusters, and raises and resolves alerts.
    Clusters,
    /// Keeps what others tell of acts in the audit trail.
    Audit,
}

impl Handler {
    /// The name of its durable consumer.
    pub fn name(self) -> &'static str {
        self.into()
    }

    fn subscription(self) -> Subscription {
        let (filter, concurrency) = match self {
            Self::Applications => ("application.>", 4),
            Self::Builds => ("build.>", 4),
            // In their order: the newest word counts.
            Self::Clusters => ("cluster.>", 1),
            Self::Audit => ("audit.>", 1),
        };
        Subscription { name: format!("handler-{}", self.name()), filter: filter.to_owned(), concurrency }
    }

    /// Handles one event.
    ///
    /// # Errors
    /// Any; the bus delivers it again, and in the end puts it to the dead letters.
    pub fn handle<'a>(self, app: &'a App, event: &'a Event) -> BoxFuture<'a, Result<()>> {
        match self {
            Self::Applications => applications::handle(app, event).boxed(),
            Self::Builds => builds::handle(app, event).boxed(),
            Self::Clusters => clusters::handle(app, event).boxed(),
            Self::Audit => audit::handle(app, event).boxed(),
        }
    }
}

/// Runs every handler until `stop`. Of several processes, one gets each event.
pub async fn run(app: Arc<App>, stop: CancellationToken) {
    let mut running = JoinSet::new();
    for handler in Handler::iter() {
        let (app, stop) = (Arc::clone(&app), stop.clone());
        running.spawn(async move {
            let handle = |delivery: Delivery| {
                let app = Arc::clone(&app);
                async move { handler.handle(&app, &delivery.event).await }
            };
            if let Err(error) = app.bus.subscribe(handler.subscription(), handle, stop).await {
                tracing::error!(handler = handler.name(), error = %error.chain(), "handler_not_subscribed");
            }
        });
    }
    running.join_all().await;
}

/// The id in a column of the row whose change an event tells of; none when it is no change of that table.
fn changed(event: &Event, table: &str, column: &str) -> Option<Uuid> {
    let of_table = event.data.get("table").and_then(Value::as_str) == Some(table);
    let id = || event.data.get("row")?.get(column)?.as_str()?.parse().ok();
    of_table.then(id).flatten()
}
