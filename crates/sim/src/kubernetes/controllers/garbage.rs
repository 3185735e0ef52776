//! The garbage collector: dependents of owners that are gone, foreground and orphaning deletion, disks of claims
//! that are gone.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::Value;

use super::World;
use crate::kubernetes::json::{at, list, set, text};
use crate::kubernetes::kinds;
use crate::kubernetes::storage::{Key, State};

/// Collects in one namespace.
pub(super) fn reconcile(world: &mut World<'_>) {
    let content: Vec<(Key, Arc<Value>)> =
        world.state.contents(world.namespace).map(|(key, object)| (key.clone(), object.clone())).collect();
    let uids: HashSet<&str> = content.iter().map(|(_, object)| text(object, "/metadata/uid")).collect();
    for (key, object) in &content {
        let owners = list(object, "/metadata/ownerReferences");
        let alive = |owner: &Value| uids.contains(text(owner, "/uid")) || is_wide(world.state, text(owner, "/uid"));
        let orphaned = !owners.is_empty() && !owners.iter().any(alive);
        if orphaned && at(object, "/metadata/deletionTimestamp").is_null() {
            world.delete(key);
        }
    }
    for (key, object) in &content {
        if at(object, "/metadata/deletionTimestamp").is_null() {
            continue;
        }
        let uid = text(object, "/metadata/uid");
        let dependents: Vec<&(Key, Arc<Value>)> = content
            .iter()
            .filter(|(_, other)| list(other, "/metadata/ownerReferences").iter().any(|o| text(o, "/uid") == uid))
            .collect();
        if holds(object, "orphan") {
            for (other, dependent) in &dependents {
                let mut freed = (**dependent).clone();
                let rest: Vec<Value> = list(dependent, "/metadata/ownerReferences")
                    .iter()
                    .filter(|owner| text(owner, "/uid") != uid)
                    .cloned()
                    .collect();
                set(&mut freed, &["metadata", "ownerReferences"], rest);
                world.put(other, freed);
            }
            release(world, key, object, "orphan");
        } else if holds(object, "foregroundDeletion") {
            let mut blocked = false;
            for (other, dependent) in &dependents {
                if world.state.get(other).is_some() {
                    if at(dependent, "/metadata/deletionTimestamp").is_null() {
                        foreground(world, other);
                    }
                    blocked |= world.state.get(other).is_some();
                }
            }
            if !blocked {
                release(world, key, object, "foregroundDeletion");
            }
        }
    }
}

/// Whether an object of no namespace has this uid.
fn is_wide(state: &State, uid: &str) -> bool {
    state.contents("").any(|(_, object)| text(object, "/metadata/uid") == uid)
}

/// A dependent that has dependents of its own goes in the foreground too.
fn foreground(world: &mut World<'_>, key: &Key) {
    let propagation = Some(crate::kubernetes::registry::Propagation::Foreground);
    let options = crate::kubernetes::registry::DeleteOptions { propagation, ..Default::default() };
    let result = if key.kind == kinds::REPLICASETS || key.kind == kinds::JOBS {
        crate::kubernetes::registry::delete(world.state, key, &options)
    } else {
        crate::kubernetes::registry::delete(world.state, key, &Default::default())
    };
    world.report(key, result);
}

fn holds(object: &Value, finalizer: &str) -> bool {
    list(object, "/metadata/finalizers").iter().any(|name| name == finalizer)
}

/// Removes a finalizer; the object goes with its last one.
pub(super) fn release(world: &mut World<'_>, key: &Key, object: &Value, finalizer: &str) {
    let mut freed = object.clone();
    let rest: Vec<Value> =
        list(object, "/metadata/finalizers").iter().filter(|name| *name != finalizer).cloned().collect();
    if rest.is_empty() {
        crate::kubernetes::json::remove(&mut freed, &["metadata", "finalizers"]);
    } else {
        set(&mut freed, &["metadata", "finalizers"], rest);
    }
    world.put(key, freed);
}

/// Forgets the disks whose claim or pod is gone.
pub(super) fn cluster(state: &mut State) {
    let known = state.volume_ids();
    if known.is_empty() {
        return;
    }
    let alive: HashSet<String> = state
        .list(kinds::PVCS, "")
        .chain(state.list(kinds::PODS, ""))
        .map(|(_, object)| text(object, "/metadata/uid").to_owned())
        .collect();
    for uid in known {
        let owner = uid.split('/').next().unwrap_or(&uid);
        if !alive.contains(owner) {
            state.drop_volume(&uid);
        }
    }
    let gone: Vec<Key> = state
        .list(kinds::PVS, "")
        .filter(|(_, volume)| {
            let claim = text(volume, "/spec/claimRef/uid");
            text(volume, "/spec/persistentVolumeReclaimPolicy") == "Delete"
                && !claim.is_empty()
                && !alive.contains(claim)
        })
        .map(|(key, _)| key.clone())
        .collect();
    for key in gone {
        state.delete(&key);
    }
}
