//! The step that tries a revision on a growing share of the pods. Where it stands is kept with the deployment, so that
//! everybody sees it, and an interrupted try goes on there.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::super::super::flow::{Progress, StepContext};
use super::names::Slot;
use super::prepare::Before;
use super::{Needs, Rollout, judge, manifests, objects, ours};
use crate::db::deployments;
use crate::domain::workload::{CanaryStep, Workload};
use crate::domain::{Code, DeploymentStatus, Error, Result};

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
    /// Seconds of the step after which this began.
    since: f64,
}

impl Stand {
    /// The signal that lets it go on to the next share.
    pub fn next_signal(&self) -> String {
        format!("promote-{}-{}", self.round, self.step)
    }

    /// The signal that lets it take all pods.
    pub fn full_signal(&self) -> String {
        format!("promote-{}-all", self.round)
    }
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

pub(super) async fn walk(needs: Arc<Needs>, context: StepContext) -> Result<Progress> {
    let rollout = Rollout::new(needs, &context)?;
    let before = Before::of(&context)?;
    let Some(number) = before.revision.filter(|_| before.replicas > 0) else {
        return Ok(Progress::Done(json!({ "skipped": "no other revision serves" })));
    };
    let old = rollout.revision(&context, number).await?;
    let mut stand = stand(&rollout, &context).await?;
    let now = context.elapsed().as_secs_f64();
    let steps = &rollout.workload().settings.canary.steps;
    let Some(step) = steps.get(stand.step) else {
        return Ok(Progress::Done(json!({ "steps": steps.len() })));
    };
    let (canary, stable) = share(before.replicas, step.weight, before.autoscaling.is_some());
    if (stand.weight, stand.canary) != (step.weight, canary) {
        stand = Stand { weight: step.weight, canary, stable, paused: false, since: now, ..stand };
        keep(&rollout, &context, &stand).await?;
    }
    spread(&rollout, &before, &old, canary, stable).await?;
    match judged(&rollout, &context, &before, &stand, now).await {
        Ok(Progress::Done(_)) => pause(&rollout, &context, stand, *step, now).await,
        Ok(wait) => {
            if stand.paused {
                keep(&rollout, &context, &Stand { paused: false, since: now, ..stand }).await?;
            }
            Ok(wait)
        }
        Err(error) if error.retryable() => Err(error),
        Err(error) => {
            // Nobody is served by what has failed; its Deployment stays as evidence.
            spread(&rollout, &before, &old, 0, before.replicas).await?;
            let again = Stand { round: stand.round + 1, ..Stand::default() };
            keep(&rollout, &context, &again).await?;
            Err(error)
        }
    }
}

/// Gives the two revisions their pods.
async fn spread(rollout: &Rollout, before: &Before, old: &Workload, canary: u32, stable: u32) -> Result<()> {
    let target = rollout.target();
    let new = manifests::deployment(target, rollout.workload(), Slot::Canary(before.colour), canary, None)?;
    ours::apply(&rollout.needs, target, &new).await?;
    if before.autoscaling.is_none() {
        let restarted = before.restarted.as_deref();
        let old = manifests::deployment(target, old, before.slot(), stable, restarted)?;
        ours::apply(&rollout.needs, target, &old).await?;
    }
    Ok(())
}

/// Whether the canary is ready and has not been restarted too often.
async fn judged(
    rollout: &Rollout,
    context: &StepContext,
    before: &Before,
    stand: &Stand,
    now: f64,
) -> Result<Progress> {
    let (target, workload, slot) = (rollout.target(), rollout.workload(), Slot::Canary(before.colour));
    let selector = slot.selector(target, Some(workload.revision));
    let pods: Vec<Pod> = rollout.kubernetes().list(&target.namespace, &selector).await?;
    let containers = pods.iter().filter_map(|pod| pod.status.as_ref()?.container_statuses.as_ref()).flatten();
    let restarts = containers.map(|it| u32::try_from(it.restart_count).unwrap_or(0)).max().unwrap_or(0);
    let most = workload.settings.canary.max_restarts;
    let elapsed = Duration::from_secs_f64((now - stand.since).max(0.0));
    let ready = judge::slot_ready(&rollout.needs, context, target, slot, workload, elapsed).await;
    if restarts > most && ready.is_ok() {
        let message =
            format!("the canary at {} % has failed: its container was restarted {restarts} times", stand.weight);
        return Err(Error::new(Code::VendorRejected, message));
    }
    ready
}

/// Holds a share that is ready for as long as it is to be held, and then goes on to the next.
async fn pause(
    rollout: &Rollout,
    context: &StepContext,
    mut stand: Stand,
    step: CanaryStep,
    now: f64,
) -> Result<Progress> {
    if !stand.paused {
        stand = Stand { paused: true, since: now, ..stand };
        keep(rollout, context, &stand).await?;
    }
    let full = context.signal::<serde_json::Value>(&stand.full_signal()).await?.is_some();
    let next = full || context.signal::<serde_json::Value>(&stand.next_signal()).await?.is_some();
    let left = step.pause_seconds.map(|seconds| f64::from(seconds) - (now - stand.since));
    if next || left.is_some_and(|left| left <= 0.0) {
        let last = rollout.workload().settings.canary.steps.len();
        let step = if full { last } else { stand.step + 1 };
        keep(rollout, context, &Stand { step, paused: false, since: now, ..stand }).await?;
        return Ok(Progress::Wait { detail: format!("{} % have done well", stand.weight), poll: Duration::ZERO });
    }
    let calm = rollout.needs.poll.saturating_mul(CALM);
    let wake = left.map_or(calm, |left| calm.min(Duration::from_secs_f64(left)));
    let until = match step.pause_seconds {
        Some(seconds) => format!("for {seconds} s, or until it is promoted"),
        None => "until it is promoted".to_owned(),
    };
    let detail =
        format!("{} of {} pods show the new revision; paused {until}", stand.canary, stand.canary + stand.stable);
    Ok(Progress::Park { detail, wake: Some(wake) })
}

async fn stand(rollout: &Rollout, context: &StepContext) -> Result<Stand> {
    let mut tx = context.transaction().await?;
    let row = deployments::find(&mut *tx, rollout.input.deployment).await?;
    tx.commit().await?;
    let kept = row.and_then(|row| row.progress.get("canary").cloned());
    Ok(kept.and_then(|kept| serde_json::from_value(kept).ok()).unwrap_or_default())
}

/// Writes where the canary stands, and with it whether the deployment pauses.
async fn keep(rollout: &Rollout, context: &StepContext, stand: &Stand) -> Result<()> {
    let (deployment, status) = (rollout.input.deployment, paused(stand.paused));
    let mut tx = context.transaction().await?;
    deployments::progress(&mut tx, deployment, &json!({ "canary": stand })).await?;
    deployments::move_to(&mut tx, deployment, status, None).await?;
    tx.commit().await
}

pub(super) fn paused(paused: bool) -> DeploymentStatus {
    if paused { DeploymentStatus::Paused } else { DeploymentStatus::Deploying }
}

/// Gives the old revision all its pods back, and removes the canary.
pub(super) async fn give_up(needs: Arc<Needs>, context: StepContext) -> Result<Progress> {
    let rollout = Rollout::new(needs, &context)?;
    let (before, target) = (Before::of(&context)?, rollout.target());
    let Some(number) = before.revision else { return Ok(Progress::done()) };
    let old = rollout.revision(&context, number).await?;
    match objects::bring_back(&rollout.needs, target, &old, &before, &context).await? {
        Progress::Done(_) => objects::remove(&rollout.needs, target, Slot::Canary(before.colour)).await,
        wait => Ok(wait),
    }
}

/// Removes the canary once the new revision has all pods.
pub(super) async fn retire(needs: Arc<Needs>, context: StepContext) -> Result<Progress> {
    let rollout = Rollout::new(needs, &context)?;
    let slot = Slot::Canary(Before::of(&context)?.colour);
    objects::remove(&rollout.needs, rollout.target(), slot).await
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
    }
}
