//! Input-less reconcilers. Each is one pass over what the database and the cluster say now: run twice, the second finds
//! nothing to do. A pass that fails is left at that; the next one is the retry.

mod departed;
mod drift;
mod findings;
mod leases;
mod orphans;
mod previews;
mod repair;
mod serving;
mod stores;
mod vacant;

use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt, TryFutureExt};
use strum::IntoEnumIterator;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub use departed::remove as remove_departed;
pub use drift::{Drift, Watch as DriftWatch, check as check_drift, check_some as check_drift_of};
pub use findings::Changes;
pub use leases::{Swept, sweep as sweep_leases};
pub use orphans::find as find_orphans;
pub use previews::expire as expire_previews;
pub use serving::check as check_applications;
pub use stores::check as check_stores;
pub use vacant::find as find_vacant;

use super::App;
use crate::config;
use crate::db::leases::{Lease, acquire, holder};
use crate::db::repairs;
use crate::domain::Result;
use crate::workflow::flows::application::OBJECTS;

/// A holder that died is replaced after this many periods.
const TAKEN_OVER_AFTER: u32 = 2;
/// The shortest time for which a replica keeps a reconciler to itself.
const SHORTEST_LEASE: Duration = Duration::from_secs(10);

/// A reconciler.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::EnumIter, strum::IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub enum Reconciler {
    /// Gives lapsed leases of operations back, and reports operations that need a person.
    Leases,
    /// Looks whether ready stores still answer.
    Stores,
    /// Removes what deleted applications have left, looks for namespaces of stores and applications that are not there any
    /// more, and forgets repairs that ended long ago.
    Orphans,
    /// Removes preview environments whose time is over, or whose application is deleted.
    Previews,
    /// Looks whether applications that are to serve do so.
    Applications,
    /// Looks whether applications are in the cluster as they were deployed, and puts them right.
    Drift,
}

impl Reconciler {
    /// Its name, which is also that of its lease.
    pub fn name(self) -> &'static str {
        self.into()
    }

    fn period(self, settings: &config::Worker) -> Duration {
        match self {
            Self::Leases => settings.lease_sweep,
            Self::Stores => settings.store_check,
            Self::Orphans => settings.orphan_check,
            Self::Previews => settings.preview_check,
            Self::Applications => settings.application_check,
            Self::Drift => settings.drift_check,
        }
    }

    fn pass(self, app: &App) -> BoxFuture<'_, Result<()>> {
        match self {
            Self::Leases => sweep_leases(app).map_ok(drop).boxed(),
            Self::Stores => check_stores(app).map_ok(drop).boxed(),
            Self::Previews => expire_previews(app).map_ok(drop).boxed(),
            Self::Orphans => orphans(app).boxed(),
            Self::Applications => check_applications(app).map_ok(drop).boxed(),
            Self::Drift => check_drift(app).map_ok(drop).boxed(),
        }
    }
}

/// Each looks for something else: a failure of one is none of the others'.
async fn orphans(app: &App) -> Result<()> {
    let removed = remove_departed(app).await;
    let found = find_orphans(app).await;
    let vacant = find_vacant(app).await;
    let forgotten = repairs::forget(app.db.pool(), OBJECTS).await;
    removed.and(found).and(vacant).and(forgotten).map(drop)
}

/// Runs every reconciler again and again until `stop`, and the watch for drift. Of several replicas, one at a time runs
/// each.
pub async fn run(app: Arc<App>, settings: config::Worker, stop: CancellationToken) {
    let holder = holder();
    let mut running = JoinSet::new();
    let (watch, ended) = (DriftWatch::new(Arc::clone(&app)), stop.clone());
    running.spawn(async move { watch.run(ended).await });
    for reconciler in Reconciler::iter() {
        let period = reconciler.period(&settings);
        running.spawn(repeat(Arc::clone(&app), reconciler, holder.clone(), period, stop.clone()));
    }
    running.join_all().await;
}

async fn repeat(app: Arc<App>, reconciler: Reconciler, holder: String, period: Duration, stop: CancellationToken) {
    let mut held = None;
    while !stop.is_cancelled() {
        if let Some(lease) = stop.run_until_cancelled(once(&app, reconciler, &holder, period)).await {
            held = lease;
        }
        stop.run_until_cancelled(tokio::time::sleep(period)).await;
    }
    // Another replica need not wait until the lease expires; a failure costs no more than that.
    if let Some(lease) = held
        && let Err(error) = lease.release(app.db.pool()).await
    {
        tracing::debug!(reconciler = reconciler.name(), error = %error.chain(), "lease_not_released");
    }
}

/// Does one pass if no other replica has the reconciler, and keeps it to this one for a while. Nothing otherwise.
pub async fn once(app: &App, reconciler: Reconciler, holder: &str, period: Duration) -> Option<Lease> {
    let name = reconciler.name();
    let pool = app.db.pool();
    let length = (period * TAKEN_OVER_AFTER).max(SHORTEST_LEASE);
    let lease = match acquire(pool, &format!("background.{name}"), holder, length).await {
        Ok(lease) => lease?,
        Err(error) => {
            tracing::warn!(reconciler = name, error = %error.chain(), "reconciler_failed");
            return None;
        }
    };
    let kept = lease.clone().keep(pool, length);
    let outcome = tokio::select! {
        outcome = reconciler.pass(app) => outcome,
        () = kept.lost().cancelled() => return None,
    };
    let word = if outcome.is_ok() { "done" } else { "failed" };
    metrics::counter!("northstack_reconciler_passes_total", "reconciler" => name, "outcome" => word).increment(1);
    if let Err(error) = outcome {
        tracing::warn!(reconciler = name, error = %error.chain(), "reconciler_failed");
    }
    Some(lease)
}
