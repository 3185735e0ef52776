//! The pace of a rollout, and the status that tells of it (`pkg/controller/deployment`).

use std::sync::Arc;

use serde_json::{Value, json};

use super::World;
use super::deployment::{Family, WHO};
use super::events::Event;
use super::replicaset::{is_active, owned_by};
use crate::sim::kubernetes::clock;
use crate::sim::kubernetes::json::{at, int, list, set, text};
use crate::sim::kubernetes::kinds;
use crate::sim::kubernetes::storage::Key;

/// The replicas that a Deployment asks for.
pub(super) fn wanted(deployment: &Value) -> i64 {
    int(deployment, "/spec/replicas").unwrap_or(1)
}

fn recreates(deployment: &Value) -> bool {
    text(deployment, "/spec/strategy/type") == "Recreate"
}

/// A count or a percentage of the wanted replicas.
fn share(deployment: &Value, name: &str, up: bool) -> i64 {
    let total = wanted(deployment);
    match at(deployment, &format!("/spec/strategy/rollingUpdate/{name}")) {
        Value::Number(number) => number.as_i64().unwrap_or(0),
        Value::String(text) => {
            let percent: i64 = text.trim_end_matches('%').parse().unwrap_or(0);
            let product = total * percent;
            if up { (product + 99) / 100 } else { product / 100 }
        }
        _ => 0,
    }
}

fn surge(deployment: &Value) -> i64 {
    if recreates(deployment) { 0 } else { share(deployment, "maxSurge", true) }
}

fn unavailable(deployment: &Value) -> i64 {
    if recreates(deployment) {
        return 0;
    }
    let bound = share(deployment, "maxUnavailable", false);
    // Both zero would stand still.
    if bound == 0 && surge(deployment) == 0 { 1 } else { bound.min(wanted(deployment)) }
}

/// The most pods that may exist at once.
pub(super) fn ceiling(deployment: &Value) -> i64 {
    wanted(deployment) + surge(deployment)
}

fn size(set: &Value) -> i64 {
    int(set, "/spec/replicas").unwrap_or(0)
}

fn available(set: &Value) -> i64 {
    int(set, "/status/availableReplicas").unwrap_or(0)
}

/// How many pods of the new template may be started now.
pub(super) fn room(family: &Family) -> i64 {
    let deployment = &family.deployment;
    if recreates(deployment) && family.old.iter().any(|(_, set)| int(set, "/status/replicas").unwrap_or(0) > 0) {
        return 0;
    }
    let total: i64 = family.old.iter().chain(&family.new).map(|(_, set)| size(set)).sum();
    let mine = family.new.as_ref().map_or(0, |(_, set)| size(set));
    (ceiling(deployment) - total).min(wanted(deployment) - mine).max(0)
}

/// Scales the ReplicaSets a step towards the template.
pub(super) fn step(world: &mut World<'_>, family: &Family) {
    let deployment = &family.deployment;
    let paused = at(deployment, "/spec/paused").as_bool() == Some(true);
    let Some((key, new)) = &family.new else {
        // Paused before its first ReplicaSet, or with an old one: only its size is kept.
        if let [(key, only)] = family.old.as_slice() {
            scale(world, deployment, key, only, wanted(deployment));
        }
        return;
    };
    if size(new) > wanted(deployment) {
        scale(world, deployment, key, new, wanted(deployment));
        return;
    }
    if paused {
        if family.old.iter().all(|(_, set)| size(set) == 0) {
            scale(world, deployment, key, new, wanted(deployment));
        }
        return;
    }
    if recreates(deployment) {
        for (key, set) in &family.old {
            scale(world, deployment, key, set, 0);
        }
        let busy =
            world.objects(kinds::PODS).iter().any(|(_, pod)| family.old.iter().any(|(_, set)| owned_by(pod, set)));
        if !busy {
            scale(world, deployment, key, new, wanted(deployment));
        }
        return;
    }
    let more = room(family);
    if more > 0 {
        scale(world, deployment, key, new, size(new) + more);
        return;
    }
    shrink_old(world, family, new);
}

fn shrink_old(world: &mut World<'_>, family: &Family, new: &Value) {
    let deployment = &family.deployment;
    let total: i64 = family.old.iter().chain(&family.new).map(|(_, set)| size(set)).sum();
    let least = wanted(deployment) - unavailable(deployment);
    let mut spare = total - least - (size(new) - available(new));
    let mut old: Vec<&(Key, Arc<Value>)> = family.old.iter().filter(|(_, set)| size(set) > 0).collect();
    old.sort_by_key(|(_, set)| text(set, "/metadata/creationTimestamp").to_owned());
    let mut left: Vec<(Key, Arc<Value>, i64)> =
        old.into_iter().map(|(key, set)| (key.clone(), set.clone(), size(set))).collect();
    // Pods that do not serve go first; then those that do, as far as the rest still serves.
    for (_, set, target) in &mut left {
        let sick = (size(set) - available(set)).min(spare).max(0);
        *target -= sick;
        spare -= sick;
    }
    let serving: i64 = family.old.iter().chain(&family.new).map(|(_, set)| available(set)).sum();
    let mut spare = spare.min(serving - least);
    for (_, set, target) in &mut left {
        let cut = (*target).min(available(set)).min(spare).max(0);
        *target -= cut;
        spare -= cut;
    }
    for (key, set, target) in left {
        scale(world, deployment, &key, &set, target);
    }
}

fn scale(world: &mut World<'_>, deployment: &Value, key: &Key, replica_set: &Value, target: i64) {
    let from = size(replica_set);
    if from == target {
        return;
    }
    let Some(current) = world.state.get(key).cloned() else { return };
    let mut next = (*current).clone();
    set(&mut next, &["spec", "replicas"], target);
    world.put(key, next);
    let word = if target > from { "up" } else { "down" };
    let message = format!("Scaled {word} replica set {} from {from} to {target}", key.name);
    world.tell(deployment, Event::normal(WHO, "ScalingReplicaSet", message));
}

/// Writes the counters and conditions.
pub(super) fn report(world: &mut World<'_>, family: &Family) {
    let deployment = &family.deployment;
    let sets: Vec<&(Key, Arc<Value>)> = family.old.iter().chain(&family.new).collect();
    let sum =
        |name: &str| -> i64 { sets.iter().map(|(_, set)| int(set, &format!("/status/{name}")).unwrap_or(0)).sum() };
    let replicas = sum("replicas");
    let updated = family.new.as_ref().map_or(0, |(_, set)| int(set, "/status/replicas").unwrap_or(0));
    let (ready, serving) = (sum("readyReplicas"), sum("availableReplicas"));
    let total: i64 = sets.iter().map(|(_, set)| size(set)).sum();
    let ending = world
        .objects(kinds::PODS)
        .iter()
        .filter(|(_, pod)| !is_active(pod) && !at(pod, "/metadata/deletionTimestamp").is_null())
        .filter(|(_, pod)| sets.iter().any(|(_, set)| owned_by(pod, set)))
        .count();
    let mut status = json!({"observedGeneration": at(deployment, "/metadata/generation")});
    let counts = [
        ("replicas", replicas),
        ("updatedReplicas", updated),
        ("readyReplicas", ready),
        ("availableReplicas", serving),
        ("unavailableReplicas", (total - serving).max(0)),
    ];
    for (name, count) in counts.into_iter().filter(|(_, count)| *count > 0) {
        set(&mut status, &[name], count);
    }
    set(&mut status, &["terminatingReplicas"], ending);
    let conditions = conditions(world, family, replicas, updated, serving);
    set(&mut status, &["conditions"], conditions);
    world.put_status(&family.key, (**deployment).clone(), status, "kube-controller-manager");
}

fn conditions(world: &mut World<'_>, family: &Family, replicas: i64, updated: i64, serving: i64) -> Value {
    let deployment = &family.deployment;
    let old = list(deployment, "/status/conditions");
    let enough = serving >= wanted(deployment) - unavailable(deployment);
    let now = if enough {
        ("Available", "True", "MinimumReplicasAvailable", "Deployment has minimum availability.".to_owned())
    } else {
        (
            "Available",
            "False",
            "MinimumReplicasUnavailable",
            "Deployment does not have minimum availability.".to_owned(),
        )
    };
    let mut all = vec![condition(old, now, false)];
    if let Some(found) = progress(world, family, replicas, updated, serving) {
        let moved = int(deployment, "/status/updatedReplicas").unwrap_or(0) != updated
            || int(deployment, "/status/availableReplicas").unwrap_or(0) != serving;
        all.push(condition(old, found, moved));
    }
    let failure = family.new.as_ref().and_then(|(_, set)| list(set, "/status/conditions").first().cloned());
    if let Some(failure) = failure.filter(|failure| text(failure, "/type") == "ReplicaFailure") {
        let found = ("ReplicaFailure", "True", "FailedCreate", text(&failure, "/message").to_owned());
        all.push(condition(old, found, false));
    }
    Value::Array(all)
}

type Found = (&'static str, &'static str, &'static str, String);

fn progress(world: &mut World<'_>, family: &Family, replicas: i64, updated: i64, serving: i64) -> Option<Found> {
    let deployment = &family.deployment;
    let wanted = wanted(deployment);
    let uid = text(deployment, "/metadata/uid").to_owned();
    if at(deployment, "/spec/paused").as_bool() == Some(true) {
        return Some(("Progressing", "Unknown", "DeploymentPaused", "Deployment is paused".to_owned()));
    }
    let (key, _) = family.new.as_ref()?;
    if updated == wanted && replicas == wanted && serving >= wanted {
        world.restart(&uid, "progress");
        let message = format!("ReplicaSet {:?} has successfully progressed.", key.name);
        return Some(("Progressing", "True", "NewReplicaSetAvailable", message));
    }
    let moved = int(deployment, "/status/updatedReplicas").unwrap_or(0) != updated
        || int(deployment, "/status/availableReplicas").unwrap_or(0) < serving
        || at(deployment, "/metadata/generation") != at(deployment, "/status/observedGeneration");
    if moved {
        world.restart(&uid, "progress");
    }
    let old = list(deployment, "/status/conditions").iter().find(|c| text(c, "/type") == "Progressing");
    let done = old.is_some_and(|old| text(old, "/reason") == "NewReplicaSetAvailable");
    if done && !moved {
        // A rollout that was complete stays so when a pod falls ill.
        let message = text(old.unwrap_or(&Value::Null), "/message").to_owned();
        return Some(("Progressing", "True", "NewReplicaSetAvailable", message));
    }
    let deadline = int(deployment, "/spec/progressDeadlineSeconds").unwrap_or(600).clamp(0, i64::from(i32::MAX));
    let deadline = std::time::Duration::from_secs(u64::try_from(deadline).unwrap_or(600));
    if world.due(&uid, "progress", deadline) {
        let message = format!("ReplicaSet {:?} has timed out progressing.", key.name);
        return Some(("Progressing", "False", "ProgressDeadlineExceeded", message));
    }
    let message = format!("ReplicaSet {:?} is progressing.", key.name);
    Some(("Progressing", "True", "ReplicaSetUpdated", message))
}

fn condition(old: &[Value], (kind, status, reason, message): Found, moved: bool) -> Value {
    let now = clock::now();
    let before = old.iter().find(|condition| text(condition, "/type") == kind);
    let mut fresh = json!({
        "type": kind, "status": status, "lastUpdateTime": now, "lastTransitionTime": now, "reason": reason,
        "message": message,
    });
    if let Some(before) = before {
        if text(before, "/status") == status {
            set(&mut fresh, &["lastTransitionTime"], at(before, "/lastTransitionTime").clone());
        }
        let same = text(before, "/status") == status && text(before, "/reason") == reason && !moved;
        if same {
            set(&mut fresh, &["lastUpdateTime"], at(before, "/lastUpdateTime").clone());
        }
    }
    fresh
}
