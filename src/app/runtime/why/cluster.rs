//! What the cluster says: the namespace, the Deployment with its ReplicaSet, pods, containers and events, and the way
//! to them.

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use time::OffsetDateTime;

use super::super::pods::{self, ContainerState};
use super::super::{label, name};
use super::{Cause, Cluster, Fact, Objects, Observed, events};
use crate::domain::DeploymentStatus;
use crate::vendors::kubernetes::{
    HttpRoute, Trouble, container_trouble, diagnose, ending, namespace_ending, over, rolled_out, said, trouble,
};
use crate::workflow::flows::application::names::{COLOUR, REVISION};

/// Pods that are looked at one by one; those in trouble come first.
const PODS: usize = 5;

pub(super) fn facts(observed: &Observed) -> Vec<Fact> {
    let objects = match &observed.cluster {
        Cluster::Untouched => return Vec::new(),
        Cluster::Silent(why, at) => {
            let fact = Fact::new("Kubernetes", "API server", false, why, *at);
            return vec![
                fact.advising(Cause::Place, format!("The cluster does not answer ({why}). See to the cluster.")),
            ];
        }
        Cluster::Seen(objects) => objects,
    };
    let mut facts = vec![namespace(observed, objects)];
    facts.extend(workload(observed, objects));
    facts.extend(events::facts(objects));
    facts.extend(route(observed, objects));
    facts
}

fn namespace(observed: &Observed, objects: &Objects) -> Fact {
    let wanted = observed.application.namespace.as_deref().unwrap_or_default();
    let fact = |ok, evidence: &str| Fact::new("Namespace", wanted, ok, evidence, objects.at);
    let Some(found) = &objects.namespace else {
        return fact(false, "it does not exist").advising(
            Cause::Place,
            format!(
                "The namespace {wanted} is not there. Somebody has removed it, or nothing was deployed. Deploy again."
            ),
        );
    };
    let Some(words) = namespace_ending(found) else { return fact(true, "it exists") };
    let open = observed.operation.as_ref().is_some_and(|it| it.status.is_open());
    let then = if open {
        "What is under way goes on by itself when it is gone."
    } else {
        "When it is gone, deploy again; nothing can be deployed before."
    };
    fact(false, &format!("it {words}")).advising(Cause::Place, format!("The namespace {wanted} {words}. {then}"))
}

/// The Deployment of the newest revision, and what hangs on it.
fn workload(observed: &Observed, objects: &Objects) -> Vec<Fact> {
    let newest = |deployment: &&Deployment| {
        label(&deployment.metadata, REVISION).and_then(|number| number.parse::<i32>().ok()).unwrap_or_default()
    };
    let Some(deployment) = objects.seen.deployments.iter().max_by_key(newest) else {
        let wanted = observed.application.workload.as_deref().unwrap_or_default();
        let fact = Fact::new("Deployment", wanted, false, "it does not exist", objects.at);
        let advice = format!("The Deployment {wanted} is not there. Somebody has removed it, or no step made it yet.");
        return vec![fact.advising(Cause::Workload, advice)];
    };
    let pods = pods_of(deployment, objects);
    let whole = rolled_out(deployment).complete;
    let mut facts = vec![deployment_fact(observed, deployment, &pods, objects)];
    facts.extend(replica_set(deployment, objects));
    for pod in pods.iter().take(PODS) {
        if over(pod) || pod.metadata.deletion_timestamp.is_some() {
            facts.push(leaving(pod, whole, objects.at));
            continue;
        }
        facts.push(pod_fact(pod, objects));
        facts.extend(containers(pod, objects));
    }
    facts.extend(autoscaler(objects));
    facts
}

/// The pods that a Deployment's selector finds, those in trouble first, those that leave last.
fn pods_of(deployment: &Deployment, objects: &Objects) -> Vec<Pod> {
    let selector = deployment.spec.selector.match_labels.clone().unwrap_or_default();
    let own = |pod: &&Pod| selector.iter().all(|(key, value)| label(&pod.metadata, key) == Some(value));
    let mut pods: Vec<Pod> = objects.seen.pods.iter().filter(own).cloned().collect();
    let leaves = |pod: &Pod| over(pod) || pod.metadata.deletion_timestamp.is_some();
    pods.sort_by_key(|pod| (leaves(pod), trouble(pod, &objects.events).is_none(), name(&pod.metadata)));
    pods
}

fn deployment_fact(observed: &Observed, deployment: &Deployment, pods: &[Pod], objects: &Objects) -> Fact {
    let seen = rolled_out(deployment);
    let revision = label(&deployment.metadata, REVISION);
    // Those of the revision before are ready too while they change places.
    let own = |pod: &&Pod| label(&pod.metadata, REVISION) == revision && pod.metadata.deletion_timestamp.is_none();
    let ready = pods.iter().filter(own).filter(|pod| pods::pod(pod).ready).count();
    let revision = revision.map(|it| format!(" of revision {it}")).unwrap_or_default();
    let mut evidence = format!("{ready} of {} pods{revision} are ready", seen.wanted);
    let ends = ending(&deployment.metadata);
    let paused = deployment.spec.paused == Some(true);
    if let Some(words) = &ends {
        evidence.push_str(&format!("; it {words}"));
    }
    if paused {
        evidence.push_str("; it is paused: no pods of another template are made");
    }
    let conditions = deployment.status.iter().flat_map(|status| status.conditions.iter().flatten());
    // What keeps pods from being made says so by being true.
    let wrong = |type_: &str, status: &str| (type_ == "ReplicaFailure") == (status == "True");
    for condition in conditions {
        let (type_, status) = (condition.type_.as_deref().unwrap_or_default(), condition.status.as_deref());
        if status.is_some_and(|status| wrong(type_, status)) {
            let words = [condition.reason.as_deref(), condition.message.as_deref()].into_iter().flatten();
            let words = said(&words.collect::<Vec<_>>().join(": "));
            let what =
                if type_ == "ReplicaFailure" { "pods cannot be made".to_owned() } else { format!("not {type_}") };
            evidence.push_str(&format!("; {what}: {words}"));
        }
    }
    let ok = seen.complete && seen.wanted > 0 && ends.is_none();
    let fact = Fact::new("Deployment", name(&deployment.metadata), ok, evidence, objects.at);
    if let Some(words) = ends {
        return fact.advising(Cause::Workload, format!("The Deployment {} {words}.", name(&deployment.metadata)));
    }
    if paused && !seen.complete {
        let resume = format!("`kubectl rollout resume deployment/{}`", name(&deployment.metadata));
        return fact
            .advising(Cause::Workload, format!("Another hand has paused the Deployment; it goes on by {resume}."));
    }
    match diagnose(deployment, pods, &objects.events) {
        Some(why) if matches!(why.trouble, Trouble::Refused) => {
            fact.advising(Cause::Workload, format!("The cluster refuses to make pods: {}. {}.", why.short, why.advice))
        }
        // A canary that failed is taken down to none: why it failed says more.
        _ if seen.wanted == 0
            && observed.deployment.as_ref().is_none_or(|newest| newest.status != DeploymentStatus::Failed) =>
        {
            fact.advising(Cause::Workload, "No pods are wanted. Start or scale the application.")
        }
        _ => fact,
    }
}

/// The ReplicaSet of the newest template.
fn replica_set(deployment: &Deployment, objects: &Objects) -> Option<Fact> {
    const NUMBER: &str = "deployment.kubernetes.io/revision";
    let uid = deployment.metadata.uid.as_ref()?;
    let owned = |set: &&ReplicaSet| set.metadata.owner_references.iter().flatten().any(|owner| owner.uid == *uid);
    let number = |set: &&ReplicaSet| {
        let annotations = set.metadata.annotations.as_ref();
        annotations.and_then(|it| it.get(NUMBER)?.parse::<u64>().ok()).unwrap_or_default()
    };
    let set = objects.replica_sets.iter().filter(owned).max_by_key(number)?;
    let wanted = set.spec.replicas.unwrap_or(1);
    let status = set.status.as_ref();
    let (made, ready) = status.map_or((0, 0), |status| (status.replicas, status.ready_replicas.unwrap_or(0)));
    let evidence = format!("{made} of {wanted} pods are made, {ready} are ready");
    Some(Fact::new("ReplicaSet", name(&set.metadata), ready >= wanted, evidence, objects.at))
}

fn pod_fact(pod: &Pod, objects: &Objects) -> Fact {
    let seen = pods::pod(pod);
    let reason = seen.reason.as_deref().map(|reason| format!(", {reason}")).unwrap_or_default();
    let evidence = if seen.ready { "it is ready".to_owned() } else { format!("its phase is {}{reason}", seen.phase) };
    // What a container says is told of the container.
    let own = seen.containers.iter().all(|it| it.state == ContainerState::Running);
    let message = seen.message.as_deref().filter(|_| own);
    let fact = Fact::new("Pod", &seen.name, seen.ready, evidence, objects.at).quoting(message);
    match trouble(pod, &objects.events) {
        Some(why) if matches!(why.trouble, Trouble::Unschedulable) => {
            let advice = format!("The pod {} finds no place: {}. {}.", seen.name, why.short, why.advice);
            fact.advising(Cause::Pod, advice)
        }
        // Neither its containers' states nor their last runs tell: an event does.
        Some(why) if seen.containers.iter().all(|it| it.reason.as_deref() == Some("ContainerCreating")) => {
            fact.advising(Cause::Pod, format!("The pod {} is not started: {}. {}.", seen.name, why.short, why.advice))
        }
        _ => fact,
    }
}

/// A pod that was evicted, has ended or is being removed: nothing is wrong with that when all that are wanted are there.
fn leaving(pod: &Pod, whole: bool, at: OffsetDateTime) -> Fact {
    let seen = pods::pod(pod);
    let status = pod.status.as_ref();
    let reason = status.and_then(|status| status.reason.clone()).unwrap_or_else(|| seen.phase.clone());
    let evidence = match ending(&pod.metadata) {
        Some(words) => format!("it {words}"),
        None if whole => format!("it has come to its end ({reason}), and others are in its place"),
        None => format!("it has come to its end ({reason}); another is to take its place"),
    };
    let message = status.and_then(|status| status.message.as_deref());
    let fact = Fact::new("Pod", &seen.name, whole, evidence, at).quoting(message);
    if !over(pod) {
        return fact;
    }
    let why = message.map(|message| format!(": {}", said(message).trim_end_matches('.'))).unwrap_or_default();
    fact.advising(Cause::Effect, format!("A pod has come to its end ({reason}{why}). Another is to take its place."))
}

/// What an autoscaler says that cannot measure: the pods are there, but their number stays.
fn autoscaler(objects: &Objects) -> Option<Fact> {
    let autoscaler = objects.autoscaler.as_ref()?;
    let conditions = autoscaler.status.as_ref()?.conditions.as_ref()?;
    let blind = conditions.iter().find(|it| it.type_ == "ScalingActive" && it.status == "False")?;
    let evidence = "it cannot measure how busy the pods are, and leaves their number as it is";
    Some(
        Fact::new("HorizontalPodAutoscaler", name(&autoscaler.metadata), true, evidence, objects.at)
            .quoting(blind.message.as_deref()),
    )
}

fn containers(pod: &Pod, objects: &Objects) -> Vec<Fact> {
    let Some(status) = &pod.status else { return Vec::new() };
    let done = |it: &&ContainerStatus| {
        it.state.as_ref().and_then(|state| state.terminated.as_ref()).is_some_and(|run| run.exit_code == 0)
    };
    let before = status.init_container_statuses.iter().flatten().filter(|it| !done(it) && !it.ready);
    let all = before.chain(status.container_statuses.iter().flatten());
    all.map(|status| container(pod, status, objects)).collect()
}

fn container(pod: &Pod, status: &ContainerStatus, objects: &Objects) -> Fact {
    let seen = pods::container(status);
    let why = container_trouble(pod, status, &objects.events);
    let state = match seen.state {
        ContainerState::Running if seen.ready => "it runs and is ready".to_owned(),
        ContainerState::Running => "it runs and is not ready".to_owned(),
        ContainerState::Waiting => {
            let reason = seen.reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default();
            format!("it waits{reason}")
        }
        ContainerState::Terminated => "it has ended".to_owned(),
    };
    let restarts = match seen.restarts {
        0 => String::new(),
        1 => "; it was restarted once".to_owned(),
        times => format!("; it was restarted {times} times"),
    };
    let exit = match (seen.ready, seen.exit_code) {
        (true, Some(code)) => format!("; its last run ended with exit code {code}"),
        _ => String::new(),
    };
    let subject = format!("{}/{}", name(&pod.metadata), seen.name);
    let fact = Fact::new("Container", subject, seen.ready, format!("{state}{restarts}{exit}"), objects.at);
    match why {
        Some(why) if !seen.ready => {
            let advice = format!("A pod does not become ready: {}. {}.", why.short, why.advice);
            fact.quoting(Some(&why.text)).advising(Cause::Container, advice)
        }
        _ => fact.quoting(seen.message.as_deref()),
    }
}

/// The Service with its endpoints, and the way to it from outside.
fn route(observed: &Observed, objects: &Objects) -> Vec<Fact> {
    let wanted = observed.application.workload.as_deref().unwrap_or_default();
    let (ready, all) = objects.seen.endpoints(wanted);
    let mut facts = Vec::new();
    match &objects.service {
        None => facts.push(Fact::new("Service", wanted, false, "it does not exist", objects.at).advising(
            Cause::Route,
            format!("The Service {wanted} is not there: nothing leads to the pods. Deploy again."),
        )),
        Some(service) => {
            let selector = service.spec.as_ref().and_then(|spec| spec.selector.as_ref());
            // Of interest only while there are two sets of pods that it may lead to.
            let two = objects.seen.deployments.len() > 1;
            let colour = selector.and_then(|selector| selector.get(COLOUR)).filter(|_| two);
            let colour = colour.map(|it| format!(" of colour {it}")).unwrap_or_default();
            let ends = ending(&service.metadata);
            let words = ends.as_ref().map(|words| format!("; it {words}")).unwrap_or_default();
            let fact = Fact::new(
                "Service",
                wanted,
                ends.is_none(),
                format!("it leads to the pods{colour}{words}"),
                objects.at,
            );
            facts.push(match ends {
                Some(words) => fact.advising(Cause::Route, format!("The Service {wanted} {words}.")),
                None => fact,
            });
            let evidence = format!("{ready} of {all} addresses take traffic");
            let fact = Fact::new("EndpointSlice", wanted, ready > 0, evidence, objects.at);
            facts.push(fact.advising(Cause::Effect, "No pod takes traffic."));
        }
    }
    let Some(url) = &observed.application.url else { return facts };
    let (kind, ok, evidence, advice) = if objects.routed { door(objects, url) } else { ingress(objects, url) };
    facts.push(Fact::new(kind, wanted, ok, evidence, objects.at).advising(Cause::Route, advice));
    facts
}

/// The kind of what leads from the address to the Service, whether it does, what was seen of it, and what to do.
type Way = (&'static str, bool, String, String);

fn ingress(objects: &Objects, url: &str) -> Way {
    let addresses = objects.ingress.as_ref().map(|ingress| {
        let status = ingress.status.as_ref().and_then(|status| status.load_balancer.as_ref()?.ingress.as_ref());
        status.map_or(0, Vec::len)
    });
    let (ok, evidence, advice) = match addresses {
        None => (false, "it does not exist".to_owned(), format!("The Ingress for {url} is not there. Deploy again.")),
        Some(0) => {
            let advice = format!("No ingress controller serves {url}. See whether the cluster has one for its class.");
            (false, "no ingress controller has taken it up".to_owned(), advice)
        }
        Some(_) => (true, format!("it leads from {url} to the Service"), String::new()),
    };
    ("Ingress", ok, evidence, advice)
}

fn door(objects: &Objects, url: &str) -> Way {
    let (ok, evidence, advice) = match objects.route.as_ref().map(HttpRoute::unserved) {
        None => (false, "it does not exist".to_owned(), format!("The HTTPRoute for {url} is not there. Deploy again.")),
        Some(Some(found)) => {
            let see = "See to the Gateway that applications.gateway names, and which routes its listeners take.";
            (false, found.to_string(), format!("{url} is not served: {found}. {see}"))
        }
        Some(None) => (true, format!("it leads from {url} through the Gateway to the Service"), String::new()),
    };
    ("HTTPRoute", ok, evidence, advice)
}
