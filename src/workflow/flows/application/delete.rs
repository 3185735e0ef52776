//! The end of an application: its address first and at once, then its pods, its preview environments, its configuration
//! with its secrets, and its namespace where nothing else lives in it. Each step removes what is there and waits until
//! it is gone, so that a step that is done again finds nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::BoxFuture;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Secret, Service};
use k8s_openapi::api::networking::v1::Ingress;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::PgConnection;

use super::super::super::flow::{Flow, Observer, Progress, Step, StepContext, Transition};
use super::names::{Colour, MANAGED_BY, Slot, Target};
use super::{Needs, SUBJECT, objects, ours, vacancy};
use crate::db::operations::Operation;
use crate::db::{alerts, applications, previews};
use crate::domain::{ApplicationStatus, Code, Error, PreviewStatus, Result};
use crate::vendors::kubernetes::{HttpRoute, Object, ending};

/// The kind of the operation that removes an application.
pub const DELETE: &str = "application.delete";

/// The input of the flow.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Removal {
    /// Where its objects are; nowhere for one that was never deployed.
    pub target: Option<Target>,
}

struct View {
    needs: Arc<Needs>,
    target: Target,
}

impl View {
    /// None for an application of which nothing was ever made.
    fn new(needs: Arc<Needs>, context: &StepContext) -> Result<Option<Self>> {
        let Removal { target } = context.input()?;
        Ok(target.map(|target| Self { needs, target }))
    }

    fn wait(&self, detail: String) -> Progress {
        Progress::Wait { detail, poll: self.needs.poll }
    }

    /// Asks for the end of every object of a kind that is the application's: what bears its labels, and what has one of
    /// its names and lost them. Answers how one of them is on its way out that is not gone at once.
    async fn clear<K: Object>(&self, names: &[String]) -> Result<Option<String>> {
        let (kubernetes, namespace) = (&self.needs.kubernetes, self.target.namespace.as_str());
        let own = format!("{},{}={}", self.target.selector(), MANAGED_BY.0, MANAGED_BY.1);
        let listed = kubernetes.list::<K>(namespace, &own).await?;
        let mut objects: BTreeMap<String, K> =
            listed.into_iter().filter_map(|object| Some((object.meta().name.clone()?, object))).collect();
        for name in names.iter().filter(|name| !objects.contains_key(*name)).cloned().collect::<Vec<_>>() {
            let found: Option<K> = kubernetes.get(namespace, &name).await?;
            if let Some(object) = found.filter(|object| ours::is_ours(&self.target, object.meta())) {
                objects.insert(name, object);
            }
        }
        let mut left = None;
        for (name, object) in objects {
            if object.meta().deletion_timestamp.is_none() {
                kubernetes.delete::<K>(namespace, &name).await?;
            }
            let metadata = object.meta();
            if metadata.finalizers.as_ref().is_some_and(|finalizers| !finalizers.is_empty()) {
                let words = ending(metadata).unwrap_or_else(|| "is being deleted".to_owned());
                left = Some(format!("the {} {name} {words}", K::kind(&())));
            }
        }
        Ok(left)
    }
}

/// `application.delete`, version 1.
pub fn flow(needs: &Arc<Needs>) -> Flow {
    let longest = needs.settings.delete_timeout;
    let steps = vec![
        Step::new("address", "Take its address away", needs, address).deadline(longest),
        Step::new("pods", "Stop its pods", needs, pods).deadline(longest),
        Step::new("previews", "Wait until its preview environments are gone", needs, copies).deadline(longest),
        Step::new("configuration", "Remove its configuration and secrets", needs, configuration).deadline(longest),
        Step::new("namespace", "Remove the namespace if nothing else lives in it", needs, namespace).deadline(longest),
    ];
    let observer: Observer =
        Arc::new(|db, operation, seen| -> BoxFuture<'_, Result<()>> { Box::pin(deleted(db, operation, seen)) });
    Flow::new(DELETE, 1, steps).not_cancellable().observed_by(observer)
}

async fn address(needs: Arc<Needs>, context: StepContext) -> Result<Progress> {
    let Some(view) = View::new(needs, &context)? else { return Ok(Progress::done()) };
    let name = [view.target.workload.clone()];
    let ingress = view.clear::<Ingress>(&name).await?;
    let route = view.clear::<HttpRoute>(&name).await?;
    let mut tx = context.transaction().await?;
    applications::set_url(&mut tx, context.operation().subject_id, None).await?;
    tx.commit().await?;
    Ok(ingress.or(route).map_or_else(Progress::done, |left| view.wait(left)))
}

async fn pods(needs: Arc<Needs>, context: StepContext) -> Result<Progress> {
    let Some(view) = View::new(needs, &context)? else { return Ok(Progress::done()) };
    let target = &view.target;
    let slots = [Slot::Stable(Colour::Blue), Slot::Stable(Colour::Green), Slot::Canary(Colour::Blue)];
    let deployments = slots.map(|slot| slot.name(target));
    let services = [target.workload.clone(), target.preview(), Slot::Canary(Colour::Blue).name(target)];
    let own = [target.workload.clone()];
    // The autoscaler first: it would give pods back.
    let mut left = view.clear::<HorizontalPodAutoscaler>(&own).await?;
    left = view.clear::<Deployment>(&deployments).await?.or(left);
    left = view.clear::<PodDisruptionBudget>(&own).await?.or(left);
    left = view.clear::<Service>(&services).await?.or(left);
    let pods: Vec<Pod> = view.needs.kubernetes.list(&target.namespace, &target.selector()).await?;
    let pods = objects::that_run(pods);
    let left = if pods.is_empty() { left } else { Some(objects::stopping(&pods)) };
    Ok(left.map_or_else(Progress::done, |left| view.wait(left)))
}

/// Waits for the preview environments, whose removal was asked for with the application's.
async fn copies(needs: Arc<Needs>, context: StepContext) -> Result<Progress> {
    let mut tx = context.transaction().await?;
    let left = previews::of_application(&mut *tx, context.operation().subject_id).await?;
    tx.commit().await?;
    if left.is_empty() {
        return Ok(Progress::done());
    }
    if let Some(failed) = left.iter().find(|it| it.status == PreviewStatus::Failed) {
        let why = failed.error.as_deref().unwrap_or("no reason was given");
        let message =
            format!("the preview environment {} cannot be removed: {why}; a retry tries that again too", failed.name);
        return Err(Error::new(Code::VendorRejected, message));
    }
    let names: Vec<&str> = left.iter().map(|it| it.name.as_str()).collect();
    let detail = format!("the preview environments {} are being removed", names.join(", "));
    Ok(Progress::Wait { detail, poll: needs.poll })
}

async fn configuration(needs: Arc<Needs>, context: StepContext) -> Result<Progress> {
    let Some(view) = View::new(needs, &context)? else { return Ok(Progress::done()) };
    let secrets = view.clear::<Secret>(&[]).await?;
    let maps = view.clear::<ConfigMap>(&[]).await?;
    Ok(secrets.or(maps).map_or_else(Progress::done, |left| view.wait(left)))
}

async fn namespace(needs: Arc<Needs>, context: StepContext) -> Result<Progress> {
    let Some(view) = View::new(needs, &context)? else { return Ok(Progress::done()) };
    let mut tx = context.transaction().await?;
    let alone = applications::alone_in(&mut *tx, context.operation().subject_id, &view.target.namespace).await?;
    tx.commit().await?;
    if !alone {
        return Ok(Progress::Done(json!({ "kept": "other applications live in it" })));
    }
    vacancy::remove(&view.needs, &view.target).await
}

async fn deleted(db: &mut PgConnection, operation: &Operation, seen: Transition<'_>) -> Result<()> {
    let application = operation.subject_id;
    match seen {
        Transition::StepDone { .. }
        | Transition::Superseded { .. }
        | Transition::CancelRequested
        | Transition::Cancelled => Ok(()),
        Transition::Resumed { .. } => {
            applications::move_to(db, application, ApplicationStatus::Deleting).await.map(drop)
        }
        Transition::Failed { .. } => applications::move_to(db, application, ApplicationStatus::Failed).await.map(drop),
        Transition::Succeeded => {
            // Before its variables, which lock the team's audit chain.
            applications::lock_any(db, application).await?;
            applications::forget(&mut *db, application).await?;
            alerts::resolve_all(db, SUBJECT, application).await
        }
    }
}
