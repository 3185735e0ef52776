//! StatefulSets (in order, one after the other) and DaemonSets (one pod for the one node).

use std::sync::Arc;

use serde_json::{Value, json};

use super::NODE;
use super::World;
use super::events::Event;
use super::replicaset::{is_active, is_ready, owned_by, pod_from};
use crate::kubernetes::clock;
use crate::kubernetes::json::{at, int, list, set, text};
use crate::kubernetes::kinds;
use crate::kubernetes::storage::Key;

/// Moves each set a step on.
pub(super) fn reconcile(world: &mut World<'_>) {
    for (key, object) in world.objects(kinds::STATEFULSETS) {
        if at(&object, "/metadata/deletionTimestamp").is_null() {
            stateful_set(world, &key, &object);
        }
    }
    for (key, object) in world.objects(kinds::DAEMONSETS) {
        if at(&object, "/metadata/deletionTimestamp").is_null() {
            daemon_set(world, &key, &object);
        }
    }
}

fn hash(object: &Value) -> String {
    format!("{}-{}", text(object, "/metadata/name"), clock::template_hash(&at(object, "/spec/template").to_string()))
}

fn stateful_set(world: &mut World<'_>, key: &Key, object: &Arc<Value>) {
    let wanted = int(object, "/spec/replicas").unwrap_or(1);
    let parallel = text(object, "/spec/podManagementPolicy") == "Parallel";
    let revision = hash(object);
    let mine: Vec<(Key, Arc<Value>)> =
        world.objects(kinds::PODS).into_iter().filter(|(_, pod)| owned_by(pod, object)).collect();
    for ordinal in 0..wanted {
        let name = format!("{}-{ordinal}", key.name);
        match mine.iter().find(|(pod, _)| pod.name == name) {
            None => {
                start(world, object, &name, ordinal, &revision);
                if !parallel {
                    break;
                }
            }
            Some((pod_key, pod)) => {
                let stale = text(pod, "/metadata/labels/controller-revision-hash") != revision;
                if stale && is_active(pod) && text(object, "/spec/updateStrategy/type") == "RollingUpdate" {
                    world.delete(pod_key);
                    break;
                }
                if !(parallel || is_active(pod) && is_ready(pod)) {
                    break;
                }
            }
        }
    }
    let mut excess: Vec<(&Key, i64)> = mine
        .iter()
        .filter(|(_, pod)| is_active(pod))
        .filter_map(|(pod_key, _)| Some((pod_key, pod_key.name.rsplit_once('-')?.1.parse::<i64>().ok()?)))
        .filter(|(_, ordinal)| *ordinal >= wanted)
        .collect();
    excess.sort_by_key(|(_, ordinal)| std::cmp::Reverse(*ordinal));
    if let Some((pod_key, _)) = excess.first() {
        world.delete(pod_key);
    }
    let pods: Vec<Arc<Value>> = world
        .objects(kinds::PODS)
        .into_iter()
        .map(|(_, pod)| pod)
        .filter(|pod| owned_by(pod, object) && is_active(pod))
        .collect();
    let ready = pods.iter().filter(|pod| is_ready(pod)).count();
    let mut status = json!({"observedGeneration": at(object, "/metadata/generation"), "replicas": pods.len()});
    for (name, count) in [("readyReplicas", ready), ("currentReplicas", pods.len()), ("updatedReplicas", pods.len())] {
        if count > 0 {
            set(&mut status, &[name], count);
        }
    }
    set(&mut status, &["currentRevision"], revision.as_str());
    set(&mut status, &["updateRevision"], revision.as_str());
    set(&mut status, &["collisionCount"], 0);
    set(&mut status, &["availableReplicas"], ready);
    if let Some(current) = world.state.get(key).cloned() {
        world.put_status(key, (*current).clone(), status, "kube-controller-manager");
    }
}

fn start(world: &mut World<'_>, object: &Value, name: &str, ordinal: i64, revision: &str) {
    let mut pod = pod_from(at(object, "/spec/template"), object);
    set(&mut pod, &["metadata", "name"], name);
    set(&mut pod, &["metadata", "generateName"], format!("{}-", text(object, "/metadata/name")));
    set(&mut pod, &["metadata", "labels", "apps.kubernetes.io/pod-index"], ordinal.to_string());
    set(&mut pod, &["metadata", "labels", "controller-revision-hash"], revision);
    set(&mut pod, &["metadata", "labels", "statefulset.kubernetes.io/pod-name"], name);
    set(&mut pod, &["spec", "hostname"], name);
    if !text(object, "/spec/serviceName").is_empty() {
        set(&mut pod, &["spec", "subdomain"], text(object, "/spec/serviceName"));
    }
    let mut volumes = list(&pod, "/spec/volumes").to_vec();
    for template in list(object, "/spec/volumeClaimTemplates") {
        let volume = text(template, "/metadata/name");
        let claim = format!("{volume}-{name}");
        volumes.push(json!({"name": volume, "persistentVolumeClaim": {"claimName": claim}}));
        if world.state.find(kinds::PVCS, world.namespace, &claim).is_none() {
            let labels = at(object, "/spec/selector/matchLabels").clone();
            let made = world.create(
                kinds::PVCS,
                json!({"metadata": {"name": claim, "labels": labels}, "spec": at(template, "/spec")}),
            );
            let key = Key::new(kinds::PVCS, world.namespace, &claim);
            world.report(&key, made);
        }
    }
    if !volumes.is_empty() {
        set(&mut pod, &["spec", "volumes"], volumes);
    }
    let made = world.create(kinds::PODS, pod);
    let fine = made.is_ok();
    let key = Key::new(kinds::PODS, world.namespace, name);
    world.report(&key, made);
    if fine {
        let set_name = text(object, "/metadata/name");
        let message = format!("create Pod {name} in StatefulSet {set_name} successful");
        world.tell(object, Event::normal("statefulset-controller", "SuccessfulCreate", message));
    }
}

fn daemon_set(world: &mut World<'_>, key: &Key, object: &Arc<Value>) {
    let revision = hash(object);
    let mine: Vec<(Key, Arc<Value>)> =
        world.objects(kinds::PODS).into_iter().filter(|(_, pod)| owned_by(pod, object)).collect();
    let nodes = usize::from(world.state.find(kinds::NODES, "", NODE).is_some());
    if mine.is_empty() && nodes > 0 {
        let mut pod = pod_from(at(object, "/spec/template"), object);
        set(&mut pod, &["metadata", "generateName"], format!("{}-", key.name));
        set(&mut pod, &["metadata", "labels", "controller-revision-hash"], revision.as_str());
        let made = world.create(kinds::PODS, pod);
        world.report(key, made);
    }
    for (pod_key, pod) in &mine {
        if is_active(pod) && text(pod, "/metadata/labels/controller-revision-hash") != revision {
            world.delete(pod_key);
        }
    }
    let active: Vec<&Arc<Value>> = mine.iter().map(|(_, pod)| pod).filter(|pod| is_active(pod)).collect();
    let ready = active.iter().filter(|pod| is_ready(pod)).count();
    let mut status = json!({
        "currentNumberScheduled": active.len(), "numberMisscheduled": 0, "desiredNumberScheduled": nodes,
        "numberReady": ready, "observedGeneration": at(object, "/metadata/generation"),
    });
    for (name, count) in [
        ("updatedNumberScheduled", active.len()),
        ("numberAvailable", ready),
        ("numberUnavailable", nodes.saturating_sub(ready)),
    ] {
        if count > 0 {
            set(&mut status, &[name], count);
        }
    }
    if let Some(current) = world.state.get(key).cloned() {
        world.put_status(key, (*current).clone(), status, "kube-controller-manager");
    }
}
