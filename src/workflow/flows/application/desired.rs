//! What of a running application is to be in the cluster, for those who compare it with what is there and put it right.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::{ConfigMap, Secret, Service};
use k8s_openapi::api::networking::v1::Ingress;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;

use super::live::Standing;
use super::names::{COLOUR, Colour, Slot, Target};
use super::network::Door;
use super::{isolation, manifests};
use crate::config;
use crate::domain::Result;
use crate::domain::workload::Workload;
use crate::vendors::kubernetes::{Client, HttpRoute};

/// The objects of an application's revision.
#[derive(Debug, Clone)]
pub struct Desired {
    /// Its variables.
    pub configuration: ConfigMap,
    /// Its pods.
    pub deployment: Deployment,
    /// The way to them.
    pub service: Service,
    /// The way from outside, where it has one and no Gateway is named.
    pub ingress: Option<Ingress>,
    /// The way from outside through the Gateway.
    pub route: Option<HttpRoute>,
    /// Its autoscaler, where it has one.
    pub autoscaler: Option<HorizontalPodAutoscaler>,
    pub budget: PodDisruptionBudget,
}

/// The colour of the pods to which a Service leads; blue without one.
pub fn serving(service: Option<&Service>) -> Colour {
    let selector = service.and_then(|service| service.spec.as_ref()?.selector.as_ref());
    let green = selector.is_some_and(|selector| selector.get(COLOUR).is_some_and(|it| it == Colour::Green.as_str()));
    if green { Colour::Green } else { Colour::Blue }
}

/// The name of the Deployment of a colour.
pub fn deployment_name(target: &Target, colour: Colour) -> String {
    Slot::Stable(colour).name(target)
}

/// The variables that are to be there.
///
/// # Errors
/// `internal` when the manifest cannot be built, here as in the functions below.
pub fn configuration(target: &Target, workload: &Workload) -> Result<ConfigMap> {
    manifests::config_map(target, workload)
}

/// The Secret that is to be there, without its values; none of a revision without secrets.
pub fn secret(target: &Target, workload: &Workload) -> Result<Option<Secret>> {
    if workload.secrets.is_empty() {
        return Ok(None);
    }
    manifests::secret(target, workload, None).map(Some)
}

/// The Deployment of a colour that is to be there. What the one that is there says of its last restart, and the number
/// of pods that its autoscaler chose, is kept.
pub fn deployment(
    target: &Target,
    workload: &Workload,
    colour: Colour,
    standing: Option<&Deployment>,
) -> Result<Deployment> {
    let standing = standing.map(Standing::of);
    let restarted = standing.as_ref().and_then(|standing| standing.restarted.as_deref());
    let replicas = manifests::replicas(workload, standing.as_ref().map(|standing| standing.replicas));
    manifests::deployment(target, workload, Slot::Stable(colour), replicas, restarted)
}

/// The Service that is to be there.
pub fn service(
    settings: &config::Applications,
    target: &Target,
    workload: &Workload,
    colour: Colour,
) -> Result<Service> {
    manifests::service(target, workload, colour, Door::of(settings, target, workload).is_some())
}

/// The Ingress that is to be there of what is public, where no Gateway is named.
pub fn ingress(settings: &config::Applications, target: &Target, workload: &Workload) -> Result<Option<Ingress>> {
    let host = target.host(settings, workload).filter(|_| Door::of(settings, target, workload).is_none());
    host.map(|host| manifests::ingress(target, workload, &host, settings.ingress_class.as_deref())).transpose()
}

/// The route that is to be there of what is public, where a Gateway is named.
pub fn route(settings: &config::Applications, target: &Target, workload: &Workload) -> Result<Option<HttpRoute>> {
    let door = Door::of(settings, target, workload);
    door.map(|door| manifests::route(target, workload, &door.host, door.gateway, 0)).transpose()
}

/// The autoscaler that is to be there of what scales itself.
pub fn autoscaler(target: &Target, workload: &Workload, colour: Colour) -> Result<Option<HorizontalPodAutoscaler>> {
    let scaling = workload.settings.autoscaling.as_ref();
    scaling.map(|scaling| manifests::autoscaler(target, scaling, Slot::Stable(colour))).transpose()
}

/// The disruption budget that is to be there.
pub fn budget(target: &Target) -> Result<PodDisruptionBudget> {
    manifests::budget(target)
}

/// What is to be there of a revision whose pods have a colour, beside the Deployment that is there.
pub fn desired(
    settings: &config::Applications,
    target: &Target,
    workload: &Workload,
    colour: Colour,
    standing: Option<&Deployment>,
) -> Result<Desired> {
    Ok(Desired {
        configuration: configuration(target, workload)?,
        deployment: deployment(target, workload, colour, standing)?,
        service: service(settings, target, workload, colour)?,
        ingress: ingress(settings, target, workload)?,
        route: route(settings, target, workload)?,
        autoscaler: autoscaler(target, workload, colour)?,
        budget: budget(target)?,
    })
}

/// The same beside what is in the cluster now.
///
/// # Errors
/// `unavailable` when the cluster is.
pub async fn beside(
    kubernetes: &Client,
    settings: &config::Applications,
    target: &Target,
    workload: &Workload,
) -> Result<Desired> {
    let service: Option<Service> = kubernetes.get(&target.namespace, &target.workload).await?;
    let colour = serving(service.as_ref());
    let standing: Option<Deployment> = kubernetes.get(&target.namespace, &deployment_name(target, colour)).await?;
    desired(settings, target, workload, colour, standing.as_ref())
}

/// Makes the namespace when it is gone.
///
/// # Errors
/// `unavailable` when the cluster is.
pub async fn settle(kubernetes: &Client, settings: &config::Applications, target: &Target) -> Result<()> {
    if kubernetes.namespace(&target.namespace).await?.is_none() {
        kubernetes.apply_namespace(&manifests::namespace(target)?).await?;
        isolation::apply(kubernetes, settings, target).await?;
    }
    Ok(())
}

/// Makes it so: every object by server-side apply, the namespace too when it is gone. What others have added
/// to an object is taken out of it; no object is removed. The Secret has
/// to be there already: [`super::secrets::provide`].
///
/// # Errors
/// What the cluster refuses, such as objects in a namespace that is on its way out.
pub async fn apply(kubernetes: &Client, target: &Target, desired: &Desired) -> Result<()> {
    let namespace = target.namespace.as_str();
    if kubernetes.namespace(namespace).await?.is_none() {
        kubernetes.apply_namespace(&manifests::namespace(target)?).await?;
    }
    kubernetes.apply_alone(namespace, &desired.configuration).await?;
    kubernetes.apply_alone(namespace, &desired.service).await?;
    if let Some(ingress) = &desired.ingress {
        kubernetes.apply_alone(namespace, ingress).await?;
    }
    kubernetes.apply_alone(namespace, &desired.deployment).await?;
    if let Some(autoscaler) = &desired.autoscaler {
        kubernetes.apply_alone(namespace, autoscaler).await?;
    }
    kubernetes.apply_alone(namespace, &desired.budget).await?;
    // Last: a cluster may know no routes.
    if let Some(route) = &desired.route {
        kubernetes.apply_alone(namespace, route).await?;
    }
    Ok(())
}
