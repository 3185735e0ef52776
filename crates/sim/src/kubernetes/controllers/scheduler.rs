//! The scheduler: one node, which takes what fits.

use std::cmp::Ordering;

use serde_json::{Value, json};

use super::World;
use super::events::Event;
use super::seed::NODE;
use crate::kubernetes::clock;
use crate::kubernetes::faults::PodFault;
use crate::kubernetes::json::{at, list, map, set, text};
use crate::kubernetes::kinds;
use crate::kubernetes::registry::{self, Part, Writer};
use crate::kubernetes::storage::Key;
use crate::kubernetes::typed::Quantity;

const WHO: &str = "default-scheduler";

/// Gives each pod that waits its node, or says why not.
pub(super) fn reconcile(world: &mut World<'_>) {
    for (key, pod) in world.objects(kinds::PODS) {
        let waits = text(&pod, "/spec/nodeName").is_empty()
            && at(&pod, "/metadata/deletionTimestamp").is_null()
            && list(&pod, "/spec/schedulingGates").is_empty();
        if waits && world.due(text(&pod, "/metadata/uid"), "schedule", world.cluster.timing.schedule) {
            one(world, &key, &pod);
        }
    }
}

fn one(world: &mut World<'_>, key: &Key, pod: &Value) {
    match obstacle(world, key, pod) {
        Some(why) => refuse(world, key, pod, &why),
        None => bind(world, key, pod),
    }
}

fn bind(world: &mut World<'_>, key: &Key, pod: &Value) {
    let mut next = pod.clone();
    set(&mut next, &["spec", "nodeName"], NODE);
    set(
        &mut next,
        &["status", "conditions"],
        json!([{
            "type": "PodScheduled", "status": "True", "lastProbeTime": null, "lastTransitionTime": clock::now(),
        }]),
    );
    // The binding itself leaves no trace of ownership.
    let writer = Writer::update("kube-scheduler", kinds::PODS, "binding");
    let result = registry::update(world.state, key, next, &Writer { applied: true, ..writer }, Part::Whole);
    world.report(key, result);
    let message = format!("Successfully assigned {}/{} to {NODE}", key.namespace, key.name);
    world.tell(pod, Event::normal(WHO, "Scheduled", message));
}

fn refuse(world: &mut World<'_>, key: &Key, pod: &Value, why: &str) {
    let known = list(pod, "/status/conditions").iter().any(|condition| text(condition, "/message") == why);
    if known {
        return;
    }
    let mut status = at(pod, "/status").clone();
    set(
        &mut status,
        &["conditions"],
        json!([{
            "type": "PodScheduled", "observedGeneration": at(pod, "/metadata/generation"), "status": "False",
            "lastProbeTime": null, "lastTransitionTime": clock::now(), "reason": "Unschedulable", "message": why,
        }]),
    );
    world.put_status(key, pod.clone(), status, "kube-scheduler");
    world.tell(pod, Event::warning(WHO, "FailedScheduling", why));
}

fn obstacle(world: &mut World<'_>, key: &Key, pod: &Value) -> Option<String> {
    const PREEMPTION: &str = "preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.";
    let Some(node) = world.state.find(kinds::NODES, "", NODE).cloned() else {
        return Some("no nodes available to schedule pods".to_owned());
    };
    if world.cluster.faults.pod(&key.namespace, &key.name) == Some(PodFault::Unschedulable) {
        return Some(format!("0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, {PREEMPTION}"));
    }
    if at(&node, "/spec/unschedulable").as_bool() == Some(true) {
        return Some(format!("0/1 nodes are available: 1 node(s) were unschedulable. {PREEMPTION}"));
    }
    for volume in list(pod, "/spec/volumes") {
        let claim = text(volume, "/persistentVolumeClaim/claimName");
        if claim.is_empty() {
            continue;
        }
        match world.state.find(kinds::PVCS, world.namespace, claim) {
            None => {
                return Some(format!("0/1 nodes are available: persistentvolumeclaim {claim:?} not found. not found"));
            }
            Some(found) if text(found, "/status/phase") != "Bound" => {
                return Some(
                    "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims. not found".to_owned(),
                );
            }
            Some(_) => {}
        }
    }
    let labels = map(&node, "/metadata/labels");
    let wanted = map(pod, "/spec/nodeSelector");
    let fits = wanted.is_none_or(|wanted| {
        wanted.iter().all(|(key, value)| labels.and_then(|labels| labels.get(key)) == Some(value))
    });
    if !fits {
        return Some(format!(
            "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector. {PREEMPTION}"
        ));
    }
    lacking(world, pod, &node).map(|names| {
        let parts: Vec<String> = names.iter().map(|name| format!("1 Insufficient {name}")).collect();
        format!("0/1 nodes are available: {}. {PREEMPTION}", parts.join(", "))
    })
}

/// What the node has too little of for this pod.
fn lacking(world: &World<'_>, pod: &Value, node: &Value) -> Option<Vec<&'static str>> {
    let short: Vec<&'static str> = ["cpu", "memory"]
        .into_iter()
        .filter(|name| {
            let asked = requested(pod, name);
            if asked == Quantity::ZERO {
                return false;
            }
            let total = world
                .state
                .list(kinds::PODS, "")
                .filter(|(_, other)| !text(other, "/spec/nodeName").is_empty())
                .filter(|(_, other)| !matches!(text(other, "/status/phase"), "Succeeded" | "Failed"))
                .fold(asked, |sum, (_, other)| sum.plus(requested(other, name)));
            let room = text(node, &format!("/status/allocatable/{name}"));
            Quantity::parse(room).is_some_and(|room| total.compare(room) == Ordering::Greater)
        })
        .collect();
    (!short.is_empty()).then_some(short)
}

fn requested(pod: &Value, name: &str) -> Quantity {
    list(pod, "/spec/containers")
        .iter()
        .filter_map(|container| Quantity::parse(text(container, &format!("/resources/requests/{name}"))))
        .fold(Quantity::ZERO, Quantity::plus)
}
