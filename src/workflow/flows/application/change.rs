//! The steps that change the number of pods of the revision that is there, or replace them.

use std::sync::Arc;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::super::super::flow::{Progress, StepContext};
use super::live::Standing;
use super::names::{Slot, Target};
use super::prepare::Before;
use super::{Needs, SUBJECT, judge, live, manifests, objects, ours, prepare, revision};
use crate::db::applications;
use crate::domain::workload::{Autoscaling, Workload};
use crate::domain::{ApplicationStatus, Code, Error, Result};

/// The size of an application, as its row says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Size {
    /// How many pods it has.
    pub replicas: u32,
    /// Its settings, of which autoscaling is one.
    pub settings: Value,
}

/// The input of a change.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// Where the application's objects are.
    pub target: Target,
    /// The number of pods; none for a restart, which leaves it as it is.
    pub replicas: Option<u32>,
    /// Between how many it scales itself from now on.
    pub autoscaling: Option<Autoscaling>,
    /// What the row said before, where the change has changed it.
    pub before: Option<Size>,
    /// What it says since.
    pub after: Option<Size>,
}

struct View {
    needs: Arc<Needs>,
    input: Change,
    before: Before,
    operation: Uuid,
}

impl View {
    fn new(needs: Arc<Needs>, context: &StepContext) -> Result<Self> {
        let operation = context.operation().id;
        Ok(Self { needs, input: context.input()?, before: Before::of(context)?, operation })
    }

    /// The revision that the Deployment shows, as this change wants it to be.
    async fn workload(&self, context: &StepContext) -> Result<Workload> {
        let number = self.before.revision.ok_or_else(nothing_there)?;
        let mut workload = revision(context, self.input.target.application, number).await?;
        if let Some(replicas) = self.input.replicas {
            workload.replicas = replicas;
            workload.settings.autoscaling = self.input.autoscaling.clone();
        }
        Ok(workload)
    }

    /// How many pods there are to be: the autoscaler's choice is kept while it is within its bounds.
    fn replicas(&self, standing: Option<&Standing>) -> u32 {
        let scaling = if self.input.replicas.is_some() { &self.input.autoscaling } else { &self.before.autoscaling };
        match (scaling, standing) {
            (Some(scaling), Some(standing)) if standing.replicas > 0 => {
                standing.replicas.clamp(scaling.min_replicas, scaling.max_replicas)
            }
            _ => self.input.replicas.unwrap_or(self.before.replicas),
        }
    }

    /// Applies the Deployment as this change wants it to be.
    async fn put(&self, workload: &Workload) -> Result<Deployment> {
        let (target, slot) = (&self.input.target, self.before.slot());
        let own = self.operation.to_string();
        let restarted = if self.input.replicas.is_none() { Some(own) } else { self.before.restarted.clone() };
        let standing = live::standing(&self.needs.kubernetes, target, slot).await?;
        let replicas = self.replicas(standing.as_ref());
        let deployment = manifests::deployment(target, workload, slot, replicas, restarted.as_deref())?;
        ours::apply(&self.needs, target, &deployment).await
    }
}

fn nothing_there() -> Error {
    Error::new(Code::IllegalTransition, "nothing of the application is in the cluster; deploy it first")
}

/// Reads what is running. What the change makes of it is not taken for what was there before: a change that is done
/// again finds its own mark.
pub(super) async fn look(needs: Arc<Needs>, context: StepContext) -> Result<Progress> {
    let Change { target, .. } = context.input()?;
    let colour = live::colour(&needs.kubernetes, &target).await?;
    let standing = live::standing(&needs.kubernetes, &target, Slot::Stable(colour)).await?;
    let standing = standing.ok_or_else(nothing_there)?;
    let autoscaling = live::autoscaling(&needs.kubernetes, &target).await?;
    let mut tx = context.transaction().await?;
    let application = applications::lock(&mut tx, target.application).await?;
    let application = application.ok_or_else(|| Error::not_found(SUBJECT))?;
    let url = application.url;
    let status = if application.status == ApplicationStatus::Deploying {
        // This step had moved it on before it was interrupted.
        if standing.replicas == 0 { ApplicationStatus::Stopped } else { ApplicationStatus::Running }
    } else {
        application.status
    };
    applications::move_to(&mut tx, target.application, ApplicationStatus::Deploying).await?;
    let revision = prepare::shown(&mut tx, target.application, &standing, None).await?;
    tx.commit().await?;
    let before = Before {
        colour,
        revision,
        replicas: standing.replicas,
        restarted: standing.restarted,
        autoscaling,
        status,
        url,
    };
    let before = serde_json::to_value(before).map_err(|source| Error::internal("write what a change found", source))?;
    Ok(Progress::Done(before))
}

pub(super) async fn apply(needs: Arc<Needs>, context: StepContext) -> Result<Progress> {
    let view = View::new(needs, &context)?;
    let workload = view.workload(&context).await?;
    view.put(&workload).await?;
    if view.input.replicas.is_some() {
        objects::limit(&view.needs, &view.input.target, &workload, view.before.slot()).await?;
    }
    Ok(Progress::done())
}

/// Brings back the number of pods that there was.
pub(super) async fn back(needs: Arc<Needs>, context: StepContext) -> Result<Progress> {
    let view = View::new(needs, &context)?;
    let number = view.before.revision.ok_or_else(nothing_there)?;
    let target = &view.input.target;
    let mut earlier = revision(&context, target.application, number).await?;
    earlier.settings.autoscaling = view.before.autoscaling.clone();
    if view.input.replicas.is_some() {
        objects::limit(&view.needs, target, &earlier, view.before.slot()).await?;
    }
    objects::bring_back(&view.needs, target, &earlier, &view.before, &context).await
}

/// Waits until as many pods are ready as there are to be, and no others are left.
pub(super) async fn settled(needs: Arc<Needs>, context: StepContext) -> Result<Progress> {
    let view = View::new(needs, &context)?;
    let workload = view.workload(&context).await?;
    let (target, slot) = (&view.input.target, view.before.slot());
    let stopped = view.input.replicas.unwrap_or(view.before.replicas) == 0;
    if !stopped {
        let again = view.put(&workload);
        return judge::verdict(&view.needs, &context, target, slot, &workload, again).await;
    }
    // What somebody else did to it meanwhile does not stay.
    view.put(&workload).await?;
    let pods: Vec<Pod> = view.needs.kubernetes.list(&target.namespace, &slot.selector(target, None)).await?;
    let pods = objects::that_run(pods);
    if pods.is_empty() {
        return Ok(Progress::done());
    }
    Ok(Progress::Wait { detail: objects::stopping(&pods), poll: view.needs.poll })
}
