//! What an application's pods use of CPU and memory, where the cluster measures it.

use async_graphql::SimpleObject;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

use crate::app::App;
use crate::domain::{Actor, Result};
use crate::vendors::kubernetes::{PodUsage, amount};
use crate::workflow::flows::application::names::APPLICATION;

/// What an application uses now.
#[derive(SimpleObject, Debug, Clone, Default)]
pub struct ApplicationMetrics {
    /// Whether the cluster measures usage (`metrics.k8s.io`).
    pub available: bool,
    /// Why there are no numbers.
    pub reason: Option<String>,
    /// CPU over all pods, in thousandths of a core.
    pub cpu_millicores: f64,
    /// Memory over all pods, in bytes.
    pub memory_bytes: f64,
    /// By pod, ordered by name.
    pub pods: Vec<PodMetrics>,
}

/// What a pod uses now.
#[derive(SimpleObject, Debug, Clone)]
pub struct PodMetrics {
    /// Its name.
    pub name: String,
    /// CPU in thousandths of a core.
    pub cpu_millicores: f64,
    /// Memory in bytes.
    pub memory_bytes: f64,
    /// When it was measured.
    pub timestamp: Option<OffsetDateTime>,
    /// Over how long, such as `15s`.
    pub window: String,
}

impl App {
    /// What an application's pods use.
    ///
    /// # Errors
    /// `not-found`, also for an application of a team of which the actor is no member; `unavailable` when the cluster is.
    pub async fn application_metrics(&self, actor: &Actor, id: Uuid) -> Result<ApplicationMetrics> {
        let placed = self.visible_application(actor, id).await?;
        let absent = |reason: &str| ApplicationMetrics { reason: Some(reason.to_owned()), ..Default::default() };
        let Some(namespace) = placed.namespace else { return Ok(absent("the application was never deployed")) };
        let found = self.cluster()?.pod_usage(&namespace, &format!("{APPLICATION}={id}")).await?;
        let Some(found) = found else { return Ok(absent("the cluster has no metrics server (metrics.k8s.io)")) };
        let mut pods: Vec<PodMetrics> = found.iter().map(pod).collect();
        pods.sort_by(|one, other| one.name.cmp(&other.name));
        let reason = pods.is_empty().then(|| "no pod has been measured yet".to_owned());
        Ok(ApplicationMetrics {
            available: true,
            reason,
            cpu_millicores: pods.iter().map(|pod| pod.cpu_millicores).sum(),
            memory_bytes: pods.iter().map(|pod| pod.memory_bytes).sum(),
            pods,
        })
    }
}

fn pod(usage: &PodUsage) -> PodMetrics {
    let sum = |pick: fn(&crate::vendors::kubernetes::Usage) -> &str| -> f64 {
        usage.containers.iter().filter_map(|container| amount(pick(&container.usage))).sum()
    };
    PodMetrics {
        name: usage.metadata.name.clone(),
        cpu_millicores: sum(|usage| &usage.cpu) * 1000.0,
        memory_bytes: sum(|usage| &usage.memory),
        timestamp: OffsetDateTime::parse(&usage.timestamp, &Rfc3339).ok(),
        window: usage.window.clone(),
    }
}
