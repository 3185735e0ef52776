//! Deployments: their ReplicaSets and status.

use std::sync::Arc;

use serde_json::{Value, json};

use super::World;
use super::events::Event;
use super::replicaset::{owned_by, reference};
use super::rollout;
use crate::kubernetes::clock;
use crate::kubernetes::json::{at, int, list, remove, set, text};
use crate::kubernetes::kinds;
use crate::kubernetes::storage::Key;

pub(super) const WHO: &str = "deployment-controller";
pub(super) const REVISION: &str = "deployment.kubernetes.io/revision";
const DESIRED: &str = "deployment.kubernetes.io/desired-replicas";
const MAX: &str = "deployment.kubernetes.io/max-replicas";

/// A Deployment with its ReplicaSets, the one of its template apart.
pub(super) struct Family {
    pub(super) key: Key,
    pub(super) deployment: Arc<Value>,
    pub(super) new: Option<(Key, Arc<Value>)>,
    pub(super) old: Vec<(Key, Arc<Value>)>,
    /// Whether the ReplicaSet of the template was created just now.
    pub(super) founded: bool,
}

pub(super) fn annotation<'a>(object: &'a Value, name: &str) -> &'a str {
    object.pointer("/metadata/annotations").and_then(|all| all.get(name)).and_then(Value::as_str).unwrap_or_default()
}

/// Moves each Deployment a step on.
pub(super) fn reconcile(world: &mut World<'_>) {
    for (key, deployment) in world.objects(kinds::DEPLOYMENTS) {
        if at(&deployment, "/metadata/deletionTimestamp").is_null() {
            one(world, key, deployment);
        }
    }
}

fn family(world: &World<'_>, key: Key, deployment: Arc<Value>) -> Family {
    let wanted = bare_template(at(&deployment, "/spec/template"));
    let (mut same, old): (Vec<_>, Vec<_>) = world
        .objects(kinds::REPLICASETS)
        .into_iter()
        .filter(|(_, set)| owned_by(set, &deployment))
        .partition(|(_, set)| bare_template(at(set, "/spec/template")) == wanted);
    same.sort_by_key(|(_, set)| text(set, "/metadata/creationTimestamp").to_owned());
    let mut same = same.into_iter();
    let new = same.next();
    let mut old = old;
    old.extend(same);
    Family { key, deployment, new, old, founded: false }
}

/// The template without the label that tells ReplicaSets apart.
fn bare_template(template: &Value) -> Value {
    let mut bare = template.clone();
    remove(&mut bare, &["metadata", "labels", "pod-template-hash"]);
    bare
}

fn one(world: &mut World<'_>, key: Key, deployment: Arc<Value>) {
    let mut family = family(world, key.clone(), deployment);
    let mut founded = false;
    if family.new.is_none() && at(&family.deployment, "/spec/paused").as_bool() != Some(true) {
        founded = true;
        found_new(world, &family);
        family = self::family(world, key.clone(), family.deployment);
    }
    revise(world, &family);
    if let Some(current) = world.state.get(&key).cloned() {
        family = self::family(world, key.clone(), current);
    }
    rollout::step(world, &family);
    cleanup(world, &family);
    let Some(current) = world.state.get(&key).cloned() else { return };
    let family = Family { founded, ..self::family(world, key, current) };
    rollout::report(world, &family);
}

/// Creates the ReplicaSet of the current template, with no pods yet.
fn found_new(world: &mut World<'_>, family: &Family) {
    let deployment = &family.deployment;
    let template = at(deployment, "/spec/template");
    let mut salt = 0;
    let (hash, name) = loop {
        let hash = clock::template_hash(&format!("{template}{salt}"));
        let name = format!("{}-{hash}", family.key.name);
        if world.state.find(kinds::REPLICASETS, world.namespace, &name).is_none() {
            break (hash, name);
        }
        salt += 1;
    };
    let mut template = template.clone();
    set(&mut template, &["metadata", "labels", "pod-template-hash"], hash.as_str());
    let mut selector = at(deployment, "/spec/selector").clone();
    set(&mut selector, &["matchLabels", "pod-template-hash"], hash.as_str());
    let revision = next_revision(family).to_string();
    let mut object = json!({
        "metadata": {
            "name": name, "labels": at(&template, "/metadata/labels"), "annotations": copied(deployment),
            "ownerReferences": reference(deployment),
        },
        "spec": {"replicas": 0, "selector": selector, "template": template},
    });
    let total = rollout::ceiling(deployment).to_string();
    let first = rollout::room(family).to_string();
    set(&mut object, &["metadata", "annotations", DESIRED], rollout::wanted(deployment).to_string());
    set(&mut object, &["metadata", "annotations", MAX], total);
    set(&mut object, &["metadata", "annotations", REVISION], revision);
    // The real controller creates it with its first pods; `room` is how many may be.
    let replicas: i64 = first.parse().unwrap_or(0);
    set(&mut object, &["spec", "replicas"], replicas);
    let made = world.create(kinds::REPLICASETS, object);
    let made_key = Key::new(kinds::REPLICASETS, world.namespace, &name);
    let fine = made.is_ok();
    world.report(&made_key, made);
    if fine && replicas > 0 {
        let message = format!("Scaled up replica set {name} from 0 to {replicas}");
        world.tell(deployment, Event::normal(WHO, "ScalingReplicaSet", message));
    }
}

/// The annotations that a ReplicaSet takes from its Deployment.
fn copied(deployment: &Value) -> Value {
    let mut all = at(deployment, "/metadata/annotations").clone();
    if !all.is_object() {
        all = json!({});
    }
    for name in ["kubectl.kubernetes.io/last-applied-configuration", REVISION, DESIRED, MAX] {
        remove(&mut all, &[name]);
    }
    all
}

fn next_revision(family: &Family) -> i64 {
    let newest = family.old.iter().map(|(_, set)| annotation(set, REVISION).parse().unwrap_or(0)).max().unwrap_or(0);
    newest + 1
}

/// Keeps the revision annotations of the Deployment and of its current ReplicaSet.
fn revise(world: &mut World<'_>, family: &Family) {
    let Some((key, new)) = &family.new else { return };
    let own: i64 = annotation(new, REVISION).parse().unwrap_or(0);
    let wanted = own.max(next_revision(family));
    let mut next = (**new).clone();
    set(&mut next, &["metadata", "annotations", REVISION], wanted.to_string());
    set(&mut next, &["metadata", "annotations", DESIRED], rollout::wanted(&family.deployment).to_string());
    set(&mut next, &["metadata", "annotations", MAX], rollout::ceiling(&family.deployment).to_string());
    world.put(key, next);
    if annotation(&family.deployment, REVISION) != wanted.to_string() {
        let mut deployment = (*family.deployment).clone();
        set(&mut deployment, &["metadata", "annotations", REVISION], wanted.to_string());
        let writer =
            crate::kubernetes::registry::Writer::update("kube-controller-manager", kinds::DEPLOYMENTS, "status");
        let result = crate::kubernetes::registry::update(
            world.state,
            &family.key,
            deployment,
            &writer,
            crate::kubernetes::registry::Part::Whole,
        );
        world.report(&family.key, result);
    }
}

/// Forgets old ReplicaSets beyond the history limit.
fn cleanup(world: &mut World<'_>, family: &Family) {
    let limit = usize::try_from(int(&family.deployment, "/spec/revisionHistoryLimit").unwrap_or(10)).unwrap_or(0);
    let mut idle: Vec<&(Key, Arc<Value>)> = family
        .old
        .iter()
        .filter(|(_, set)| {
            int(set, "/spec/replicas") == Some(0)
                && int(set, "/status/replicas").unwrap_or(0) == 0
                && list(set, "/metadata/finalizers").is_empty()
        })
        .collect();
    idle.sort_by_key(|(_, set)| annotation(set, REVISION).parse::<i64>().unwrap_or(0));
    let excess = idle.len().saturating_sub(limit);
    for (key, _) in idle.into_iter().take(excess) {
        world.delete(key);
    }
}
