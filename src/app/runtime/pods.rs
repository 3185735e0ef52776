//! Pods, their containers, and the addresses that lead to them.

use async_graphql::{Enum, SimpleObject};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Seen, at, belongs, label, name};
use crate::db::runtime::Placed;
use crate::workflow::flows::application::names::{REVISION, TRACK};

/// What runs of an application now.
#[derive(SimpleObject, Debug, Clone)]
pub struct ApplicationRuntime {
    /// The application.
    pub application_id: Uuid,
    /// The namespace of its objects, once it was deployed.
    pub namespace: Option<String>,
    /// Pods that are wanted, over all of its Deployments.
    pub wanted: i32,
    /// Pods that are ready.
    pub ready: i32,
    /// Its Deployments: one, or two while one takes the place of the other.
    pub workloads: Vec<WorkloadRuntime>,
    /// Its pods, by name.
    pub pods: Vec<PodRuntime>,
    /// The addresses at which it is reached.
    pub endpoints: Vec<EndpointRuntime>,
    /// When the cluster was asked.
    pub observed_at: OffsetDateTime,
}

/// A Deployment.
#[derive(SimpleObject, Debug, Clone)]
pub struct WorkloadRuntime {
    /// Its name.
    pub name: String,
    /// The revision that it shows.
    pub revision: Option<i32>,
    /// `stable` or `canary`.
    pub track: Option<String>,
    /// Pods that it asks for.
    pub wanted: i32,
    /// Pods of its newest template.
    pub updated: i32,
    /// Pods that are ready.
    pub ready: i32,
    /// Pods that have been ready for long enough.
    pub available: i32,
}

/// A pod.
#[derive(SimpleObject, Debug, Clone)]
pub struct PodRuntime {
    /// Its name.
    pub name: String,
    /// `Pending`, `Running`, `Succeeded`, `Failed`, `Unknown`, or `Terminating`.
    pub phase: String,
    /// Whether it gets traffic.
    pub ready: bool,
    /// How often its containers were restarted.
    pub restarts: i32,
    /// Why it does not run, such as `CrashLoopBackOff`.
    pub reason: Option<String>,
    /// The cluster's words about that.
    pub message: Option<String>,
    /// The node that it is on.
    pub node: Option<String>,
    /// The revision that it shows.
    pub revision: Option<i32>,
    /// When it was started.
    pub started_at: Option<OffsetDateTime>,
    /// Its containers.
    pub containers: Vec<ContainerRuntime>,
}

/// A container.
#[derive(SimpleObject, Debug, Clone)]
pub struct ContainerRuntime {
    /// Its name.
    pub name: String,
    /// Its image.
    pub image: String,
    /// What it does.
    pub state: ContainerState,
    /// Whether it is ready.
    pub ready: bool,
    /// How often it was restarted.
    pub restarts: i32,
    /// Why it waits or has ended.
    pub reason: Option<String>,
    /// The cluster's words about that.
    pub message: Option<String>,
    /// The exit code of its last run that has ended.
    pub exit_code: Option<i32>,
}

/// What a container does.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContainerState {
    /// It is to be started.
    Waiting,
    /// It runs.
    Running,
    /// It has ended.
    Terminated,
}

/// An address.
#[derive(SimpleObject, Debug, Clone)]
pub struct EndpointRuntime {
    /// The address.
    pub address: String,
    /// Whether it is reached from outside the cluster.
    pub public: bool,
    /// Pods behind it that take traffic.
    pub ready: i32,
}

/// The runtime of one application from the objects of its namespace.
pub(super) fn runtime(placed: &Placed, seen: &Seen) -> ApplicationRuntime {
    let own = |deployment: &&Deployment| belongs(&deployment.metadata, placed.id);
    let workloads: Vec<WorkloadRuntime> = seen.deployments.iter().filter(own).map(workload).collect();
    let mut pods: Vec<PodRuntime> = seen.pods.iter().filter(|pod| belongs(&pod.metadata, placed.id)).map(pod).collect();
    pods.sort_by(|one, other| one.name.cmp(&other.name));
    let mut endpoints = Vec::new();
    if let (Some(namespace), Some(service)) = (&placed.namespace, &placed.workload) {
        let (ready, _) = seen.endpoints(service);
        let ready = count(ready);
        let public = placed.url.iter().map(|url| EndpointRuntime { address: url.clone(), public: true, ready });
        endpoints.extend(public);
        if !workloads.is_empty() {
            let address = format!("http://{service}.{namespace}.svc");
            endpoints.push(EndpointRuntime { address, public: false, ready });
        }
    }
    ApplicationRuntime {
        application_id: placed.id,
        namespace: placed.namespace.clone(),
        wanted: workloads.iter().map(|workload| workload.wanted).sum(),
        ready: workloads.iter().map(|workload| workload.ready).sum(),
        workloads,
        pods,
        endpoints,
        observed_at: OffsetDateTime::now_utc(),
    }
}

fn count(number: usize) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

fn workload(deployment: &Deployment) -> WorkloadRuntime {
    let status = deployment.status.as_ref();
    let number = |pick: fn(&k8s_openapi::api::apps::v1::DeploymentStatus) -> Option<i32>| {
        status.and_then(pick).unwrap_or_default()
    };
    WorkloadRuntime {
        name: name(&deployment.metadata),
        revision: label(&deployment.metadata, REVISION).and_then(|number| number.parse().ok()),
        track: label(&deployment.metadata, TRACK).cloned(),
        wanted: deployment.spec.replicas.unwrap_or(1),
        updated: number(|status| status.updated_replicas),
        ready: number(|status| status.ready_replicas),
        available: number(|status| status.available_replicas),
    }
}

pub(super) fn pod(pod: &Pod) -> PodRuntime {
    let status = pod.status.as_ref();
    let statuses = status.and_then(|status| status.container_statuses.as_deref()).unwrap_or_default();
    let containers: Vec<ContainerRuntime> = statuses.iter().map(container).collect();
    let condition = |kind: &str| {
        status.and_then(|status| status.conditions.as_ref()?.iter().find(|condition| condition.type_ == kind))
    };
    let unscheduled = condition("PodScheduled").filter(|condition| condition.status == "False");
    let stuck = containers.iter().find(|container| container.state != ContainerState::Running);
    let (reason, message) = match (unscheduled, stuck) {
        (Some(condition), _) => (condition.reason.clone(), condition.message.clone()),
        (None, Some(container)) => (container.reason.clone(), container.message.clone()),
        (None, None) => status.map(|status| (status.reason.clone(), status.message.clone())).unwrap_or_default(),
    };
    let phase = match &pod.metadata.deletion_timestamp {
        Some(_) => "Terminating".to_owned(),
        None => status.and_then(|status| status.phase.clone()).unwrap_or_else(|| "Unknown".to_owned()),
    };
    PodRuntime {
        name: name(&pod.metadata),
        phase,
        ready: condition("Ready").is_some_and(|condition| condition.status == "True"),
        restarts: containers.iter().map(|container| container.restarts).sum(),
        reason,
        message,
        node: pod.spec.as_ref().and_then(|spec| spec.node_name.clone()),
        revision: label(&pod.metadata, REVISION).and_then(|number| number.parse().ok()),
        started_at: status.and_then(|status| at(status.start_time.as_ref()?)),
        containers,
    }
}

pub(super) fn container(status: &ContainerStatus) -> ContainerRuntime {
    let state = status.state.clone().unwrap_or_default();
    let last = status.last_state.as_ref().and_then(|state| state.terminated.as_ref());
    let ended = state.terminated.as_ref().or(last);
    let (kind, reason, message) = match (&state.running, &state.terminated, &state.waiting) {
        (Some(_), ..) => (ContainerState::Running, None, None),
        (None, Some(ended), _) => (ContainerState::Terminated, ended.reason.clone(), ended.message.clone()),
        (None, None, Some(waiting)) => (ContainerState::Waiting, waiting.reason.clone(), waiting.message.clone()),
        (None, None, None) => (ContainerState::Waiting, None, None),
    };
    ContainerRuntime {
        name: status.name.clone(),
        image: status.image.clone(),
        state: kind,
        ready: status.ready,
        restarts: status.restart_count,
        reason,
        message,
        exit_code: ended.map(|ended| ended.exit_code),
    }
}
