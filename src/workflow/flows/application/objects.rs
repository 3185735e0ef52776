//! The steps that apply objects, and those that bring back what was there before. Applying the same again changes
//! nothing.

use std::sync::Arc;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Secret, Service};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::ResourceExt;
use serde_json::json;

use super::super::super::flow::{Progress, StepContext};
use super::names::{Slot, Target};
use super::prepare::Before;
use super::{Needs, Rollout, judge, live, manifests, ours, secrets};
use crate::domain::Result;
use crate::domain::workload::Workload;
use crate::vendors::kubernetes::ending;

pub(super) async fn namespace(needs: Arc<Needs>, context: StepContext) -> Result<Progress> {
    let rollout = Rollout::new(needs, &context)?;
    let target = rollout.target();
    ours::namespace(&rollout.needs, target).await?;
    Ok(Progress::Done(json!({ "namespace": target.namespace })))
}

/// Writes the variables of a revision: those of secrets first, so that no pod starts without them.
pub(super) async fn configure(
    needs: &Needs,
    context: &StepContext,
    target: &Target,
    workload: &Workload,
) -> Result<()> {
    secrets::write(needs, context, target, workload).await?;
    ours::apply(needs, target, &manifests::config_map(target, workload)?).await?;
    Ok(())
}

pub(super) async fn configuration(needs: Arc<Needs>, context: StepContext) -> Result<Progress> {
    let rollout = Rollout::new(needs, &context)?;
    configure(&rollout.needs, &context, rollout.target(), rollout.workload()).await?;
    Ok(Progress::done())
}

pub(super) async fn no_configuration(needs: Arc<Needs>, context: StepContext) -> Result<Progress> {
    let rollout = Rollout::new(needs, &context)?;
    let (target, name) = (rollout.target(), rollout.target().configuration(rollout.workload().revision));
    ours::delete::<ConfigMap>(&rollout.needs, target, &name).await?;
    ours::delete::<Secret>(&rollout.needs, target, &name).await?;
    Ok(Progress::done())
}

pub(super) async fn workload(needs: Arc<Needs>, context: StepContext) -> Result<Progress> {
    let rollout = Rollout::new(needs, &context)?;
    roll_out(&rollout, Before::of(&context)?.slot()).await?;
    Ok(Progress::done())
}

/// Applies the Deployment of the new revision in the place of the one that is there.
pub(super) async fn roll_out(rollout: &Rollout, slot: Slot) -> Result<Deployment> {
    let target = rollout.target();
    let standing = live::standing(rollout.kubernetes(), target, slot).await?;
    let replicas = manifests::replicas(rollout.workload(), standing.map(|standing| standing.replicas));
    ours::apply(&rollout.needs, target, &manifests::deployment(target, rollout.workload(), slot, replicas, None)?).await
}

/// Brings the earlier revision back and waits until it serves alone; without one, waits until nothing is left.
pub(super) async fn earlier_workload(needs: Arc<Needs>, context: StepContext) -> Result<Progress> {
    let rollout = Rollout::new(needs, &context)?;
    let (before, target) = (Before::of(&context)?, rollout.target());
    let Some(number) = before.revision else {
        return remove(&rollout.needs, target, before.slot()).await;
    };
    let earlier = rollout.revision(&context, number).await?;
    configure(&rollout.needs, &context, target, &earlier).await?;
    bring_back(&rollout.needs, target, &earlier, &before, &context).await
}

/// Applies the Deployment that was there before and waits until it is as it was.
pub(super) async fn bring_back(
    needs: &Needs,
    target: &Target,
    earlier: &Workload,
    before: &Before,
    context: &StepContext,
) -> Result<Progress> {
    let deployment =
        manifests::deployment(target, earlier, before.slot(), before.replicas, before.restarted.as_deref())?;
    let applied = ours::apply(needs, target, &deployment).await?;
    judge::settled(needs, context, target, before.slot(), earlier, &applied, context.elapsed()).await
}

/// Removes the Deployment of a slot, with the Service that a canary may have, and waits until it and its pods are gone.
/// What keeps one of them is said.
pub(super) async fn remove(needs: &Needs, target: &Target, slot: Slot) -> Result<Progress> {
    let (kubernetes, name) = (&needs.kubernetes, slot.name(target));
    if matches!(slot, Slot::Canary(_)) {
        ours::delete::<Service>(needs, target, &name).await?;
    }
    ours::delete::<Deployment>(needs, target, &name).await?;
    let pods = that_run(kubernetes.list(&target.namespace, &slot.selector(target, None)).await?);
    let deployment: Option<Deployment> = kubernetes.get(&target.namespace, &name).await?;
    let deployment = deployment.filter(|it| ours::is_ours(target, &it.metadata));
    let deployment = deployment.and_then(|it| Some(format!("the deployment {name} {}", ending(&it.metadata)?)));
    if pods.is_empty() && deployment.is_none() {
        return Ok(Progress::done());
    }
    Ok(Progress::Wait { detail: deployment.unwrap_or_else(|| stopping(&pods)), poll: needs.poll })
}

/// The pods that run or may yet: one that was evicted or has completed stands in the list until somebody removes it.
pub(super) fn that_run(pods: Vec<Pod>) -> Vec<Pod> {
    let over = |pod: &Pod| {
        let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
        matches!(phase, Some("Succeeded" | "Failed"))
    };
    pods.into_iter().filter(|pod| !over(pod)).collect()
}

/// What pods that are to go are at: how many they are, or what holds one of them.
pub(super) fn stopping(pods: &[Pod]) -> String {
    let mut held = pods.iter().filter(|pod| !pod.finalizers().is_empty());
    let held = held.find_map(|pod| Some(format!("the pod {} {}", pod.name_any(), ending(&pod.metadata)?)));
    held.unwrap_or_else(|| format!("{} pods are being stopped", pods.len()))
}

/// Applies the autoscaler, or removes it, and the disruption budget.
pub(super) async fn limit(needs: &Needs, target: &Target, workload: &Workload, slot: Slot) -> Result<()> {
    match &workload.settings.autoscaling {
        Some(scaling) => {
            ours::apply(needs, target, &manifests::autoscaler(target, scaling, slot)?).await?;
        }
        None => ours::delete::<HorizontalPodAutoscaler>(needs, target, &target.workload).await?,
    }
    ours::apply(needs, target, &manifests::budget(target)?).await?;
    Ok(())
}

pub(super) async fn scaling(needs: Arc<Needs>, context: StepContext) -> Result<Progress> {
    let rollout = Rollout::new(needs, &context)?;
    let slot = Before::of(&context)?.slot();
    limit(&rollout.needs, rollout.target(), rollout.workload(), slot).await?;
    Ok(Progress::done())
}

pub(super) async fn earlier_scaling(needs: Arc<Needs>, context: StepContext) -> Result<Progress> {
    let rollout = Rollout::new(needs, &context)?;
    let (before, target) = (Before::of(&context)?, rollout.target());
    match before.revision {
        Some(number) => {
            let mut earlier = rollout.revision(&context, number).await?;
            earlier.settings.autoscaling = before.autoscaling.clone();
            limit(&rollout.needs, target, &earlier, before.slot()).await?;
        }
        None => {
            ours::delete::<HorizontalPodAutoscaler>(&rollout.needs, target, &target.workload).await?;
            ours::delete::<PodDisruptionBudget>(&rollout.needs, target, &target.workload).await?;
        }
    }
    Ok(Progress::done())
}
