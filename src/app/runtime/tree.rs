//! An application's objects in the cluster, each with its owner and its health.

use async_graphql::{Enum, ID, SimpleObject};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Secret, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::Ingress;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::{Resource, ResourceExt};
use serde::de::DeserializeOwned;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{SERVICE_NAME, at};
use crate::app::App;
use crate::domain::{Actor, Result};
use crate::vendors::kubernetes::{Client, HttpRoute, diagnose, over, rolled_out, trouble};
use crate::workflow::flows::application::names::APPLICATION;

/// An application's objects.
#[derive(SimpleObject, Debug, Clone)]
pub struct ResourceTree {
    /// The namespace, once the application was deployed.
    pub namespace: Option<String>,
    /// The worst health among the objects.
    pub health: ResourceHealth,
    /// The objects, those that own others before them.
    pub nodes: Vec<ResourceNode>,
}

/// An object.
#[derive(SimpleObject, Debug, Clone)]
pub struct ResourceNode {
    /// The cluster's id of it.
    pub id: ID,
    /// The id of the object that owns it, or that it belongs to.
    pub parent: Option<ID>,
    /// Its kind, such as `ReplicaSet`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// How it is.
    pub health: ResourceHealth,
    /// What is to be said of that.
    pub message: Option<String>,
    /// When it was made.
    pub created_at: Option<OffsetDateTime>,
}

/// How an object is.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ResourceHealth {
    /// As it is to be.
    Healthy,
    /// Not wanted to run now.
    Suspended,
    /// On its way there.
    Progressing,
    /// Not as it is to be, and not getting there.
    Degraded,
}

type Judged = (ResourceHealth, Option<String>);

impl App {
    /// The objects of an application in the cluster.
    ///
    /// # Errors
    /// `not-found`, also for an application of a team of which the actor is no member; `unavailable` when the cluster is.
    pub async fn resource_tree(&self, actor: &Actor, id: Uuid) -> Result<ResourceTree> {
        let placed = self.visible_application(actor, id).await?;
        let Some(namespace) = placed.namespace else {
            return Ok(ResourceTree { namespace: None, health: ResourceHealth::Suspended, nodes: Vec::new() });
        };
        let own =
            Objects { kubernetes: self.cluster()?, namespace: &namespace, selector: format!("{APPLICATION}={id}") };
        let pods: Vec<Pod> = own.list().await?;
        let mut nodes = Vec::new();
        nodes.extend(own.nodes(|it: &Deployment| deployment(it, &pods)).await?);
        nodes.extend(own.nodes(replica_set).await?);
        nodes.extend(pods.iter().map(|it| node(it, pod(it))));
        nodes.extend(own.nodes(|_: &Service| fine()).await?);
        nodes.extend(own.slices(&nodes).await?);
        nodes.extend(own.nodes(ingress).await?);
        nodes.extend(own.nodes(route).await?);
        nodes.extend(own.nodes(|_: &HorizontalPodAutoscaler| fine()).await?);
        nodes.extend(own.nodes(|_: &PodDisruptionBudget| fine()).await?);
        nodes.extend(own.nodes(|_: &ConfigMap| fine()).await?);
        nodes.extend(own.nodes(|_: &Secret| fine()).await?);
        let health = nodes.iter().map(|node| node.health).max().unwrap_or(ResourceHealth::Suspended);
        Ok(ResourceTree { namespace: Some(namespace), health, nodes })
    }
}

/// The objects of one application.
struct Objects<'a> {
    kubernetes: &'a Client,
    namespace: &'a str,
    selector: String,
}

impl Objects<'_> {
    async fn list<K>(&self) -> Result<Vec<K>>
    where
        K: Resource<Scope = kube::core::NamespaceResourceScope, DynamicType = ()>
            + DeserializeOwned
            + Clone
            + std::fmt::Debug,
    {
        Ok(self.kubernetes.list(self.namespace, &self.selector).await?)
    }

    async fn nodes<K>(&self, judge: impl Fn(&K) -> Judged) -> Result<Vec<ResourceNode>>
    where
        K: Resource<Scope = kube::core::NamespaceResourceScope, DynamicType = ()>
            + k8s_openapi::Resource<Scope = NamespaceResourceScope>
            + DeserializeOwned
            + Clone
            + std::fmt::Debug,
    {
        Ok(self.list().await?.iter().map(|object: &K| node(object, judge(object))).collect())
    }

    /// The endpoints of the application's Services, which carry the Service's name and not always the labels.
    async fn slices(&self, nodes: &[ResourceNode]) -> Result<Vec<ResourceNode>> {
        let services: Vec<&ResourceNode> = nodes.iter().filter(|node| node.kind == "Service").collect();
        let slices: Vec<EndpointSlice> = self.kubernetes.list(self.namespace, SERVICE_NAME).await?;
        let of_service = |slice: &EndpointSlice| {
            services.iter().any(|service| slice.labels().get(SERVICE_NAME) == Some(&service.name))
        };
        Ok(slices.iter().filter(|slice| of_service(slice)).map(|slice| node(slice, endpoints(slice))).collect())
    }
}

fn node<K>(object: &K, (health, message): Judged) -> ResourceNode
where
    K: Resource<DynamicType = ()>,
{
    let metadata = object.meta();
    let leaving = metadata.deletion_timestamp.is_some();
    let owner = metadata.owner_references.iter().flatten().find(|owner| owner.controller == Some(true));
    ResourceNode {
        id: ID(object.uid().unwrap_or_default()),
        parent: owner.map(|owner| ID(owner.uid.clone())),
        kind: K::kind(&()).into_owned(),
        name: object.name_any(),
        health: if leaving { ResourceHealth::Progressing } else { health },
        message: if leaving { Some("it is being removed".to_owned()) } else { message },
        created_at: metadata.creation_timestamp.as_ref().and_then(at),
    }
}

fn fine() -> Judged {
    (ResourceHealth::Healthy, None)
}

fn deployment(deployment: &Deployment, pods: &[Pod]) -> Judged {
    let seen = rolled_out(deployment);
    let of_all = format!("{} of {} pods are ready", seen.ready, seen.wanted);
    let selector = deployment.spec.selector.match_labels.clone().unwrap_or_default();
    let own = |pod: &&Pod| selector.iter().all(|(key, value)| pod.labels().get(key) == Some(value));
    let pods: Vec<Pod> = pods.iter().filter(own).cloned().collect();
    match (seen.wanted, seen.complete, diagnose(deployment, &pods, &[])) {
        (0, ..) => (ResourceHealth::Suspended, Some("no pods are wanted".to_owned())),
        (_, true, _) => (ResourceHealth::Healthy, Some(of_all)),
        (_, false, Some(why)) => (ResourceHealth::Degraded, Some(format!("{of_all}: {}", why.text))),
        (_, false, None) => (ResourceHealth::Progressing, Some(of_all)),
    }
}

fn replica_set(set: &ReplicaSet) -> Judged {
    let wanted = set.spec.replicas.unwrap_or(1);
    let ready = set.status.as_ref().and_then(|status| status.ready_replicas).unwrap_or(0);
    let of_all = Some(format!("{ready} of {wanted} pods are ready"));
    match (wanted, ready >= wanted) {
        (0, _) => (ResourceHealth::Healthy, Some("kept for a return to it".to_owned())),
        (_, true) => (ResourceHealth::Healthy, of_all),
        (_, false) => (ResourceHealth::Progressing, of_all),
    }
}

fn pod(pod: &Pod) -> Judged {
    let status = pod.status.as_ref();
    let ready = status
        .and_then(|status| status.conditions.as_ref()?.iter().find(|condition| condition.type_ == "Ready"))
        .is_some_and(|condition| condition.status == "True");
    if ready {
        return fine();
    }
    if over(pod) {
        let reason = status.and_then(|status| status.reason.as_deref()).unwrap_or("it has ended");
        return (ResourceHealth::Suspended, Some(format!("it does not count any more: {reason}")));
    }
    match trouble(pod, &[]) {
        Some(why) => (ResourceHealth::Degraded, Some(why.text)),
        None => (ResourceHealth::Progressing, status.and_then(|status| status.phase.clone())),
    }
}

fn endpoints(slice: &EndpointSlice) -> Judged {
    let endpoints = slice.endpoints.as_deref().unwrap_or_default();
    let ready = endpoints.iter().filter(|it| it.conditions.as_ref().is_none_or(|it| it.ready != Some(false))).count();
    let health = match (endpoints.is_empty(), ready) {
        (true, _) => ResourceHealth::Suspended,
        (false, 0) => ResourceHealth::Progressing,
        (false, _) => ResourceHealth::Healthy,
    };
    (health, Some(format!("{ready} of {} addresses take traffic", endpoints.len())))
}

fn ingress(ingress: &Ingress) -> Judged {
    let addresses = ingress.status.as_ref().and_then(|status| status.load_balancer.as_ref()?.ingress.as_ref());
    match addresses.is_some_and(|addresses| !addresses.is_empty()) {
        true => fine(),
        false => (ResourceHealth::Progressing, Some("no ingress controller has taken it up yet".to_owned())),
    }
}

fn route(route: &HttpRoute) -> Judged {
    match route.unserved() {
        None => fine(),
        Some(found) if found.refused => (ResourceHealth::Degraded, Some(found.why)),
        Some(found) => (ResourceHealth::Progressing, Some(found.why)),
    }
}
