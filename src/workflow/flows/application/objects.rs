//! The steps that apply objects, and those that bring back what was there before. Applying the same again changes
//! nothing.

use std::sync::Arc;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Secret, Service};
use k8s_openapi::api::networking::v1::Ingress;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use serde_json::json;

use super::super::super::flow::{Progress, StepContext};
use super::names::{self, Colour, Slot, Target};
use super::prepare::Before;
use super::{Needs, Rollout, judge, live, manifests, secrets};
use crate::domain::workload::Workload;
use crate::domain::{Code, Error, Result};

pub(super) async fn namespace(needs: Arc<Needs>, context: StepContext) -> Result<Progress> {
    let rollout = Rollout::new(needs, &context)?;
    let target = rollout.target();
    if let Some(found) = rollout.kubernetes().namespace(&target.namespace).await? {
        let owner = found.metadata.labels.as_ref().and_then(|labels| labels.get(names::PROJECT));
        if owner.map(String::as_str) != Some(target.project.to_string().as_str()) {
            let message = format!("the namespace {} belongs to somebody else", target.namespace);
            return Err(Error::new(Code::VendorRejected, message));
        }
    }
    let applied = rollout.kubernetes().apply_namespace(&manifests::namespace(target)?).await?;
    if applied.metadata.deletion_timestamp.is_some() {
        return Err(Error::new(Code::Conflict, "the namespace is being deleted"));
    }
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
    needs.kubernetes.apply(&target.namespace, &manifests::config_map(target, workload)?).await?;
    Ok(())
}

pub(super) async fn configuration(needs: Arc<Needs>, context: StepContext) -> Result<Progress> {
    let rollout = Rollout::new(needs, &context)?;
    configure(&rollout.needs, &context, rollout.target(), rollout.workload()).await?;
    Ok(Progress::done())
}

pub(super) async fn no_configuration(needs: Arc<Needs>, context: StepContext) -> Result<Progress> {
    let rollout = Rollout::new(needs, &context)?;
    let (namespace, name) = (&rollout.target().namespace, rollout.target().configuration(rollout.workload().revision));
    rollout.kubernetes().delete::<ConfigMap>(namespace, &name).await?;
    rollout.kubernetes().delete::<Secret>(namespace, &name).await?;
    Ok(Progress::done())
}

/// Applies the Service and the route to it, or removes the route.
pub(super) async fn publish(needs: &Needs, target: &Target, workload: &Workload, colour: Colour) -> Result<()> {
    let kubernetes = &needs.kubernetes;
    kubernetes.apply(&target.namespace, &manifests::service(target, workload, colour)?).await?;
    match target.host(&needs.settings, workload) {
        Some(host) => {
            let ingress = manifests::ingress(target, workload, &host, needs.settings.ingress_class.as_deref())?;
            kubernetes.apply(&target.namespace, &ingress).await?;
        }
        None => kubernetes.delete::<Ingress>(&target.namespace, &target.workload).await?,
    }
    Ok(())
}

pub(super) async fn network(needs: Arc<Needs>, context: StepContext) -> Result<Progress> {
    let rollout = Rollout::new(needs, &context)?;
    let before = Before::of(&context)?;
    publish(&rollout.needs, rollout.target(), rollout.workload(), before.colour).await?;
    Ok(Progress::Done(json!({ "url": rollout.target().url(&rollout.needs.settings, rollout.workload()) })))
}

pub(super) async fn earlier_network(needs: Arc<Needs>, context: StepContext) -> Result<Progress> {
    let rollout = Rollout::new(needs, &context)?;
    let (before, target) = (Before::of(&context)?, rollout.target());
    match before.revision {
        Some(number) => {
            let earlier = rollout.revision(&context, number).await?;
            publish(&rollout.needs, target, &earlier, before.colour).await?;
        }
        None => {
            rollout.kubernetes().delete::<Ingress>(&target.namespace, &target.workload).await?;
            rollout.kubernetes().delete::<Service>(&target.namespace, &target.workload).await?;
        }
    }
    Ok(Progress::done())
}

pub(super) async fn workload(needs: Arc<Needs>, context: StepContext) -> Result<Progress> {
    let rollout = Rollout::new(needs, &context)?;
    let (slot, target) = (Before::of(&context)?.slot(), rollout.target());
    let standing = live::standing(rollout.kubernetes(), target, slot).await?;
    let replicas = manifests::replicas(rollout.workload(), standing.map(|standing| standing.replicas));
    let deployment = manifests::deployment(target, rollout.workload(), slot, replicas, None)?;
    rollout.kubernetes().apply(&target.namespace, &deployment).await?;
    Ok(Progress::done())
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
    let applied: Deployment = needs.kubernetes.apply(&target.namespace, &deployment).await?;
    judge::settled(needs, target, before.slot(), earlier, &applied, context.elapsed()).await
}

/// Removes the Deployment of a slot and waits until its pods are gone.
pub(super) async fn remove(needs: &Needs, target: &Target, slot: Slot) -> Result<Progress> {
    needs.kubernetes.delete::<Deployment>(&target.namespace, &slot.name(target)).await?;
    let pods: Vec<Pod> = needs.kubernetes.list(&target.namespace, &slot.selector(target, None)).await?;
    if pods.is_empty() {
        return Ok(Progress::done());
    }
    Ok(Progress::Wait { detail: format!("{} pods are being stopped", pods.len()), poll: needs.poll })
}

/// Applies the autoscaler, or removes it, and the disruption budget.
pub(super) async fn limit(needs: &Needs, target: &Target, workload: &Workload, slot: Slot) -> Result<()> {
    let kubernetes = &needs.kubernetes;
    match &workload.settings.autoscaling {
        Some(scaling) => {
            kubernetes.apply(&target.namespace, &manifests::autoscaler(target, scaling, slot)?).await?;
        }
        None => kubernetes.delete::<HorizontalPodAutoscaler>(&target.namespace, &target.workload).await?,
    }
    kubernetes.apply(&target.namespace, &manifests::budget(target)?).await?;
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
            let kubernetes = rollout.kubernetes();
            kubernetes.delete::<HorizontalPodAutoscaler>(&target.namespace, &target.workload).await?;
            kubernetes.delete::<PodDisruptionBudget>(&target.namespace, &target.workload).await?;
        }
    }
    Ok(Progress::done())
}
