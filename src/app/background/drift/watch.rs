//! Drift as it happens: the objects of all applications are watched by their metadata, and an application to which
//! something has happened is looked at. A watch may miss something; the pass over everything finds that.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::{BoxStream, FuturesUnordered, SelectAll};
use futures::{FutureExt, StreamExt};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::{ConfigMap, Secret, Service};
use k8s_openapi::api::networking::v1::Ingress;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::Resource;
use kube::core::NamespaceResourceScope;
use serde::de::DeserializeOwned;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::queue::Queue;
use super::seen::Known;
use super::{Drift, check, check_some};
use crate::app::{App, Provisioning};
use crate::db::leases::{acquire, holder};
use crate::domain::Result;
use crate::vendors::kubernetes::{Client, HttpRoute, Sight};
use crate::workflow::flows::application::names::APPLICATION;

/// The lease of the one replica that watches.
const LEASE: &str = "background.drift-watch";
/// How long a replica that died keeps the others waiting.
const LEASE_TIME: Duration = Duration::from_secs(10);
/// How often the others ask for the lease.
const ASK_EVERY: Duration = Duration::from_secs(3);
/// Applications that are looked at together.
const TOGETHER: usize = 16;
/// Such groups at once.
const AT_ONCE: usize = 4;
/// When more wait than that, one pass over everything asks less of the cluster.
const MANY: usize = 512;

/// The watch of a process.
pub struct Watch {
    app: Arc<App>,
    synced: watch::Sender<bool>,
}

/// The end of a look: at whom, and what it found.
type Looked = (Vec<Uuid>, Result<Drift>);

impl Watch {
    /// A watch over the applications of the cluster that the use cases work on.
    pub fn new(app: Arc<App>) -> Self {
        Self { app, synced: watch::Sender::new(false) }
    }

    /// Whether this process watches and knows all objects: what happens from now on is noticed.
    pub fn synced(&self) -> watch::Receiver<bool> {
        self.synced.subscribe()
    }

    /// Watches until `stop`, whenever no other replica does.
    pub async fn run(&self, stop: CancellationToken) {
        let Some(provisioning) = &self.app.provisioning else { return };
        let holder = holder();
        while !stop.is_cancelled() {
            // It ends with `stop` by itself, and gives the lease back.
            if let Err(error) = self.turn(provisioning, &holder, &stop).await {
                tracing::warn!(error = %error.chain(), "drift_watch_interrupted");
            }
            stop.run_until_cancelled(tokio::time::sleep(ASK_EVERY)).await;
        }
    }

    /// Watches for as long as the lease is held, if it is free.
    async fn turn(&self, provisioning: &Provisioning, holder: &str, stop: &CancellationToken) -> Result<()> {
        let pool = self.app.db.pool();
        let Some(lease) = acquire(pool, LEASE, holder, LEASE_TIME).await? else { return Ok(()) };
        let kept = lease.keep(pool, LEASE_TIME);
        tracing::info!(generation = kept.lease.generation, "drift_watch_started");
        tokio::select! {
            () = self.follow(provisioning) => (),
            () = kept.lost().cancelled() => (),
            () = stop.cancelled() => (),
        }
        self.synced.send_replace(false);
        kept.release(pool).await
    }

    async fn follow(&self, provisioning: &Provisioning) {
        let mut sights = sights(provisioning);
        let kinds = sights.len();
        let (mut known, mut queue) = (Known::default(), Queue::default());
        let mut looks: FuturesUnordered<BoxFuture<'_, Looked>> = FuturesUnordered::new();
        let mut at_everything = false;
        loop {
            let storm = queue.waiting() > MANY;
            let room = !at_everything && looks.len() < if storm { 1 } else { AT_ONCE };
            let due = queue.next().filter(|_| room);
            tokio::select! {
                Some((kind, sight)) = sights.next() => {
                    let happened = known.learn(kind, &sight);
                    let now = Instant::now();
                    happened.into_iter().for_each(|application| queue.add(application, now));
                    if matches!(sight, Sight::Complete) && known.complete(kinds) {
                        self.synced.send_replace(true);
                    }
                }
                Some((applications, drift)) = looks.next(), if !looks.is_empty() => {
                    at_everything = false;
                    settle(&mut queue, &applications, drift);
                }
                () = until(due), if due.is_some() => {
                    at_everything = storm;
                    looks.push(self.look(&mut queue, storm));
                }
            }
        }
    }

    /// Begins a look at what is due, or at everything.
    fn look(&self, queue: &mut Queue, everything: bool) -> BoxFuture<'_, Looked> {
        if everything {
            queue.clear();
            return async { (Vec::new(), check(&self.app).await) }.boxed();
        }
        let applications = queue.take(Instant::now(), TOGETHER);
        async move {
            let drift = check_some(&self.app, &applications).await;
            (applications, drift)
        }
        .boxed()
    }
}

/// Takes in what a look found. What could not be looked at or put right is tried again.
fn settle(queue: &mut Queue, applications: &[Uuid], drift: Result<Drift>) {
    let now = Instant::now();
    let again = match drift {
        Ok(drift) => {
            for application in applications {
                queue.looked_at(*application, !drift.drifted.contains(application), now);
            }
            drift.left
        }
        Err(error) => {
            tracing::warn!(error = %error.chain(), "drift_not_looked_at");
            for application in applications {
                queue.looked_at(*application, false, now);
            }
            applications.to_vec()
        }
    };
    again.into_iter().for_each(|application| queue.add(application, now));
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

type Sights = SelectAll<BoxStream<'static, (&'static str, Sight)>>;

/// What happens to the objects of applications. Routes are watched where there are to be some: few clusters serve them.
fn sights(provisioning: &Provisioning) -> Sights {
    let kubernetes = &provisioning.kubernetes;
    let mut all = Sights::new();
    all.push(of::<Deployment>(kubernetes));
    all.push(of::<Service>(kubernetes));
    all.push(of::<Ingress>(kubernetes));
    all.push(of::<HorizontalPodAutoscaler>(kubernetes));
    all.push(of::<PodDisruptionBudget>(kubernetes));
    all.push(of::<ConfigMap>(kubernetes));
    all.push(of::<Secret>(kubernetes));
    if provisioning.applications.gateway().is_some() {
        all.push(of::<HttpRoute>(kubernetes));
    }
    all
}

fn of<K>(kubernetes: &Client) -> BoxStream<'static, (&'static str, Sight)>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + k8s_openapi::Resource,
    K: DeserializeOwned + Clone + Debug + Send + Sync + 'static,
{
    kubernetes.watch::<K>(APPLICATION).map(|sight| (<K as k8s_openapi::Resource>::KIND, sight)).boxed()
}
