//! Warnings about an application's objects. They colour the facts about those; alone they are nobody's fault.
//!
//! An event says what was, and is kept for an hour. So it counts only for the object that it names by its uid (others
//! bear the same name), and only as long as that is not as it is to be: what a budget, an autoscaler or a quota once
//! said is past when all pods are there.

use std::collections::HashMap;

use k8s_openapi::api::core::v1::Event;
use kube::Resource;
use time::OffsetDateTime;

use super::super::pods;
use super::{Fact, Objects};
use crate::vendors::kubernetes::{happened, over, rolled_out};

/// Warnings that are shown, the newest ones.
const MOST: usize = 5;

/// The newest warnings.
pub(super) fn facts(objects: &Objects) -> Vec<Fact> {
    let own = own(objects);
    let about = |event: &&Event| event.involved_object.uid.as_deref().is_some_and(|uid| own.contains_key(uid));
    let warnings: Vec<&Event> =
        objects.events.iter().filter(|event| event.type_.as_deref() == Some("Warning")).filter(about).collect();
    // They come newest last.
    let newest = warnings.iter().skip(warnings.len().saturating_sub(MOST));
    let fact = |event: &&Event| {
        let uid = event.involved_object.uid.as_deref().unwrap_or_default();
        let times = event.count.filter(|count| *count > 1).map(|count| format!(" ({count} times)")).unwrap_or_default();
        let past = own.get(uid).copied().unwrap_or_default();
        let then = if past { "; that is past" } else { "" };
        let evidence = format!("{}{times}{then}", event.reason.as_deref().unwrap_or_default());
        let subject = format!(
            "{} {}",
            event.involved_object.kind.as_deref().unwrap_or_default(),
            event.involved_object.name.as_deref().unwrap_or_default()
        );
        let when = OffsetDateTime::from_unix_timestamp_nanos(happened(event)).unwrap_or(objects.at);
        Fact::new("Event", subject.trim(), past, evidence, when).quoting(event.message.as_deref())
    };
    newest.map(fact).collect()
}

/// The uids of the application's objects, and whether each is as it is to be.
fn own(objects: &Objects) -> HashMap<&str, bool> {
    let mut own = HashMap::new();
    let whole = objects.seen.deployments.iter().all(|deployment| rolled_out(deployment).complete);
    for pod in &objects.seen.pods {
        let leaves = over(pod) || pod.metadata.deletion_timestamp.is_some();
        note(&mut own, pod, pods::pod(pod).ready || (leaves && whole));
    }
    for deployment in &objects.seen.deployments {
        note(&mut own, deployment, rolled_out(deployment).complete);
    }
    for set in &objects.replica_sets {
        let ready = set.status.as_ref().and_then(|status| status.ready_replicas).unwrap_or(0);
        note(&mut own, set, ready >= set.spec.replicas.unwrap_or(1));
    }
    if let Some(service) = &objects.service {
        let (ready, _) = objects.seen.endpoints(service.metadata.name.as_deref().unwrap_or_default());
        note(&mut own, service, ready > 0);
    }
    if let Some(ingress) = &objects.ingress {
        let status = ingress.status.as_ref().and_then(|status| status.load_balancer.as_ref()?.ingress.as_ref());
        note(&mut own, ingress, status.is_some_and(|addresses| !addresses.is_empty()));
    }
    own
}

fn note<'a, K: Resource<DynamicType = ()>>(own: &mut HashMap<&'a str, bool>, object: &'a K, well: bool) {
    if let Some(uid) = object.meta().uid.as_deref() {
        own.insert(uid, well);
    }
}
