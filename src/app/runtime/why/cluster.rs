//! What the cluster says: the namespace, the Deployment with its ReplicaSet, pods, containers and events, and the way
//! to them.

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::{Event, Pod};
use time::OffsetDateTime;

use super::super::pods::{self, ContainerState};
use super::super::{at, label, name};
use super::{Cause, Cluster, Fact, Objects, Observed};
use crate::vendors::kubernetes::{HttpRoute, Trouble, diagnose, rolled_out, trouble};
use crate::workflow::flows::application::names::{COLOUR, REVISION};

/// Pods that are looked at one by one; those in trouble come first.
const PODS: usize = 5;
/// Warnings that are shown, the newest ones.
const EVENTS: usize = 5;

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
    facts.extend(warnings(objects));
    facts.extend(route(observed, objects));
    facts
}

fn namespace(observed: &Observed, objects: &Objects) -> Fact {
    let wanted = observed.application.namespace.as_deref().unwrap_or_default();
    let fact = |ok, evidence: &str| Fact::new("Namespace", wanted, ok, evidence, objects.at);
    match &objects.namespace {
        None => fact(false, "it is not there").advising(
            Cause::Place,
            format!(
                "The namespace {wanted} is not there. Somebody has removed it, or nothing was deployed. Deploy again."
            ),
        ),
        Some(found) if found.metadata.deletion_timestamp.is_some() => fact(false, "it is being deleted").advising(
            Cause::Place,
            format!("The namespace {wanted} is being deleted. Wait until it is gone, then deploy again."),
        ),
        Some(_) => fact(true, "it is there"),
    }
}

/// The Deployment of the newest revision, and what hangs on it.
fn workload(observed: &Observed, objects: &Objects) -> Vec<Fact> {
    let newest = |deployment: &&Deployment| {
        label(&deployment.metadata, REVISION).and_then(|number| number.parse::<i32>().ok()).unwrap_or_default()
    };
    let Some(deployment) = objects.seen.deployments.iter().max_by_key(newest) else {
        let wanted = observed.application.workload.as_deref().unwrap_or_default();
        let fact = Fact::new("Deployment", wanted, false, "it is not there", objects.at);
        let advice = format!("The Deployment {wanted} is not there. Somebody has removed it, or no step made it yet.");
        return vec![fact.advising(Cause::Workload, advice)];
    };
    let pods = pods_of(deployment, objects);
    let mut facts = vec![deployment_fact(deployment, &pods, objects.at)];
    facts.extend(replica_set(deployment, objects));
    for pod in pods.iter().take(PODS) {
        facts.push(pod_fact(pod, objects.at));
        facts.extend(containers(pod, objects.at));
    }
    facts
}

/// The pods that a Deployment's selector finds, those in trouble first.
fn pods_of(deployment: &Deployment, objects: &Objects) -> Vec<Pod> {
    let selector = deployment.spec.selector.match_labels.clone().unwrap_or_default();
    let own = |pod: &&Pod| selector.iter().all(|(key, value)| label(&pod.metadata, key) == Some(value));
    let mut pods: Vec<Pod> = objects.seen.pods.iter().filter(own).cloned().collect();
    pods.sort_by_key(|pod| (trouble(pod).is_none(), name(&pod.metadata)));
    pods
}

fn deployment_fact(deployment: &Deployment, pods: &[Pod], at: OffsetDateTime) -> Fact {
    let seen = rolled_out(deployment);
    let revision = label(&deployment.metadata, REVISION);
    // Those of the revision before are ready too while they change places.
    let own = |pod: &&Pod| label(&pod.metadata, REVISION) == revision && pod.metadata.deletion_timestamp.is_none();
    let ready = pods.iter().filter(own).filter(|pod| pods::pod(pod).ready).count();
    let revision = revision.map(|it| format!(" of revision {it}")).unwrap_or_default();
    let mut evidence = format!("{ready} of {} pods{revision} are ready", seen.wanted);
    let conditions = deployment.status.iter().flat_map(|status| status.conditions.iter().flatten());
    for condition in conditions.filter(|condition| condition.status.as_deref() == Some("False")) {
        let words = [condition.type_.as_deref(), condition.reason.as_deref(), condition.message.as_deref()];
        let words: Vec<&str> = words.into_iter().flatten().collect();
        evidence.push_str(&format!("; not {}", words.join(": ")));
    }
    let fact = Fact::new("Deployment", name(&deployment.metadata), seen.complete && seen.wanted > 0, evidence, at);
    match diagnose(deployment, pods) {
        Some(why) if matches!(why.trouble, Trouble::Refused) => {
            let advice = format!("The cluster refuses to make pods: {}. Ask for less, or raise the limit.", why.text);
            fact.advising(Cause::Workload, advice)
        }
        _ if seen.wanted == 0 => fact.advising(Cause::Workload, "No pods are wanted. Start or scale the application."),
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

fn pod_fact(pod: &Pod, at: OffsetDateTime) -> Fact {
    let seen = pods::pod(pod);
    let mut evidence = format!("its phase is {}", seen.phase);
    if let Some(reason) = &seen.reason {
        let message = seen.message.as_deref().map(|message| format!(": {message}")).unwrap_or_default();
        evidence.push_str(&format!(", {reason}{message}"));
    }
    let fact = Fact::new("Pod", &seen.name, seen.ready, evidence, at);
    match trouble(pod) {
        Some(why) if matches!(why.trouble, Trouble::Unschedulable) => {
            let advice = format!("The pod {} finds no place: {}. Ask for less, or add a node.", seen.name, why.text);
            fact.advising(Cause::Pod, advice)
        }
        _ => fact,
    }
}

fn containers(pod: &Pod, at: OffsetDateTime) -> Vec<Fact> {
    let statuses = pod.status.as_ref().and_then(|status| status.container_statuses.as_deref()).unwrap_or_default();
    let advice = trouble(pod).and_then(|why| advice(&why.trouble, &why.text));
    let fact = |status| {
        let seen = pods::container(status);
        let state = match seen.state {
            ContainerState::Running if seen.ready => "it runs and is ready".to_owned(),
            ContainerState::Running => "it runs and is not ready".to_owned(),
            ContainerState::Waiting | ContainerState::Terminated => {
                let words = [seen.reason.as_deref(), seen.message.as_deref()].into_iter().flatten();
                let words: Vec<&str> = words.collect();
                let verb = if seen.state == ContainerState::Waiting { "it waits" } else { "it has ended" };
                if words.is_empty() { verb.to_owned() } else { format!("{verb}: {}", words.join(": ")) }
            }
        };
        let exit = seen.exit_code.map(|code| format!("; its last run ended with exit code {code}")).unwrap_or_default();
        let restarts =
            if seen.restarts > 0 { format!("; it was restarted {} times", seen.restarts) } else { String::new() };
        let subject = format!("{}/{}", name(&pod.metadata), seen.name);
        let fact = Fact::new("Container", subject, seen.ready, format!("{state}{exit}{restarts}"), at);
        match &advice {
            Some(advice) if !seen.ready => fact.advising(Cause::Container, advice),
            _ => fact,
        }
    };
    statuses.iter().map(fact).collect()
}

fn advice(trouble: &Trouble, text: &str) -> Option<String> {
    let advice = match trouble {
        Trouble::Hopeless | Trouble::Image => "Check the image's name and tag, and that the cluster may pull it",
        Trouble::Crash { .. } => "Read its logs, and deploy a repaired image or roll back",
        Trouble::Configuration => "Check its command, its variables and its secrets",
        Trouble::NotReady => "Check that it listens on its port and that its health check's path answers",
        Trouble::Unschedulable | Trouble::Refused => return None,
    };
    Some(format!("A pod does not become ready: {text}. {advice}."))
}

/// The newest warnings about the application's objects. They colour the facts above; alone they are nobody's fault.
fn warnings(objects: &Objects) -> Vec<Fact> {
    let own: Vec<String> = objects
        .seen
        .pods
        .iter()
        .map(|pod| name(&pod.metadata))
        .chain(objects.replica_sets.iter().map(|set| name(&set.metadata)))
        .chain(objects.seen.deployments.iter().map(|deployment| name(&deployment.metadata)))
        .collect();
    let ready = |event: &Event| {
        let about = event.involved_object.name.as_ref();
        objects.seen.pods.iter().any(|pod| pod.metadata.name.as_ref() == about && pods::pod(pod).ready)
    };
    let when = |event: &Event| {
        let micro = event
            .event_time
            .as_ref()
            .and_then(|time| OffsetDateTime::from_unix_timestamp_nanos(time.0.as_nanosecond()).ok());
        event.last_timestamp.as_ref().and_then(at).or(micro).unwrap_or(objects.at)
    };
    let about = |event: &&Event| event.involved_object.name.as_ref().is_some_and(|it| own.contains(it));
    let mut warnings: Vec<&Event> =
        objects.events.iter().filter(about).filter(|event| event.type_.as_deref() == Some("Warning")).collect();
    warnings.sort_by_key(|event| when(event));
    let newest = warnings.iter().rev().take(EVENTS).rev();
    newest
        .map(|event| {
            let words = [event.reason.as_deref(), event.message.as_deref()].into_iter().flatten();
            let times = event.count.filter(|count| *count > 1).map(|count| format!(" ({count} times)"));
            let evidence = format!("{}{}", words.collect::<Vec<_>>().join(": "), times.unwrap_or_default());
            let subject = event.involved_object.name.clone().unwrap_or_default();
            // A warning about a pod that is ready by now is past.
            Fact::new("Event", subject, ready(event), evidence, when(event))
        })
        .collect()
}

/// The Service with its endpoints, and the way to it from outside.
fn route(observed: &Observed, objects: &Objects) -> Vec<Fact> {
    let wanted = observed.application.workload.as_deref().unwrap_or_default();
    let (ready, all) = objects.seen.endpoints(wanted);
    let mut facts = Vec::new();
    match &objects.service {
        None => facts.push(Fact::new("Service", wanted, false, "it is not there", objects.at).advising(
            Cause::Route,
            format!("The Service {wanted} is not there: nothing leads to the pods. Deploy again."),
        )),
        Some(service) => {
            let selector = service.spec.as_ref().and_then(|spec| spec.selector.as_ref());
            let colour = selector.and_then(|selector| selector.get(COLOUR)).map(|it| format!(" of colour {it}"));
            let evidence = format!("it leads to the pods{}", colour.unwrap_or_default());
            facts.push(Fact::new("Service", wanted, true, evidence, objects.at));
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
        None => (false, "it is not there".to_owned(), format!("The Ingress for {url} is not there. Deploy again.")),
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
        None => (false, "it is not there".to_owned(), format!("The HTTPRoute for {url} is not there. Deploy again.")),
        Some(Some(found)) => {
            let see = "See to the Gateway that applications.gateway names, and which routes its listeners take.";
            (false, found.to_string(), format!("{url} is not served: {found}. {see}"))
        }
        Some(None) => (true, format!("it leads from {url} through the Gateway to the Service"), String::new()),
    };
    ("HTTPRoute", ok, evidence, advice)
}
