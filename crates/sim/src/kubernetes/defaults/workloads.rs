//! Defaults of the kinds of `apps/v1` (`pkg/apis/apps/v1/defaults.go`).

use serde_json::{Value, json};

use super::{fill, is, template};
use crate::kubernetes::json::{object, set, text};

/// A Deployment.
pub(super) fn deployment(value: &mut Value) {
    fill(value, &["spec"], "replicas", 1);
    template(value);
    fill(value, &["spec", "strategy"], "type", "RollingUpdate");
    if is(value, "/spec/strategy/type", "RollingUpdate") {
        fill(value, &["spec", "strategy", "rollingUpdate"], "maxUnavailable", "25%");
        fill(value, &["spec", "strategy", "rollingUpdate"], "maxSurge", "25%");
    }
    fill(value, &["spec"], "revisionHistoryLimit", 10);
    fill(value, &["spec"], "progressDeadlineSeconds", 600);
}

/// A ReplicaSet.
pub(super) fn replica_set(value: &mut Value) {
    fill(value, &["spec"], "replicas", 1);
    template(value);
}

/// A StatefulSet.
pub(super) fn stateful_set(value: &mut Value) {
    fill(value, &["spec"], "replicas", 1);
    template(value);
    fill(value, &["spec"], "podManagementPolicy", "OrderedReady");
    fill(value, &["spec", "updateStrategy"], "type", "RollingUpdate");
    if is(value, "/spec/updateStrategy/type", "RollingUpdate") {
        fill(value, &["spec", "updateStrategy", "rollingUpdate"], "partition", 0);
    }
    fill(value, &["spec"], "revisionHistoryLimit", 10);
    let policy = json!({"whenDeleted": "Retain", "whenScaled": "Retain"});
    fill(value, &["spec"], "persistentVolumeClaimRetentionPolicy", policy);
    let spec = object(value, &["spec"]);
    if let Some(claims) = spec.get_mut("volumeClaimTemplates") {
        for claim in claims.as_array_mut().into_iter().flatten() {
            set(claim, &["kind"], "PersistentVolumeClaim");
            set(claim, &["apiVersion"], "v1");
            fill(claim, &["spec"], "volumeMode", "Filesystem");
            if text(claim, "/status/phase").is_empty() {
                set(claim, &["status", "phase"], "Pending");
            }
        }
    }
}

/// A DaemonSet.
pub(super) fn daemon_set(value: &mut Value) {
    template(value);
    fill(value, &["metadata", "annotations"], "deprecated.daemonset.template.generation", "1");
    fill(value, &["spec", "updateStrategy"], "type", "RollingUpdate");
    if is(value, "/spec/updateStrategy/type", "RollingUpdate") {
        fill(value, &["spec", "updateStrategy", "rollingUpdate"], "maxUnavailable", 1);
        fill(value, &["spec", "updateStrategy", "rollingUpdate"], "maxSurge", 0);
    }
    fill(value, &["spec"], "revisionHistoryLimit", 10);
}
