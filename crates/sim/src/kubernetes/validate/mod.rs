//! Validation: what the API server refuses with 422 (`pkg/apis/*/validation`).

mod gateway;
mod meta;
mod misc;
mod names;
mod network;
mod pod;
mod storage;
mod workloads;

use serde_json::Value;

use super::kinds::{self, KindId};
use super::registry::Part;
use super::status::Cause;

/// The faults of a new object, defaults and admission applied.
pub(crate) fn creation(kind: KindId, value: &Value) -> Vec<Cause> {
    let mut causes = meta::object(kind, value);
    body(kind, value, &mut causes);
    causes
}

/// The faults of a change.
pub(crate) fn change(kind: KindId, live: &Value, value: &Value, part: Part) -> Vec<Cause> {
    let mut causes = meta::object(kind, value);
    if part == Part::Status {
        misc::status(kind, value, &mut causes);
        return causes;
    }
    body(kind, value, &mut causes);
    match kind {
        kinds::DEPLOYMENTS | kinds::REPLICASETS | kinds::DAEMONSETS => {
            workloads::selector_kept(live, value, &mut causes)
        }
        kinds::STATEFULSETS => workloads::stateful_set_kept(live, value, &mut causes),
        kinds::JOBS => workloads::job_kept(live, value, &mut causes),
        kinds::PODS => pod::kept(live, value, &mut causes),
        kinds::SECRETS => storage::secret_kept(live, value, &mut causes),
        kinds::CONFIGMAPS => storage::config_map_kept(live, value, &mut causes),
        kinds::PVCS => storage::claim_kept(live, value, &mut causes),
        kinds::SERVICES => network::service_kept(live, value, &mut causes),
        _ if matches!(kind.kind, "RoleBinding" | "ClusterRoleBinding") => misc::binding_kept(live, value, &mut causes),
        _ => {}
    }
    causes
}

fn body(kind: KindId, value: &Value, causes: &mut Vec<Cause>) {
    match kind {
        kinds::PODS => pod::pod(value, causes),
        kinds::SERVICES => network::service(value, causes),
        kinds::INGRESSES => network::ingress(value, causes),
        kinds::SECRETS => storage::secret(value, causes),
        kinds::CONFIGMAPS => storage::config_map(value, causes),
        kinds::PVCS => storage::claim(value, causes),
        kinds::DEPLOYMENTS | kinds::REPLICASETS | kinds::STATEFULSETS | kinds::DAEMONSETS => {
            workloads::workload(kind, value, causes);
        }
        kinds::JOBS => workloads::job(value, causes),
        kinds::CRONJOBS => workloads::cron_job(value, causes),
        kinds::HPAS => misc::autoscaler(value, causes),
        kinds::EVENTS => misc::event(value, causes),
        kinds::GATEWAYS => gateway::gateway(value, causes),
        kinds::HTTPROUTES => gateway::route(value, causes),
        _ => {}
    }
}
