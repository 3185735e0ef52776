//! Defaults, as the API server's `SetDefaults_*` functions fill them in before an object is admitted.

mod batch;
mod gateway;
mod misc;
mod pod;
mod service;
mod workloads;

use serde_json::{Value, json};

use super::json::{default, object, text};
use super::kinds::{self, KindId};

/// Fills in the defaults of an object of that kind.
pub(crate) fn apply(kind: KindId, value: &mut Value) {
    match kind {
        kinds::NAMESPACES => misc::namespace(value),
        kinds::PODS => pod::pod(value),
        kinds::SERVICES => service::service(value),
        kinds::SECRETS => misc::secret(value),
        kinds::PVCS => misc::claim(value),
        kinds::PVS => misc::volume(value),
        kinds::LIMITRANGES => misc::limit_range(value),
        kinds::DEPLOYMENTS => workloads::deployment(value),
        kinds::REPLICASETS => workloads::replica_set(value),
        kinds::STATEFULSETS => workloads::stateful_set(value),
        kinds::DAEMONSETS => workloads::daemon_set(value),
        kinds::JOBS => batch::job(value),
        kinds::CRONJOBS => batch::cron_job(value),
        kinds::NETWORKPOLICIES => service::network_policy(value),
        kinds::HPAS => misc::autoscaler(value),
        kinds::STORAGECLASSES => misc::storage_class(value),
        kinds::ENDPOINTSLICES => service::endpoint_slice(value),
        kinds::GATEWAYS => gateway::gateway(value),
        kinds::HTTPROUTES => gateway::route(value),
        _ if matches!(kind.kind, "RoleBinding" | "ClusterRoleBinding") => misc::binding(value),
        _ => {}
    }
}

/// The status that a new object of that kind starts with; the client's own is dropped.
pub(crate) fn initial_status(kind: KindId, value: &mut Value) {
    let status = match kind {
        kinds::NAMESPACES => Some(json!({"phase": "Active"})),
        kinds::PODS => {
            let qos = pod::qos_class(value);
            Some(json!({"phase": "Pending", "qosClass": qos}))
        }
        kinds::SERVICES | kinds::INGRESSES => Some(json!({"loadBalancer": {}})),
        kinds::PVCS | kinds::PVS => Some(json!({"phase": "Pending"})),
        kinds::DEPLOYMENTS | kinds::QUOTAS | kinds::JOBS | kinds::CRONJOBS => Some(json!({})),
        kinds::REPLICASETS => Some(json!({"replicas": 0})),
        kinds::STATEFULSETS => Some(json!({"replicas": 0, "availableReplicas": 0})),
        kinds::DAEMONSETS => Some(json!({
            "currentNumberScheduled": 0, "numberMisscheduled": 0, "desiredNumberScheduled": 0, "numberReady": 0,
        })),
        kinds::HPAS => Some(json!({"desiredReplicas": 0, "currentMetrics": null})),
        kinds::PDBS => {
            Some(json!({"disruptionsAllowed": 0, "currentHealthy": 0, "desiredHealthy": 0, "expectedPods": 0}))
        }
        // A node reports itself by creating and patching its own object.
        _ => return,
    };
    if let (Some(status), Some(map)) = (status, value.as_object_mut()) {
        map.insert("status".to_owned(), status);
    }
}

pub(crate) use pod::qos_class;

/// Sets a default below a path of keys.
fn fill(value: &mut Value, path: &[&str], key: &str, new: impl Into<Value>) {
    default(object(value, path), key, new);
}

/// The pod template of a workload under `/spec/template`.
fn template(value: &mut Value) {
    object(value, &["spec", "template", "metadata"]);
    pod::spec(object_value(value, &["spec", "template", "spec"]));
}

/// The value (and not the map) under a path, made an object where absent.
fn object_value<'a>(value: &'a mut Value, path: &[&str]) -> &'a mut Value {
    object(value, path);
    let mut here = value;
    for key in path {
        here = &mut here[*key];
    }
    here
}

fn is(value: &Value, pointer: &str, wanted: &str) -> bool {
    text(value, pointer) == wanted
}
