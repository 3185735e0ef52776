//! The step that tries a revision on a growing share: of the pods, to which the requests go alike, or through a Gateway
//! of the requests themselves, while all old pods stay. Where it stands is kept with the deployment, so that everybody
//! sees it, and an interrupted try goes on there.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::super::super::flow::{Progress, StepContext};
use super::names::Slot;
use super::network::{Door, publish, settling};
use super::prepare::Before;
use super::{Needs, Rollout, judge, manifests, objects, ours};
use crate::db::deployments;
use crate::domain::workload::{CanaryStep, Workload};
use crate::domain::{Code, DeploymentStatus, Error, Result};
use crate::vendors::kubernetes::HttpRoute;

/// Looks that a pause is divided into, at this many times the usual distance: a canary is judged while it waits.
const CALM: u32 = 10;

/// Where a canary stands: `progress.canary` of its deployment.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Stand {
    /// Tries so far: a promotion counts for the try that it was given to.
    pub round: u32,
    /// The share that it is at, from 0.
    pub step: usize,
    /// The share in percent.
    pub weight: u32,
    /// Pods of the new revision.
    pub canary: u32,
    /// Pods of the old one.
    pub stable: u32,
    /// Whether it is ready and pauses.
    pub paused: bool,
    /// The share of the requests, in percent, that it has through a Gateway: none before its pods are ready.
    pub routed: u32,
    /// Seconds of the step after which this began.
    since: f64,
    /// Seconds of the step after which it was given its share of the requests, or lost it.
    routed_since: f64,
}

impl Stand {
    /// The signal that lets it go on to the next share.
    pub fn next_signal(&self) -> String {
        format!("promote-{}-{}", self.round, self.step)
    }

    /// Who is served by what when a deployment fails whose canary stands, and the ways out; none where no canary stands.
    pub(super) fn left(&self, revision: i32, before: Option<i32>, operation: Uuid) -> Option<String> {
        let before = before.filter(|_| self.weight > 0)?;
        let share = if self.routed > 0 {
            format!("{} % of requests go to revision {revision}", self.routed)
        } else {
            format!("{} pods of the canary go on serving revision {revision}", self.canary)
        };
        Some(format!(
            "{share}, the others revision {before}: go on (northstack operations retry {operation}), or take it back \
             (northstack abort)"
        ))
    }

    /// The signal that lets it take all pods.
    pub fn full_signal(&self) -> String {
        format!("promote-{}-all", self.round)
    }
}

/// How many pods the canary has for its share of the requests: they come on top of the old ones, which all stay.
fn on_top(total: u32, weight: u32) -> (u32, u32) {
    ((total * weight).div_ceil(100).max(1), total)
}

/// How many of so many pods are the canary's: at least one, and one of the old ones stays.
fn share(total: u32, weight: u32, autoscaled: bool) -> (u32, u32) {
    let wanted = (total * weight).div_ceil(100).max(1);
    if autoscaled {
        // The autoscaler has the old pods; the canary's come on top.
        return ((total * weight).div_ceil(100 - weight.min(99)).max(1), total);
    }
    (wanted, total.saturating_sub(wanted).max(1))
}

/// One look at a canary.
struct Trial {
    rollout: Rollout,
    context: StepContext,
    before: Before,
    old: Workload,
    /// Seconds of the step.
    now: f64,
}

impl Trial {
    /// None where no other revision serves.
    async fn of(needs: Arc<Needs>, context: StepContext) -> Result<Option<Self>> {
        let rollout = Rollout::new(needs, &context)?;
        let before = Before::of(&context)?;
        let Some(number) = before.revision else { return Ok(None) };
        let old = rollout.revision(&context, number).await?;
        let now = context.elapsed().as_secs_f64();
        Ok(Some(Self { rollout, context, before, old, now }))
    }
}

pub(super) async fn walk(needs: Arc<Needs>, context: StepContext) -> Result<Progress> {
    let Some(trial) = Trial::of(needs, context).await?.filter(|trial| trial.before.replicas > 0) else {
        return Ok(Progress::Done(json!({ "skipped": "no other revision serves" })));
    };
    let mut stand = trial.stand().await?;
    let steps = &trial.rollout.workload().settings.canary.steps;
    let Some(step) = steps.get(stand.step) else {
        return Ok(Progress::Done(json!({ "steps": steps.len(), "weight": stand.weight })));
    };
    let route = trial.lead(&stand, stand.routed).await?;
    let (rollout, before) = (&trial.rollout, &trial.before);
    if route.is_some() {
        // Its Service is there before its pods are, and so long before requests go to it.
        let service = manifests::canary_service(rollout.target(), rollout.workload(), before.colour)?;
        ours::apply(&rollout.needs, rollout.target(), &service).await?;
    }
    let (canary, stable) = match &route {
        Some(_) => on_top(before.replicas, step.weight),
        None => share(before.replicas, step.weight, before.autoscaling.is_some()),
    };
    if (stand.weight, stand.canary, stand.stable) != (step.weight, canary, stable) {
        stand = Stand { weight: step.weight, canary, stable, paused: false, since: trial.now, ..stand };
        trial.keep(&stand).await?;
    }
    trial.spread(canary, stable).await?;
    match trial.judged(&stand).await {
        Ok(Progress::Done(_)) => match route {
            Some(route) if !stand.paused => trial.give(&route, stand, *step).await,
            route => trial.pause(stand, *step, route.is_some()).await,
        },
        Ok(wait) => {
            if stand.paused {
                // Its pods were ready and are not: until they are again, the requests go to the others.
                let back = Stand { paused: false, since: trial.now, routed: 0, routed_since: trial.now, ..stand };
                trial.keep(&back).await?;
            }
            Ok(wait)
        }
        Err(error) if error.retryable() => Err(error),
        Err(error) => match trial.withdraw(&stand).await? {
            Some(wait) => Ok(wait),
            None => trial.fail(&stand, error).await,
        },
    }
}

impl Trial {
    /// Leads the requests: through a Gateway so many percent of them to the canary's own Service. Without one, the pods
    /// of both revisions get them alike.
    async fn lead(&self, stand: &Stand, share: u32) -> Result<Option<HttpRoute>> {
        let (needs, target) = (&self.rollout.needs, self.rollout.target());
        // A share that was given before the Gateway was unset is taken back too.
        if Door::of(&needs.settings, target, &self.old).is_none() && stand.routed == 0 {
            return Ok(None);
        }
        publish(needs, target, &self.old, self.before.colour, share).await
    }

    /// Gives the two revisions their pods.
    async fn spread(&self, canary: u32, stable: u32) -> Result<()> {
        let (needs, target, before) = (&self.rollout.needs, self.rollout.target(), &self.before);
        let slot = Slot::Canary(before.colour);
        let new = manifests::deployment(target, self.rollout.workload(), slot, canary, None)?;
        ours::apply(needs, target, &new).await?;
        if before.autoscaling.is_none() {
            let restarted = before.restarted.as_deref();
            let old = manifests::deployment(target, &self.old, before.slot(), stable, restarted)?;
            ours::apply(needs, target, &old).await?;
        }
        Ok(())
    }

    /// Whether the canary is ready and has not been restarted too often.
    async fn judged(&self, stand: &Stand) -> Result<Progress> {
        let (rollout, slot) = (&self.rollout, Slot::Canary(self.before.colour));
        let (target, workload) = (rollout.target(), rollout.workload());
        let selector = slot.selector(target, Some(workload.revision));
        let pods: Vec<Pod> = rollout.kubernetes().list(&target.namespace, &selector).await?;
        let containers = pods.iter().filter_map(|pod| pod.status.as_ref()?.container_statuses.as_ref()).flatten();
        let restarts = containers.map(|it| u32::try_from(it.restart_count).unwrap_or(0)).max().unwrap_or(0);
        let most = workload.settings.canary.max_restarts;
        // While it pauses it was ready at the last look: the time to become ready again begins now.
        let since = if stand.paused { self.now } else { stand.since };
        let elapsed = Duration::from_secs_f64((self.now - since).max(0.0));
        let ready = judge::slot_ready(&rollout.needs, &self.context, target, slot, workload, elapsed).await;
        if restarts > most && ready.is_ok() {
            let message =
                format!("the canary at {} % has failed: its container was restarted {restarts} times", stand.weight);
            return Err(Error::new(Code::VendorRejected, message));
        }
        ready
    }

    /// Gives the canary, whose pods are ready, its share of the requests, and pauses once it has it.
    async fn give(&self, route: &HttpRoute, stand: Stand, step: CanaryStep) -> Result<Progress> {
        let weight = step.weight;
        if stand.routed != weight {
            let detail = format!("{} pods of the new revision are ready for {weight} % of requests", stand.canary);
            self.keep(&Stand { routed: weight, routed_since: self.now, ..stand }).await?;
            return Ok(Progress::Wait { detail, poll: Duration::ZERO });
        }
        let Some(why) = route.unserved() else { return self.pause(stand, step, true).await };
        if self.now - stand.routed_since < self.rollout.needs.settings.ready_timeout.as_secs_f64() {
            let detail = format!("{weight} % of requests are about to go to the new revision: {why}");
            return Ok(Progress::Wait { detail, poll: self.rollout.needs.poll });
        }
        self.lead(&stand, 0).await?;
        let message = format!("the canary cannot be given {weight} % of requests: {why}");
        self.fail(&stand, Error::new(Code::VendorRejected, message)).await
    }

    /// Leads all requests back to the old revision. Gives what is still waited for, if anything, before the canary's pods
    /// may go.
    async fn withdraw(&self, stand: &Stand) -> Result<Option<Progress>> {
        let mut since = stand.routed_since;
        if stand.routed > 0 {
            since = self.now;
            self.keep(&Stand { routed: 0, routed_since: since, ..stand.clone() }).await?;
        }
        let route = self.lead(stand, 0).await?;
        let waited = Duration::from_secs_f64((self.now - since).max(0.0));
        Ok(settling(&self.rollout.needs, route.as_ref(), waited))
    }

    /// Nobody is served by what has failed; its Deployment stays as evidence.
    async fn fail(&self, stand: &Stand, error: Error) -> Result<Progress> {
        self.spread(0, self.before.replicas).await?;
        self.keep(&Stand { round: stand.round + 1, ..Stand::default() }).await?;
        Err(error)
    }

    /// Holds a share that is ready for as long as it is to be held, and then goes on to the next.
    async fn pause(&self, mut stand: Stand, step: CanaryStep, routed: bool) -> Result<Progress> {
        let (context, now) = (&self.context, self.now);
        if !stand.paused {
            stand = Stand { paused: true, since: now, ..stand };
            self.keep(&stand).await?;
        }
        let full = context.signal::<serde_json::Value>(&stand.full_signal()).await?.is_some();
        let next = full || context.signal::<serde_json::Value>(&stand.next_signal()).await?.is_some();
        let left = step.pause_seconds.map(|seconds| f64::from(seconds) - (now - stand.since));
        if next || left.is_some_and(|left| left <= 0.0) {
            let last = self.rollout.workload().settings.canary.steps.len();
            let step = if full { last } else { stand.step + 1 };
            self.keep(&Stand { step, paused: false, since: now, ..stand }).await?;
            return Ok(Progress::Wait { detail: format!("{} % have done well", stand.weight), poll: Duration::ZERO });
        }
        let calm = self.rollout.needs.poll.saturating_mul(CALM);
        let wake = left.map_or(calm, |left| calm.min(Duration::from_secs_f64(left)));
        let until = match step.pause_seconds {
            Some(seconds) => format!("for {seconds} s, or until it is promoted"),
            None => "until it is promoted".to_owned(),
        };
        let detail = if routed {
            format!("{} % of requests go to the new revision; paused {until}", stand.weight)
        } else {
            format!("{} of {} pods show the new revision; paused {until}", stand.canary, stand.canary + stand.stable)
        };
        Ok(Progress::Park { detail, wake: Some(wake) })
    }

    async fn stand(&self) -> Result<Stand> {
        let mut tx = self.context.transaction().await?;
        let row = deployments::find(&mut *tx, self.rollout.input.deployment).await?;
        tx.commit().await?;
        let kept = row.and_then(|row| row.progress.get("canary").cloned());
        Ok(kept.and_then(|kept| serde_json::from_value(kept).ok()).unwrap_or_default())
    }

    /// Writes where the canary stands, and with it whether the deployment pauses.
    async fn keep(&self, stand: &Stand) -> Result<()> {
        let (deployment, status) = (self.rollout.input.deployment, paused(stand.paused));
        let mut tx = self.context.transaction().await?;
        deployments::progress(&mut tx, deployment, &json!({ "canary": stand })).await?;
        deployments::move_to(&mut tx, deployment, status, None).await?;
        tx.commit().await
    }
}

pub(super) fn paused(paused: bool) -> DeploymentStatus {
    if paused { DeploymentStatus::Paused } else { DeploymentStatus::Deploying }
}

/// Gives the old revision all requests and all its pods back, and removes the canary.
pub(super) async fn give_up(needs: Arc<Needs>, context: StepContext) -> Result<Progress> {
    let Some(trial) = Trial::of(needs, context).await? else { return Ok(Progress::done()) };
    let Trial { rollout, context, before, old, .. } = &trial;
    let (needs, target) = (&rollout.needs, rollout.target());
    let route = trial.lead(&trial.stand().await?, 0).await?;
    match objects::bring_back(needs, target, old, before, context).await? {
        Progress::Done(_) => match settling(needs, route.as_ref(), context.elapsed()) {
            Some(wait) => Ok(wait),
            None => objects::remove(needs, target, Slot::Canary(before.colour)).await,
        },
        wait => Ok(wait),
    }
}

/// Removes the canary once the new revision has all pods, and all requests go to them.
pub(super) async fn retire(needs: Arc<Needs>, context: StepContext) -> Result<Progress> {
    let rollout = Rollout::new(needs, &context)?;
    let (colour, target) = (Before::of(&context)?.colour, rollout.target());
    let route = publish(&rollout.needs, target, rollout.workload(), colour, 0).await?;
    if let Some(wait) = settling(&rollout.needs, route.as_ref(), context.elapsed()) {
        return Ok(wait);
    }
    objects::remove(&rollout.needs, target, Slot::Canary(colour)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_at_least_one_pod_and_leaves_one() {
        assert_eq!(share(10, 20, false), (2, 8));
        assert_eq!(share(1, 20, false), (1, 1));
        assert_eq!(share(3, 50, false), (2, 1));
        assert_eq!(share(2, 99, false), (2, 1));
        assert_eq!(share(4, 50, true), (4, 4));
        assert_eq!((on_top(10, 20), on_top(1, 20), on_top(3, 50)), ((2, 10), (1, 1), (2, 3)));
    }
}
