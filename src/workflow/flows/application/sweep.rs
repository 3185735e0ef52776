//! Removes what a deleted application has left in the cluster. Only what carries our labels and the application's id is
//! removed; namespaces stay, for others live in them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::{ConfigMap, Secret, Service};
use k8s_openapi::api::networking::v1::Ingress;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::ResourceExt;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::super::super::flow::{Flow, Limits, Progress, Step, StepContext};
use super::Needs;
use super::names::{APPLICATION, MANAGED_BY};
use crate::db::departed;
use crate::domain::Result;
use crate::vendors::kubernetes::{Client, HttpRoute, Object};

/// The kind of the operation that removes what a deleted application has left.
pub const SWEEP: &str = "application.sweep";

/// Nobody waits for it, and the next pass begins another.
const LIMITS: Limits = Limits { timeout: Duration::from_secs(60), deadline: Duration::from_secs(10), attempts: 3 };

/// The input of the flow.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sweep {
    /// The namespaces in which objects were found.
    pub namespaces: BTreeSet<String>,
    /// The objects that were found, in words.
    pub objects: Vec<String>,
}

/// What the flow kept.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Swept {
    /// What its step did; nothing where the application was left to somebody else.
    pub remove: Removed,
}

/// What the step did.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Removed {
    /// Whether the end of everything was asked for.
    pub removed: bool,
}

/// `application.sweep`, version 1.
pub fn flow(needs: &Arc<Needs>) -> Flow {
    let remove = Step::new("remove", "Remove what the application has left", needs, remove).limits(LIMITS);
    Flow::new(SWEEP, 1, vec![remove]).not_cancellable()
}

async fn remove(needs: Arc<Needs>, context: StepContext) -> Result<Progress> {
    let Sweep { namespaces, .. } = context.input()?;
    let application = context.operation().subject_id;
    let mut tx = context.transaction().await?;
    let deleted = departed::of(&mut *tx, &[application]).await?;
    tx.commit().await?;
    if deleted.is_empty() {
        return Ok(Progress::Skipped { detail: "something else has been asked for meanwhile".to_owned() });
    }
    let labels = format!("{}={},{APPLICATION}={application}", MANAGED_BY.0, MANAGED_BY.1);
    for namespace in &namespaces {
        let kubernetes = &needs.kubernetes;
        // The way from outside goes first, and what the pods read goes last.
        clear::<Ingress>(kubernetes, namespace, &labels).await?;
        clear::<HttpRoute>(kubernetes, namespace, &labels).await?;
        clear::<HorizontalPodAutoscaler>(kubernetes, namespace, &labels).await?;
        clear::<Service>(kubernetes, namespace, &labels).await?;
        clear::<Deployment>(kubernetes, namespace, &labels).await?;
        clear::<PodDisruptionBudget>(kubernetes, namespace, &labels).await?;
        clear::<ConfigMap>(kubernetes, namespace, &labels).await?;
        clear::<Secret>(kubernetes, namespace, &labels).await?;
    }
    Ok(Progress::Done(json!(Removed { removed: true })))
}

/// Asks for the end of the objects of a kind that are not on their way out.
async fn clear<K: Object>(kubernetes: &Client, namespace: &str, labels: &str) -> Result<()> {
    let objects: Vec<K> = kubernetes.list(namespace, labels).await?;
    for object in objects.iter().filter(|object| object.meta().deletion_timestamp.is_none()) {
        kubernetes.delete::<K>(namespace, &object.name_any()).await?;
    }
    Ok(())
}
