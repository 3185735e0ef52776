//! What an application's pods use of CPU and memory, where the cluster measures it.

use async_graphql::SimpleObject;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

use crate::app::App;
use crate::domain::{Actor, Result};
use crate::vendors::kubernetes::PodUsage;
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

/// An amount as the metrics server and nodes write it, in whole units: `250m`, `12345n`, `20480Ki`, `4`.
pub(crate) fn amount(text: &str) -> Option<f64> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at_checked(end)?;
    let factor = match suffix {
        "n" => 1e-9,
        "u" => 1e-6,
        "m" => 1e-3,
        "" => 1.0,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        "Ki" => 1024.0,
        "Mi" => 1024.0 * 1024.0,
        "Gi" => 1024.0 * 1024.0 * 1024.0,
        "Ti" => 1024.0 * 1024.0 * 1024.0 * 1024.0,
        _ => return None,
    };
    number.parse::<f64>().ok().map(|number| number * factor)
}

#[cfg(test)]
mod tests {
    use super::amount;

    #[test]
    fn amounts_are_read_as_the_metrics_server_writes_them() {
        for (text, wanted) in [("250m", 0.25), ("0", 0.0), ("12500000n", 0.0125), ("20480Ki", 20_971_520.0), ("4", 4.0)]
        {
            assert!((amount(text).unwrap() - wanted).abs() < 1e-9, "{text}");
        }
        for wrong in ["", "x", "1X", "1.2.3", "-"] {
            assert_eq!(amount(wrong), None, "{wrong}");
        }
    }
}
