//! What of an application is in the cluster now.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::Service;

use super::names::{self, Colour, Slot, Target};
use super::ours;
use crate::domain::Result;
use crate::domain::workload::Autoscaling;
use crate::vendors::kubernetes::Client;

/// A Deployment as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Standing {
    /// The pods that it asks for.
    pub replicas: u32,
    /// The revision that it shows.
    pub revision: Option<i32>,
    /// The operation that last replaced its pods.
    pub restarted: Option<String>,
}

impl Standing {
    pub fn of(deployment: &Deployment) -> Self {
        let template = deployment.spec.template.metadata.as_ref();
        let annotations = template.and_then(|it| it.annotations.as_ref());
        // The pods say it too, where somebody took the label off.
        let labels = [deployment.metadata.labels.as_ref(), template.and_then(|it| it.labels.as_ref())];
        let revision = labels.into_iter().flatten().find_map(|labels| labels.get(names::REVISION)?.parse().ok());
        Self {
            replicas: deployment.spec.replicas.and_then(|it| u32::try_from(it).ok()).unwrap_or(1),
            revision,
            restarted: annotations.and_then(|annotations| annotations.get(names::RESTARTED).cloned()),
        }
    }
}

/// The colour to which the application's Service leads; blue before there is one.
pub(super) async fn colour(kubernetes: &Client, target: &Target) -> Result<Colour> {
    let service: Option<Service> = ours::get(kubernetes, target, &target.workload).await?;
    let selector = service.and_then(|service| service.spec?.selector);
    match selector.and_then(|selector| selector.get(names::COLOUR).map(|colour| colour == Colour::Green.as_str())) {
        Some(true) => Ok(Colour::Green),
        Some(false) => Ok(Colour::Blue),
        // Somebody took it away: then it is the colour that stands alone.
        None => {
            let blue = standing(kubernetes, target, Slot::Stable(Colour::Blue)).await?;
            let green = Slot::Stable(Colour::Green).name(target);
            let green: Option<Deployment> = kubernetes.get(&target.namespace, &green).await?;
            let alone = blue.is_none() && green.is_some_and(|green| ours::is_ours(target, &green.metadata));
            Ok(if alone { Colour::Green } else { Colour::Blue })
        }
    }
}

/// The Deployment of a slot.
pub(super) async fn standing(kubernetes: &Client, target: &Target, slot: Slot) -> Result<Option<Standing>> {
    let deployment: Option<Deployment> = ours::get(kubernetes, target, &slot.name(target)).await?;
    Ok(deployment.as_ref().map(Standing::of))
}

/// Between how many pods the application scales itself.
pub(super) async fn autoscaling(kubernetes: &Client, target: &Target) -> Result<Option<Autoscaling>> {
    let found: Option<HorizontalPodAutoscaler> = ours::get(kubernetes, target, &target.workload).await?;
    Ok(found.and_then(|found| {
        let spec = found.spec;
        let count = |number: i32| u32::try_from(number).ok();
        let metric = spec.metrics.into_iter().flatten().find_map(|metric| metric.resource?.target.average_utilization);
        Some(Autoscaling {
            min_replicas: count(spec.min_replicas.unwrap_or(1))?,
            max_replicas: count(spec.max_replicas)?,
            cpu_percent: count(metric.unwrap_or(80))?,
        })
    }))
}
