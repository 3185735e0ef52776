//! The steps that bring a revision up beside the one that serves, switch, and remove the earlier one.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Service;
use serde_json::{Value, json};

use super::super::super::flow::{Progress, StepContext};
use super::canary::paused;
use super::names::{Colour, Slot};
use super::prepare::Before;
use super::{Needs, Rollout, judge, manifests, network, objects, ours};
use crate::db::deployments;
use crate::domain::Result;

/// The signal that lets the new colour take over.
pub const PROMOTE: &str = "promote";

/// The colour of the new revision: the other one, or the first where nothing serves.
pub(super) fn next(before: &Before) -> Slot {
    Slot::Stable(match (before.revision, before.colour) {
        (Some(_), Colour::Blue) => Colour::Green,
        (Some(_), Colour::Green) | (None, _) => Colour::Blue,
    })
}

/// Starts the new colour at its full size, with a Service of its own under which it can be looked at.
pub(super) async fn candidate(needs: Arc<Needs>, context: StepContext) -> Result<Progress> {
    let rollout = Rollout::new(needs, &context)?;
    let before = Before::of(&context)?;
    stand(&rollout, &before).await?;
    Ok(Progress::Done(json!({ "colour": next(&before).colour() })))
}

async fn stand(rollout: &Rollout, before: &Before) -> Result<Deployment> {
    let (target, slot) = (rollout.target(), next(before));
    let replicas = manifests::replicas(rollout.workload(), Some(before.replicas));
    let deployment = manifests::deployment(target, rollout.workload(), slot, replicas, None)?;
    let applied = ours::apply(&rollout.needs, target, &deployment).await?;
    if before.revision.is_some() {
        let service = manifests::preview_service(target, rollout.workload(), slot.colour())?;
        ours::apply(&rollout.needs, target, &service).await?;
    }
    Ok(applied)
}

pub(super) async fn no_candidate(needs: Arc<Needs>, context: StepContext) -> Result<Progress> {
    let rollout = Rollout::new(needs, &context)?;
    let (target, slot) = (rollout.target(), next(&Before::of(&context)?));
    ours::delete::<Service>(&rollout.needs, target, &target.preview()).await?;
    objects::remove(&rollout.needs, target, slot).await
}

pub(super) async fn ready(needs: Arc<Needs>, context: StepContext) -> Result<Progress> {
    let rollout = Rollout::new(needs, &context)?;
    let before = Before::of(&context)?;
    let (needs, target, workload) = (&rollout.needs, rollout.target(), rollout.workload());
    let again = async {
        objects::configure(needs, &context, target, workload).await?;
        stand(&rollout, &before).await
    };
    judge::verdict(needs, &context, target, next(&before), workload, again).await
}

/// Waits for a person, unless the application says that none is needed or nothing else serves.
pub(super) async fn promotion(needs: Arc<Needs>, context: StepContext) -> Result<Progress> {
    let rollout = Rollout::new(needs, &context)?;
    let before = Before::of(&context)?;
    let asked = before.revision.is_some() && !rollout.workload().settings.blue_green.auto_promote;
    let wait = asked && context.signal::<Value>(PROMOTE).await?.is_none();
    let mut tx = context.transaction().await?;
    deployments::move_to(&mut tx, rollout.input.deployment, paused(wait), None).await?;
    tx.commit().await?;
    if !wait {
        return Ok(Progress::done());
    }
    let colour = next(&before).colour().as_str();
    let preview = rollout.target().preview();
    let detail = format!("{colour} is ready, and reached within the cluster as {preview}; waits for its promotion");
    Ok(Progress::Park { detail, wake: None })
}

/// Leads the traffic to the new colour.
pub(super) async fn switch(needs: Arc<Needs>, context: StepContext) -> Result<Progress> {
    let rollout = Rollout::new(needs, &context)?;
    let colour = next(&Before::of(&context)?).colour();
    network::publish(&rollout.needs, rollout.target(), rollout.workload(), colour, 0).await?;
    Ok(Progress::Done(json!({ "url": rollout.target().url(&rollout.needs.settings, rollout.workload()) })))
}

pub(super) async fn scaling(needs: Arc<Needs>, context: StepContext) -> Result<Progress> {
    let rollout = Rollout::new(needs, &context)?;
    let slot = next(&Before::of(&context)?);
    objects::limit(&rollout.needs, rollout.target(), rollout.workload(), slot).await?;
    Ok(Progress::done())
}

/// Removes the colour that served before.
pub(super) async fn retire(needs: Arc<Needs>, context: StepContext) -> Result<Progress> {
    let rollout = Rollout::new(needs, &context)?;
    let (before, target) = (Before::of(&context)?, rollout.target());
    ours::delete::<Service>(&rollout.needs, target, &target.preview()).await?;
    if before.revision.is_none() {
        return Ok(Progress::done());
    }
    let delay = Duration::from_secs(rollout.workload().settings.blue_green.scale_down_delay_seconds.into());
    if let Some(left) = delay.checked_sub(context.elapsed()).filter(|left| !left.is_zero()) {
        let detail = format!("the earlier colour stays for {} s more", left.as_secs() + 1);
        return Ok(Progress::Wait { detail, poll: left });
    }
    objects::remove(&rollout.needs, target, before.slot()).await
}

/// Brings the colour back that served before.
pub(super) async fn bring_back(needs: Arc<Needs>, context: StepContext) -> Result<Progress> {
    let rollout = Rollout::new(needs, &context)?;
    let before = Before::of(&context)?;
    let Some(number) = before.revision else { return Ok(Progress::done()) };
    let earlier = rollout.revision(&context, number).await?;
    objects::configure(&rollout.needs, &context, rollout.target(), &earlier).await?;
    objects::bring_back(&rollout.needs, rollout.target(), &earlier, &before, &context).await
}
