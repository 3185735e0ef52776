//! Defaults of namespaces, secrets, volumes, limits, autoscalers and bindings.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::fill;
use crate::kubernetes::json::{at, default, items_mut, object, text};

/// A Namespace: the label of its own name and the finalizer of its content.
pub(super) fn namespace(value: &mut Value) {
    let name = text(value, "/metadata/name").to_owned();
    if !name.is_empty() {
        object(value, &["metadata", "labels"]).insert("kubernetes.io/metadata.name".to_owned(), json!(name));
    }
}

/// A Secret: its type, and `stringData` moved into `data`.
pub(super) fn secret(value: &mut Value) {
    fill(value, &[], "type", "Opaque");
    let Some(plain) = value.as_object_mut().and_then(|map| map.shift_remove("stringData")) else { return };
    let data = object(value, &["data"]);
    for (key, text) in plain.as_object().into_iter().flatten() {
        data.insert(key.clone(), json!(STANDARD.encode(text.as_str().unwrap_or_default())));
    }
}

/// A PersistentVolumeClaim.
pub(super) fn claim(value: &mut Value) {
    fill(value, &["spec"], "volumeMode", "Filesystem");
}

/// A PersistentVolume.
pub(super) fn volume(value: &mut Value) {
    fill(value, &["spec"], "volumeMode", "Filesystem");
    fill(value, &["spec"], "persistentVolumeReclaimPolicy", "Retain");
    if let Some(Value::Object(host)) = value.pointer_mut("/spec/hostPath") {
        default(host, "type", "");
    }
}

/// A LimitRange: containers take their default limits from the maximum, and their requests from the limits.
pub(super) fn limit_range(value: &mut Value) {
    let Some(spec) = value.get_mut("spec") else { return };
    for item in items_mut(spec, "limits") {
        if text(item, "/type") != "Container" {
            continue;
        }
        for (from, to) in [("max", "default"), ("default", "defaultRequest"), ("min", "defaultRequest")] {
            let Some(source) = item.get(from).and_then(Value::as_object).cloned() else { continue };
            let target = object(item, &[to]);
            for (name, amount) in source {
                default(target, &name, amount);
            }
        }
    }
}

/// A HorizontalPodAutoscaler.
pub(super) fn autoscaler(value: &mut Value) {
    fill(value, &["spec"], "minReplicas", 1);
    if at(value, "/spec/metrics").is_null() {
        let cpu = json!([{
            "type": "Resource",
            "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}},
        }]);
        fill(value, &["spec"], "metrics", cpu);
    }
}

/// A StorageClass.
pub(super) fn storage_class(value: &mut Value) {
    fill(value, &[], "reclaimPolicy", "Delete");
    fill(value, &[], "volumeBindingMode", "Immediate");
}

/// A RoleBinding or ClusterRoleBinding.
pub(super) fn binding(value: &mut Value) {
    fill(value, &["roleRef"], "apiGroup", "rbac.authorization.k8s.io");
    for subject in items_mut(value, "subjects") {
        if matches!(text(subject, "/kind"), "User" | "Group") {
            default(object(subject, &[]), "apiGroup", "rbac.authorization.k8s.io");
        }
    }
}
