//! The pace of a rollout, and the status that tells of it (`pkg/controller/deployment`).

use std::sync::Arc;

use serde_json::{Value, json};

use super::World;
use super::deployment::{Family, WHO};
use super::events::Event;
use super::replicaset::{is_active, owned_by};
use crate::kubernetes::clock;
use crate::kubernetes::json::{at, int, list, set, text};
use crate::kubernetes::kinds;
use crate::kubernetes::storage::Key;

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
    let conditions = conditions(world, family, &Counts { replicas, updated, ready, available: serving });
    set(&mut status, &["conditions"], conditions);
    world.put_status(&family.key, (**deployment).clone(), status, "kube-controller-manager");
}

/// The conditions after this look, in the order of their last change.
fn conditions(world: &mut World<'_>, family: &Family, counts: &Counts) -> Value {
    let deployment = &family.deployment;
    let mut all = list(deployment, "/status/conditions").to_vec();
    let enough = counts.available >= wanted(deployment) - unavailable(deployment);
    let availability = if enough {
        Found::new("Available", "True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
    } else {
        Found::new("Available", "False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
    };
    availability.put(&mut all, false);
    if let Some((found, again)) = progress(world, family, counts) {
        found.put(&mut all, again);
    }
    let failure = family.new.as_ref().and_then(|(_, set)| list(set, "/status/conditions").first().cloned());
    match failure.filter(|failure| text(failure, "/type") == "ReplicaFailure") {
        Some(failure) => {
            Found::new("ReplicaFailure", "True", "FailedCreate", text(&failure, "/message")).put(&mut all, false);
        }
        None => all.retain(|condition| text(condition, "/type") != "ReplicaFailure"),
    }
    Value::Array(all)
}

/// The counters of a Deployment's status.
pub(super) struct Counts {
    replicas: i64,
    updated: i64,
    ready: i64,
    available: i64,
}

impl Counts {
    /// Whether a rollout has moved on since the status that stands.
    fn moved(&self, deployment: &Value) -> bool {
        let old = |name: &str| int(deployment, &format!("/status/{name}")).unwrap_or(0);
        self.updated > old("updatedReplicas")
            || self.replicas - self.updated < old("replicas") - old("updatedReplicas")
            || self.ready > old("readyReplicas")
            || self.available > old("availableReplicas")
    }
}

/// A condition as it should stand.
struct Found {
    kind: &'static str,
    status: &'static str,
    reason: &'static str,
    message: String,
}

impl Found {
    fn new(kind: &'static str, status: &'static str, reason: &'static str, message: impl Into<String>) -> Self {
        Self { kind, status, reason, message: message.into() }
    }

    /// Puts it at the end of the list, unless it stands there already; `again` renews its time even then.
    fn put(self, all: &mut Vec<Value>, again: bool) {
        let now = clock::now();
        let mut since = now.clone();
        if let Some(before) = all.iter().find(|condition| text(condition, "/type") == self.kind) {
            let same = text(before, "/status") == self.status;
            if same && text(before, "/reason") == self.reason && !again {
                return;
            }
            if same {
                text(before, "/lastTransitionTime").clone_into(&mut since);
            }
        }
        all.retain(|condition| text(condition, "/type") != self.kind);
        all.push(json!({
            "type": self.kind, "status": self.status, "lastUpdateTime": now, "lastTransitionTime": since,
            "reason": self.reason, "message": self.message,
        }));
    }
}

/// What is to be said of the rollout, if anything new is, and whether it renews a like statement.
fn progress(world: &mut World<'_>, family: &Family, counts: &Counts) -> Option<(Found, bool)> {
    let deployment = &family.deployment;
    let uid = text(deployment, "/metadata/uid").to_owned();
    let wanted = wanted(deployment);
    let old = list(deployment, "/status/conditions").iter().find(|c| text(c, "/type") == "Progressing");
    let reason = old.map_or("", |old| text(old, "/reason"));
    if at(deployment, "/spec/paused").as_bool() == Some(true) {
        return Some((Found::new("Progressing", "Unknown", "DeploymentPaused", "Deployment is paused"), false));
    }
    if reason == "DeploymentPaused" {
        return Some((Found::new("Progressing", "Unknown", "DeploymentResumed", "Deployment is resumed"), false));
    }
    let (key, _) = family.new.as_ref()?;
    let say = |status, reason, message: String| Found::new("Progressing", status, reason, message);
    if family.founded {
        world.restart(&uid, "progress");
        world.due(&uid, "progress", deadline(deployment));
        return Some((say("True", "NewReplicaSetCreated", format!("Created new replica set {:?}", key.name)), true));
    }
    if counts.updated == wanted && counts.replicas == wanted && counts.available >= wanted {
        world.restart(&uid, "progress");
        let message = format!("ReplicaSet {:?} has successfully progressed.", key.name);
        let renewed = old.is_some_and(|old| text(old, "/message") != message);
        return Some((say("True", "NewReplicaSetAvailable", message), renewed));
    }
    if counts.moved(deployment) {
        world.restart(&uid, "progress");
        world.due(&uid, "progress", deadline(deployment));
        let message = format!("ReplicaSet {:?} is progressing.", key.name);
        return Some((say("True", "ReplicaSetUpdated", message), true));
    }
    // A rollout that was complete stays so when a pod falls ill or the size changes.
    if reason != "NewReplicaSetAvailable" && world.due(&uid, "progress", deadline(deployment)) {
        let message = format!("ReplicaSet {:?} has timed out progressing.", key.name);
        return Some((say("False", "ProgressDeadlineExceeded", message), false));
    }
    None
}

fn deadline(deployment: &Value) -> std::time::Duration {
    let seconds = int(deployment, "/spec/progressDeadlineSeconds").unwrap_or(600);
    std::time::Duration::from_secs(u64::try_from(seconds).unwrap_or(600).min(u64::from(u32::MAX)))
}
