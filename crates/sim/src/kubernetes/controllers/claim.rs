//! Claims: binding by the default StorageClass's provisioner, and protection while a pod uses them.

use serde_json::{Value, json};

use super::World;
use super::events::Event;
use super::garbage::release;
use crate::kubernetes::json::{at, list, set, text};
use crate::kubernetes::kinds;
use crate::kubernetes::registry::{self, Writer};
use crate::kubernetes::storage::Key;

/// Binds pending claims and releases unused ones that are to go.
pub(super) fn reconcile(world: &mut World<'_>) {
    for (key, claim) in world.objects(kinds::PVCS) {
        if at(&claim, "/metadata/deletionTimestamp").is_null() {
            bind(world, &key, &claim);
        } else if !in_use(world, &key.name) {
            release(world, &key, &claim, "kubernetes.io/pvc-protection");
        }
    }
}

fn in_use(world: &World<'_>, name: &str) -> bool {
    world.state.list(kinds::PODS, world.namespace).any(|(_, pod)| {
        list(pod, "/spec/volumes").iter().any(|volume| text(volume, "/persistentVolumeClaim/claimName") == name)
    })
}

fn bind(world: &mut World<'_>, key: &Key, claim: &Value) {
    if text(claim, "/status/phase") == "Bound" {
        return;
    }
    let class = text(claim, "/spec/storageClassName").to_owned();
    let Some(found) = world.state.find(kinds::STORAGECLASSES, "", &class).cloned() else {
        let event = if class.is_empty() {
            Event::normal(
                "persistentvolume-controller",
                "FailedBinding",
                "no persistent volumes available for this claim and no storage class is set",
            )
        } else {
            let message = format!("storageclass.storage.k8s.io {class:?} not found");
            Event::warning("persistentvolume-controller", "ProvisioningFailed", message)
        };
        let uid = text(claim, "/metadata/uid").to_owned();
        if world.due(&uid, "complain", std::time::Duration::ZERO) && !complained(world, &uid) {
            world.tell(claim, event);
        }
        return;
    };
    let provisioner = text(&found, "/provisioner").to_owned();
    if !provisioner.starts_with("simulator.northstack.dev/") {
        return;
    }
    let first_user = text(&found, "/volumeBindingMode") == "WaitForFirstConsumer";
    if first_user && !in_use(world, &key.name) {
        return;
    }
    let uid = text(claim, "/metadata/uid").to_owned();
    if !world.due(&uid, "bind", world.cluster.timing.volume_bind) {
        return;
    }
    let volume = format!("pvc-{uid}");
    let size = at(claim, "/spec/resources/requests/storage").clone();
    provision(world, key, claim, &found, &volume, &size);
    let mut bound = claim.clone();
    for name in ["pv.kubernetes.io/bind-completed", "pv.kubernetes.io/bound-by-controller"] {
        set(&mut bound, &["metadata", "annotations", name], "yes");
    }
    for name in ["volume.beta.kubernetes.io/storage-provisioner", "volume.kubernetes.io/storage-provisioner"] {
        set(&mut bound, &["metadata", "annotations", name], provisioner.as_str());
    }
    set(&mut bound, &["spec", "volumeName"], volume.as_str());
    world.put(key, bound.clone());
    let current = world.state.get(key).map_or(bound, |object| (**object).clone());
    let status =
        json!({"phase": "Bound", "accessModes": at(claim, "/spec/accessModes"), "capacity": {"storage": size}});
    world.put_status(key, current, status, "kube-controller-manager");
    let message = format!("Successfully provisioned volume {volume}");
    world.tell(claim, Event::normal("persistentvolume-controller", "ProvisioningSucceeded", message));
}

fn complained(world: &World<'_>, uid: &str) -> bool {
    world.state.list(kinds::EVENTS, world.namespace).any(|(_, event)| text(event, "/involvedObject/uid") == uid)
}

fn provision(world: &mut World<'_>, key: &Key, claim: &Value, class: &Value, name: &str, size: &Value) {
    let object = json!({
        "metadata": {
            "name": name,
            "annotations": {"pv.kubernetes.io/provisioned-by": text(class, "/provisioner")},
            "finalizers": ["kubernetes.io/pv-protection"],
        },
        "spec": {
            "capacity": {"storage": size},
            "hostPath": {"path": format!("/var/lib/simulator/{name}")},
            "accessModes": at(claim, "/spec/accessModes"),
            "claimRef": {
                "kind": "PersistentVolumeClaim", "namespace": key.namespace, "name": key.name,
                "uid": at(claim, "/metadata/uid"), "apiVersion": "v1",
                "resourceVersion": at(claim, "/metadata/resourceVersion"),
            },
            "persistentVolumeReclaimPolicy": at(class, "/reclaimPolicy"),
            "storageClassName": text(class, "/metadata/name"),
        },
    });
    let writer = Writer::controller(kinds::PVS);
    let volume = Key::new(kinds::PVS, "", name);
    if world.state.get(&volume).is_none() {
        let made = registry::create(world.state, kinds::PVS, "", object, &writer);
        world.report(&volume, made);
    }
    if let Some(made) = world.state.get(&volume).cloned() {
        world.put_status(&volume, (*made).clone(), json!({"phase": "Bound"}), "kube-controller-manager");
    }
}
