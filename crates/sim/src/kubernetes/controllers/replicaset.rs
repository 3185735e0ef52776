//! ReplicaSets: as many pods as they ask for.

use std::sync::Arc;

use serde_json::{Value, json};

use super::World;
use super::events::Event;
use crate::kubernetes::clock;
use crate::kubernetes::json::{at, int, list, map, matches, set, text};
use crate::kubernetes::kinds;
use crate::kubernetes::storage::Key;

const WHO: &str = "replicaset-controller";

/// Whether a pod's readiness counts.
pub(super) fn is_ready(pod: &Value) -> bool {
    list(pod, "/status/conditions")
        .iter()
        .any(|condition| text(condition, "/type") == "Ready" && text(condition, "/status") == "True")
}

/// Whether a pod still runs or may run.
pub(super) fn is_active(pod: &Value) -> bool {
    at(pod, "/metadata/deletionTimestamp").is_null() && !matches!(text(pod, "/status/phase"), "Succeeded" | "Failed")
}

/// Whether `owner` controls the object.
pub(super) fn owned_by(object: &Value, owner: &Value) -> bool {
    let uid = text(owner, "/metadata/uid");
    list(object, "/metadata/ownerReferences").iter().any(|reference| text(reference, "/uid") == uid)
}

/// The owner reference of a controller.
pub(super) fn reference(owner: &Value) -> Value {
    json!([{
        "apiVersion": text(owner, "/apiVersion"), "kind": text(owner, "/kind"),
        "name": text(owner, "/metadata/name"), "uid": text(owner, "/metadata/uid"), "controller": true,
        "blockOwnerDeletion": true,
    }])
}

/// A new pod from a template.
pub(super) fn pod_from(template: &Value, owner: &Value) -> Value {
    let mut metadata = json!({});
    for name in ["labels", "annotations"] {
        if let Some(found) = template.pointer(&format!("/metadata/{name}")) {
            set(&mut metadata, &[name], found.clone());
        }
    }
    set(&mut metadata, &["ownerReferences"], reference(owner));
    json!({"metadata": metadata, "spec": at(template, "/spec")})
}

/// Scales each ReplicaSet and reports its counts.
pub(super) fn reconcile(world: &mut World<'_>) {
    for (key, set) in world.objects(kinds::REPLICASETS) {
        one(world, &key, &set);
    }
}

/// Lets go of pods whose labels the selector does not find any more, and takes up those that it finds and nobody
/// controls (<https://kubernetes.io/docs/concepts/workloads/controllers/replicaset/#non-template-pod-acquisitions>).
fn claim(world: &mut World<'_>, replica_set: &Value) {
    let selector = map(replica_set, "/spec/selector/matchLabels");
    let gone = !at(replica_set, "/metadata/deletionTimestamp").is_null();
    for (key, pod) in world.objects(kinds::PODS) {
        let found = matches(selector, map(&pod, "/metadata/labels"));
        let controlled = list(&pod, "/metadata/ownerReferences").iter().any(|it| at(it, "/controller") == true);
        let mut claimed = (*pod).clone();
        if owned_by(&pod, replica_set) && !found {
            let uid = text(replica_set, "/metadata/uid");
            let others = list(&pod, "/metadata/ownerReferences").iter().filter(|it| text(it, "/uid") != uid);
            let others: Vec<Value> = others.cloned().collect();
            set(&mut claimed, &["metadata", "ownerReferences"], others);
        } else if found && !controlled && !gone && is_active(&pod) {
            set(&mut claimed, &["metadata", "ownerReferences"], reference(replica_set));
        } else {
            continue;
        }
        world.put(&key, claimed);
    }
}

fn one(world: &mut World<'_>, key: &Key, replica_set: &Arc<Value>) {
    claim(world, replica_set);
    let mine: Vec<(Key, Arc<Value>)> =
        world.objects(kinds::PODS).into_iter().filter(|(_, pod)| owned_by(pod, replica_set)).collect();
    let active: Vec<&(Key, Arc<Value>)> = mine.iter().filter(|(_, pod)| is_active(pod)).collect();
    let wanted = usize::try_from(int(replica_set, "/spec/replicas").unwrap_or(1)).unwrap_or(0);
    let mut refused = None;
    if at(replica_set, "/metadata/deletionTimestamp").is_null() {
        for _ in active.len()..wanted {
            if let Err(why) = grow(world, key, replica_set) {
                refused = Some(why);
                break;
            }
        }
        shrink(world, replica_set, &active, wanted);
    }
    report(world, key, replica_set, refused);
}

fn grow(world: &mut World<'_>, key: &Key, replica_set: &Value) -> Result<(), String> {
    let uid = text(replica_set, "/metadata/uid").to_owned();
    let mut pod = pod_from(at(replica_set, "/spec/template"), replica_set);
    set(&mut pod, &["metadata", "generateName"], format!("{}-", key.name));
    match world.create(kinds::PODS, pod) {
        Ok(made) => {
            let name = text(&made, "/metadata/name").to_owned();
            world.tell(replica_set, Event::normal(WHO, "SuccessfulCreate", format!("Created pod: {name}")));
            Ok(())
        }
        Err(error) => {
            let message = format!("Error creating: {}", error.message);
            // Tried again with a pause, not with every change.
            if world.due(&uid, "refused", std::time::Duration::from_secs(10)) {
                world.restart(&uid, "refused");
            }
            let generic = generic(&message, &key.name);
            let known = world.state.list(kinds::EVENTS, world.namespace).any(|(_, event)| {
                text(event, "/involvedObject/uid") == uid
                    && self::generic(text(event, "/message"), &key.name) == generic
            });
            if !known {
                world.tell(replica_set, Event::warning(WHO, "FailedCreate", message));
            }
            Err(error.message)
        }
    }
}

/// A refusal without the random name of the pod that was refused.
fn generic(message: &str, owner: &str) -> String {
    let prefix = format!("\"{owner}-");
    match message.split_once(&prefix) {
        Some((before, after)) => format!("{before}{}", after.split_once('"').map_or("", |(_, rest)| rest)),
        None => message.to_owned(),
    }
}

fn shrink(world: &mut World<'_>, replica_set: &Value, active: &[&(Key, Arc<Value>)], wanted: usize) {
    let mut excess: Vec<&&(Key, Arc<Value>)> = active.iter().collect();
    // Those that serve least go first: unscheduled, then unready, then young.
    excess.sort_by_key(|(_, pod)| {
        (
            !text(pod, "/spec/nodeName").is_empty(),
            is_ready(pod),
            std::cmp::Reverse(text(pod, "/metadata/creationTimestamp").to_owned()),
        )
    });
    for (key, _) in excess.into_iter().take(active.len().saturating_sub(wanted)) {
        world.delete(key);
        let message = format!("Deleted pod: {}", key.name);
        world.tell(replica_set, Event::normal(WHO, "SuccessfulDelete", message));
    }
}

fn report(world: &mut World<'_>, key: &Key, replica_set: &Value, refused: Option<String>) {
    let Some(current) = world.state.get(key).cloned() else { return };
    let pods: Vec<Arc<Value>> =
        world.objects(kinds::PODS).into_iter().map(|(_, pod)| pod).filter(|pod| owned_by(pod, replica_set)).collect();
    let active: Vec<&Arc<Value>> = pods.iter().filter(|pod| is_active(pod)).collect();
    let labels = map(replica_set, "/spec/template/metadata/labels");
    let full = active.iter().filter(|pod| matches(labels, map(pod, "/metadata/labels"))).count();
    let ready = active.iter().filter(|pod| is_ready(pod)).count();
    let ending = pods.iter().filter(|pod| !at(pod, "/metadata/deletionTimestamp").is_null()).count();
    let mut status = json!({"replicas": active.len()});
    for (name, count) in [("fullyLabeledReplicas", full), ("readyReplicas", ready), ("availableReplicas", ready)] {
        if count > 0 {
            set(&mut status, &[name], count);
        }
    }
    set(&mut status, &["terminatingReplicas"], ending);
    set(&mut status, &["observedGeneration"], at(&current, "/metadata/generation").clone());
    if let Some(why) = refused {
        let old = list(&current, "/status/conditions").first();
        let since = old.map_or_else(clock::now, |old| text(old, "/lastTransitionTime").to_owned());
        let message = match old {
            Some(old) if generic(text(old, "/message"), &key.name) == generic(&why, &key.name) => {
                text(old, "/message").to_owned()
            }
            _ => why,
        };
        set(
            &mut status,
            &["conditions"],
            json!([{
                "type": "ReplicaFailure", "status": "True", "lastTransitionTime": since, "reason": "FailedCreate",
                "message": message,
            }]),
        );
    }
    world.put_status(key, (*current).clone(), status, "kube-controller-manager");
}
