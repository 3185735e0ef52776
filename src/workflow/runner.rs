//! The worker: claims due operations, keeps their leases, and lets go of them in good order.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use sqlx::PgPool;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::execute::{Execution, Stop};
use super::faults::Faults;
use super::flow::Registry;
use super::journal::Journal;
use super::nudge::Nudge;
use super::retry::Backoff;
use crate::db::claims::{self, Claim};
use crate::db::leases;
use crate::db::operations::Operation;
use crate::domain::transaction::counted;
use crate::domain::{Code, Error, Result};

/// How a runner works.
#[derive(Debug, Clone)]
pub struct Options {
    /// The worker's name; unique among living workers.
    pub holder: String,
    /// Operations at once.
    pub concurrency: usize,
    /// Operations of one team at once, whoever works on them. Shared, so that it may change while the runner works.
    pub team_concurrency: Arc<AtomicUsize>,
    /// How long a claim holds without renewal.
    pub lease: Duration,
    /// How often a claim is renewed.
    pub heartbeat: Duration,
    /// How often the table is looked at without a nudge.
    pub poll: Duration,
    /// How long a step may go on after the worker was told to stop.
    pub grace: Duration,
    /// Pause before the second try of a step.
    pub backoff_first: Duration,
    /// Longest pause between tries of a step.
    pub backoff_most: Duration,
    /// Failpoints, for tests.
    pub faults: Faults,
}

impl Default for Options {
    fn default() -> Self {
        let backoff = Backoff::default();
        Self {
            holder: leases::holder(),
            concurrency: 16,
            team_concurrency: Arc::new(AtomicUsize::new(usize::MAX)),
            lease: Duration::from_secs(30),
            heartbeat: Duration::from_secs(10),
            poll: Duration::from_secs(5),
            grace: Duration::from_secs(10),
            backoff_first: backoff.first,
            backoff_most: backoff.most,
            faults: Faults::none(),
        }
    }
}

/// The durable runner. Any number of them may share one database.
#[derive(Clone)]
pub struct Runner(Arc<Shared>);

struct Shared {
    pool: PgPool,
    registry: Registry,
    known: Vec<(String, i32)>,
    nudge: Nudge,
    options: Options,
}

impl Runner {
    /// A runner of the registered flows over a database.
    pub fn new(pool: PgPool, registry: Registry, nudge: Nudge, options: Options) -> Self {
        let known = registry.known();
        Self(Arc::new(Shared { pool, registry, known, nudge, options }))
    }

    /// Refuses to work beside open operations whose flow, or version of it, is not among the registered.
    ///
    /// # Errors
    /// `conflict`, naming each flow with its version and how many operations need it.
    pub async fn check_versions(&self) -> Result<()> {
        let unknown = self.unknown().await?;
        if unknown.is_empty() {
            return Ok(());
        }
        let needed: Vec<String> =
            unknown.iter().map(|(flow, version, open)| format!("{flow} version {version} ({open} open)")).collect();
        Err(Error::new(
            Code::Conflict,
            format!(
                "open operations need flows that this release does not have: {}; let a release that has them finish \
                 them, or abandon them with `northstack admin operations abandon`",
                needed.join(", ")
            ),
        ))
    }

    /// Open operations that need a flow, or a version of one, that this runner does not have: (kind, version, how
    /// many). They are not claimed, and stay as they are for a worker that knows them.
    pub async fn unknown(&self) -> Result<Vec<(String, i32, i64)>> {
        claims::unknown(&self.0.pool, &self.0.known).await
    }

    /// Works until `stop` is cancelled. Then it claims nothing more, lets running steps come to their end for the
    /// grace period, gives every lease back, and returns.
    pub async fn run(&self, stop: CancellationToken) {
        self.report_unknown().await;
        self.0.succeed_the_dead().await;
        let mut working = JoinSet::new();
        while !stop.is_cancelled() {
            let idle = self.0.claim(&mut working, &stop).await;
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.0.nudge.wait() => {}
                Some(ended) = working.join_next() => {
                    if matches!(ended, Ok(Stop::Killed)) {
                        return;
                    }
                }
                () = tokio::time::sleep(idle) => {}
            }
        }
        while working.join_next().await.is_some() {}
    }

    async fn report_unknown(&self) {
        match self.unknown().await {
            Ok(unknown) => {
                for (flow, version, open) in unknown {
                    tracing::error!(flow, version, open, "workflow.unknown_version");
                }
            }
            Err(error) => tracing::warn!(error = %error.chain(), "workflow.unknown_check_failed"),
        }
    }
}

impl fmt::Debug for Runner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runner").field("known", &self.0.known).field("options", &self.0.options).finish_non_exhaustive()
    }
}

impl Shared {
    /// Takes over from workers of this host that were killed, without waiting for their leases to lapse: a worker that
    /// is started again goes on at once.
    async fn succeed_the_dead(&self) {
        let taken = async {
            let holders = claims::holders(&self.pool).await?;
            let dead: Vec<String> = holders.into_iter().filter(|holder| leases::has_ended(holder)).collect();
            if dead.is_empty() { Ok(0) } else { claims::take_from(&self.pool, &dead).await }
        };
        match taken.await {
            Ok(0) => {}
            Ok(taken) => tracing::warn!(taken, "workflow.leases_of_the_dead_taken"),
            Err(error) => tracing::warn!(error = %error.chain(), "workflow.leases_of_the_dead_left"),
        }
    }

    /// Claims what is due and there is room for; answers how long to sleep if nothing wakes us.
    async fn claim(self: &Arc<Self>, working: &mut JoinSet<Stop>, stop: &CancellationToken) -> Duration {
        let Options { holder, lease, poll, concurrency, team_concurrency, .. } = &self.options;
        let room = concurrency.saturating_sub(working.len());
        if room == 0 {
            return *poll;
        }
        let limit = i64::try_from(room).unwrap_or(i64::MAX);
        let per_team = i64::try_from(team_concurrency.load(Ordering::Relaxed)).unwrap_or(i64::MAX);
        let asked = Claim { holder, lease: *lease, known: &self.known, limit, per_team };
        match claims::claim(&self.pool, &asked).await {
            Ok(claimed) => {
                let full = claimed.len() == room;
                for operation in claimed {
                    working.spawn(Arc::clone(self).work(operation, stop.clone()));
                }
                if full {
                    return *poll;
                }
            }
            Err(error) => {
                tracing::warn!(error = %error.chain(), "workflow.claim_failed");
                return Duration::from_secs(1).min(*poll);
            }
        }
        match claims::next_due(&self.pool, &self.known, per_team).await {
            Ok(Some(due)) => due.clamp(Duration::from_millis(5), *poll),
            Ok(None) => *poll,
            Err(_) => Duration::from_secs(1).min(*poll),
        }
    }

    /// Works on one claimed operation until it ends, waits, or cannot be worked on here.
    async fn work(self: Arc<Self>, operation: Operation, stop: CancellationToken) -> Stop {
        let Some(flow) = self.registry.get(&operation.kind, operation.flow_version).cloned() else {
            return Stop::Lost;
        };
        let span = tracing::info_span!(
            "workflow.operation",
            flow = flow.kind(),
            operation_id = %operation.id,
            generation = operation.generation,
            correlation_id = %operation.correlation_id,
        );
        let operation = Arc::new(operation);
        let journal = Journal::new(self.pool.clone(), &self.options.holder, Arc::clone(&operation), Arc::clone(&flow));
        let execution = Execution {
            flow,
            operation,
            journal: journal.clone(),
            faults: self.options.faults.clone(),
            backoff: Backoff { first: self.options.backoff_first, most: self.options.backoff_most },
            stopping: stop.clone(),
        };
        async {
            tokio::select! {
                biased;
                () = self.keep_lease(&journal) => {
                    tracing::warn!("lease.lost");
                    Stop::Lost
                }
                stop = counted(execution.run()) => stop,
                () = self.out_of_grace(&stop) => {
                    if let Err(error) = journal.release().await {
                        tracing::warn!(error = %error.chain(), "lease.not_released");
                    }
                    Stop::Released
                }
            }
        }
        .instrument(span)
        .await
    }

    /// Renews the lease for as long as it can be; returns when it was lost or could not be renewed in time.
    async fn keep_lease(&self, journal: &Journal) {
        let Options { lease, heartbeat, .. } = self.options;
        let mut renewed = Instant::now();
        loop {
            tokio::time::sleep(heartbeat).await;
            let asked = Instant::now();
            match tokio::time::timeout(heartbeat, journal.renew(lease)).await {
                Ok(Ok(true)) => renewed = asked,
                Ok(Ok(false)) => return,
                Ok(Err(_)) | Err(_) if renewed.elapsed() >= lease => return,
                Ok(Err(error)) => tracing::warn!(error = %error.chain(), "lease.not_renewed"),
                Err(_) => tracing::warn!("lease.not_renewed"),
            }
        }
    }

    async fn out_of_grace(&self, stop: &CancellationToken) {
        stop.cancelled().await;
        tokio::time::sleep(self.options.grace).await;
    }
}
