//! What a new cluster has: its namespaces, one ready node, a default StorageClass and a default IngressClass.

use serde_json::{Value, json};

use crate::kubernetes::clock;
use crate::kubernetes::kinds::{self, KindId};
use crate::kubernetes::registry::{self, Writer};
use crate::kubernetes::storage::State;

/// The name of the one node.
pub(crate) const NODE: &str = "node-1";

/// Creates what is missing of a new cluster.
pub(crate) fn seed(state: &mut State) {
    for name in ["default", "kube-node-lease", "kube-public", "kube-system"] {
        put(state, kinds::NAMESPACES, json!({"metadata": {"name": name}}));
    }
    put(
        state,
        kinds::STORAGECLASSES,
        json!({
            "metadata": {
                "name": "standard",
                "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
            },
            "provisioner": "simulator.northstack.dev/volumes", "reclaimPolicy": "Delete",
            "volumeBindingMode": "Immediate", "allowVolumeExpansion": true,
        }),
    );
    put(
        state,
        kinds::INGRESSCLASSES,
        json!({
            "metadata": {"name": "nginx", "annotations": {"ingressclass.kubernetes.io/is-default-class": "true"}},
            "spec": {"controller": "k8s.io/ingress-nginx"},
        }),
    );
    put(state, kinds::NODES, node());
}

fn put(state: &mut State, kind: KindId, object: Value) {
    let name = object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
    if state.find(kind, "", name).is_some() {
        return;
    }
    let writer = Writer::update("kube-apiserver", kind, "");
    if let Err(error) = registry::create(state, kind, "", object, &writer) {
        tracing::error!(kind = kind.kind, error = error.message, "simulated cluster: cannot seed");
    }
}

fn node() -> Value {
    let now = clock::now();
    let condition = |kind: &str, status: &str, reason: &str, message: &str| {
        json!({
            "type": kind, "status": status, "lastHeartbeatTime": now, "lastTransitionTime": now, "reason": reason,
            "message": message,
        })
    };
    let amounts = json!({"cpu": "64", "ephemeral-storage": "1Ti", "memory": "256Gi", "pods": "500"});
    json!({
        "metadata": {
            "name": NODE,
            "labels": {
                "beta.kubernetes.io/arch": "amd64", "beta.kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64",
                "kubernetes.io/hostname": NODE, "kubernetes.io/os": "linux",
            },
        },
        "spec": {},
        "status": {
            "capacity": amounts, "allocatable": amounts,
            "conditions": [
                condition("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
                condition("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
                condition("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
                condition("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
            ],
            "addresses": [
                {"type": "InternalIP", "address": "10.99.0.1"}, {"type": "Hostname", "address": NODE},
            ],
            "nodeInfo": {
                "machineID": "simulated", "systemUUID": "simulated", "bootID": "simulated",
                "kernelVersion": "simulated", "osImage": "simulated", "containerRuntimeVersion": "simulator://1",
                "kubeletVersion": "v1.36.2", "kubeProxyVersion": "", "operatingSystem": "linux",
                "architecture": "amd64",
            },
        },
    })
}
