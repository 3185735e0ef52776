//! What follows the metadata in force: captured events, their delivery, schedules, asynchronous
//! actions, the change feed's coverage, open sockets.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::core::Current;
use super::surface::Surface;
use crate::actions;
use crate::events::{self, Deliverer};
use crate::metadata::QualifiedName;
use crate::schema::Inconsistency;
use crate::subscriptions::feed::{self, Change};

/// How long deliveries in flight may take when the engine or its metadata changes.
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// How often changes of the metadata by other instances are looked for, as in Hasura.
const METADATA_POLL: Duration = Duration::from_secs(1);

impl Surface {
    /// Prepares the database for what the surface does with it, and follows its notifications until stopped.
    ///
    /// # Errors
    /// What the database said.
    pub async fn start(self: &Arc<Self>, stop: CancellationToken) -> sqlx::Result<()> {
        let pool = self.core.pool().clone();
        if self.live.notifies {
            let (ready, listening) = tokio::sync::oneshot::channel();
            tokio::spawn(feed::listen(pool, self.live.feed.clone(), stop.clone(), ready));
            // A listener that cannot start is tried again in the background; the polls serve meanwhile.
            let _ = tokio::time::timeout(Duration::from_secs(5), listening).await;
        }
        tokio::spawn(nudge_deliveries(self.clone(), stop.clone()));
        self.background.actions.start(stop.clone());
        self.background.schedules.start(stop.clone());
        if self.core.follows() {
            tokio::spawn(follow_metadata(self.clone(), stop.clone()));
        }
        for (index, verifier) in self.auth.authenticator.verifiers().iter().enumerate() {
            if verifier.jwk_url().is_some() {
                let (surface, stop) = (self.clone(), stop.clone());
                tokio::spawn(async move {
                    let Some(url) = surface.auth.authenticator.verifiers().get(index).and_then(|one| one.jwk_url())
                    else {
                        return;
                    };
                    tokio::select! {
                        () = stop.cancelled() => {}
                        () = url.keep_fresh() => {}
                    }
                });
            }
        }
        let current = self.core.current();
        self.metadata_changed(&current).await;
        Ok(())
    }

    /// Stops deliveries and calls of asynchronous actions; those in flight are finished and written down. The token
    /// that the surface was started with must have been cancelled.
    pub async fn stop(&self) {
        tokio::join!(
            self.stop_deliveries(),
            self.background.actions.finish(STOP_LIMIT),
            self.background.schedules.finish(STOP_LIMIT)
        );
    }

    async fn stop_deliveries(&self) {
        let deliverer = self.background.deliverer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(deliverer) = deliverer {
            deliverer.stop(STOP_LIMIT).await;
        }
    }

    /// Follows a change of the metadata.
    pub async fn metadata_changed(&self, current: &Current) {
        let mut faults = Vec::new();
        self.follow_events(current, &mut faults).await;
        self.background.actions.serve(&current.metadata);
        self.limits.rates.follow(&current.metadata.api_limits);
        self.follow_schedules(current, &mut faults).await;
        self.follow_tables(current).await;
        self.metadata.faults.store(Arc::new(faults));
        self.tell_sockets();
    }

    async fn follow_events(&self, current: &Current, faults: &mut Vec<Inconsistency>) {
        let old = self.background.deliverer.lock().unwrap_or_else(PoisonError::into_inner).take();
        let had = old.is_some();
        if let Some(old) = old {
            old.stop(STOP_LIMIT).await;
        }
        let Some(source) = current.metadata.sources.first() else { return };
        let has = source.tables.iter().any(|table| !table.event_triggers.is_empty());
        if !has && !had && !self.catalogue_exists().await {
            return;
        }
        let pool = self.core.pool();
        // Tables that are not there cannot carry triggers; they are inconsistent already.
        let mut source = source.clone();
        let gone: Vec<&serde_json::Value> =
            current.inconsistencies.iter().filter(|one| one.kind == "table").map(|one| &one.definition).collect();
        source.tables.retain(|table| !gone.contains(&&json!(table.table)));
        let mut fault = |name: &str, reason: String| {
            faults.push(Inconsistency {
                kind: "event_trigger".to_owned(),
                name: format!("event_trigger {name}"),
                definition: json!({"name": name}),
                reason: format!("Inconsistent object: {reason}"),
            });
        };
        if let Err(error) = events::prepare(pool, self.live.notifies).await {
            tracing::error!(error = %error, "event catalogue not prepared");
            return fault("hdb_catalog", error.to_string());
        }
        if let Err(error) = events::install(pool, &source).await {
            tracing::error!(error = %error, "event triggers not installed");
            fault("capture", error.to_string());
        }
        let (deliverer, refused) = Deliverer::start(pool.clone(), &self.outbound, &source);
        for (name, error) in refused {
            fault(&name, error.to_string());
        }
        *self.background.deliverer.lock().unwrap_or_else(PoisonError::into_inner) = Some(deliverer);
    }

    async fn follow_schedules(&self, current: &Current, faults: &mut Vec<Inconsistency>) {
        match self.background.schedules.serve(&current.metadata).await {
            Ok(refused) => faults.extend(refused.into_iter().map(|(trigger, reason)| Inconsistency {
                kind: "cron_trigger".to_owned(),
                name: format!("cron_trigger {}", trigger.name),
                definition: json!(trigger),
                reason: format!("Inconsistent object: {reason}"),
            })),
            Err(error) => tracing::error!(error = %error, "schedules not prepared"),
        }
    }

    async fn catalogue_exists(&self) -> bool {
        sqlx::query_scalar::<_, bool>("select to_regclass('hdb_catalog.event_log') is not null")
            .fetch_one(self.core.pool())
            .await
            .unwrap_or(false)
    }

    async fn follow_tables(&self, current: &Current) {
        if !self.live.notifies {
            return;
        }
        let mut tables: Vec<QualifiedName> = current
            .metadata
            .sources
            .iter()
            .flat_map(|source| &source.tables)
            .map(|table| table.table.clone())
            .collect();
        if current.metadata.actions.iter().any(|action| action.definition.is_asynchronous()) {
            tables.push(actions::log::table());
        }
        match feed::install(self.core.pool(), &tables).await {
            Ok(coverage) => {
                self.live.queries.set_coverage(coverage.clone());
                self.live.results.set_coverage(coverage);
            }
            Err(error) => tracing::warn!(error = %error, "change feed not installed; live queries poll"),
        }
    }

    /// Tells the deliverer that a trigger may have captured something.
    pub fn nudge_events(&self, trigger: &str) {
        if let Some(deliverer) = &*self.background.deliverer.lock().unwrap_or_else(PoisonError::into_inner) {
            deliverer.nudge(trigger);
        }
    }

    /// Tells the deliverer that any trigger may have captured something.
    pub fn nudge_all_events(&self) {
        if let Some(deliverer) = &*self.background.deliverer.lock().unwrap_or_else(PoisonError::into_inner) {
            deliverer.nudge_all();
        }
    }
}

/// Looks for changes of the metadata by other instances.
async fn follow_metadata(surface: Arc<Surface>, stop: CancellationToken) {
    let mut looks = tokio::time::interval(METADATA_POLL);
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut failing = false;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = looks.tick() => {}
        }
        // A command that is under way here is finished first.
        let _turn = surface.metadata.changes.lock().await;
        match surface.core.follow().await {
            Ok(found) => {
                failing = false;
                if let Some(current) = found {
                    surface.metadata_changed(&current).await;
                }
            }
            // Told once, not each second.
            Err(error) if !failing => {
                failing = true;
                tracing::warn!(reason = error.message, "metadata_not_followed");
            }
            Err(_) => {}
        }
    }
}

async fn nudge_deliveries(surface: Arc<Surface>, stop: CancellationToken) {
    let mut changes = surface.live.feed.subscribe();
    loop {
        let change = tokio::select! {
            () = stop.cancelled() => return,
            change = changes.recv() => change,
        };
        match change {
            Ok(Change::Event(trigger)) => surface.nudge_events(&trigger),
            // Where the database does not notify, the engine's own mutations are the only hint.
            Ok(Change::Tables(_)) if surface.live.notifies => {}
            Ok(Change::Tables(_) | Change::Everything) | Err(tokio::sync::broadcast::error::RecvError::Lagged(_)) => {
                surface.nudge_all_events();
            }
            Err(tokio::sync::broadcast::error::RecvError::Closed) => return,
        }
    }
}
