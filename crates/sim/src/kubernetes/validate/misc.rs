//! Validation of autoscalers, events, role bindings and statuses.

use serde_json::{Value, json};

use crate::kubernetes::json::{at, int, text};
use crate::kubernetes::kinds::{self, KindId};
use crate::kubernetes::status::Cause;

/// The faults of a HorizontalPodAutoscaler.
pub(super) fn autoscaler(value: &Value, causes: &mut Vec<Cause>) {
    let (min, max) = (int(value, "/spec/minReplicas").unwrap_or(1), int(value, "/spec/maxReplicas").unwrap_or(0));
    if max < 1 {
        causes.push(Cause::invalid("spec.maxReplicas", &json!(max), "must be greater than 0"));
    }
    if max < min {
        let detail = "must be greater than or equal to `minReplicas`";
        causes.push(Cause::invalid("spec.maxReplicas", &json!(max), detail));
    }
    for name in ["kind", "name"] {
        if text(value, &format!("/spec/scaleTargetRef/{name}")).is_empty() {
            causes.push(Cause::required(format!("spec.scaleTargetRef.{name}"), ""));
        }
    }
    if text(value, "/spec/scaleTargetRef/apiVersion").is_empty() {
        let detail = "apiVersion must specify API group";
        causes.push(Cause::invalid("spec.scaleTargetRef.apiVersion", &json!(""), detail));
    }
}

/// The faults of an Event.
pub(super) fn event(value: &Value, causes: &mut Vec<Cause>) {
    let (own, about) = (text(value, "/metadata/namespace"), text(value, "/involvedObject/namespace"));
    let fits = if about.is_empty() { own == "default" || own == "kube-system" } else { own == about };
    if !fits {
        let detail = "does not match event.namespace";
        causes.push(Cause::invalid("involvedObject.namespace", &json!(about), detail));
    }
}

/// The role of a binding is fixed.
pub(super) fn binding_kept(live: &Value, value: &Value, causes: &mut Vec<Cause>) {
    if at(live, "/roleRef") != at(value, "/roleRef") {
        causes.push(Cause::invalid("roleRef", at(value, "/roleRef"), "cannot change roleRef"));
    }
}

/// The faults of a status that a client writes.
pub(super) fn status(kind: KindId, value: &Value, causes: &mut Vec<Cause>) {
    if kind == kinds::NAMESPACES
        && text(value, "/status/phase") == "Terminating"
        && at(value, "/metadata/deletionTimestamp").is_null()
    {
        let detail = "may only be 'Active' if `deletionTimestamp` is empty";
        causes.push(Cause::invalid("status.Phase", at(value, "/status/phase"), detail));
    }
    if !matches!(kind, kinds::DEPLOYMENTS | kinds::REPLICASETS | kinds::STATEFULSETS) {
        return;
    }
    let names = ["observedGeneration", "replicas", "updatedReplicas", "readyReplicas", "availableReplicas"];
    for name in names {
        if let Some(count) = int(value, &format!("/status/{name}")).filter(|count| *count < 0) {
            let detail = "must be greater than or equal to 0";
            causes.push(Cause::invalid(format!("status.{name}"), &json!(count), detail));
        }
    }
    let count = |name: &str| int(value, &format!("/status/{name}")).unwrap_or(0);
    for (name, limit) in
        [("updatedReplicas", "replicas"), ("readyReplicas", "replicas"), ("availableReplicas", "replicas")]
    {
        if count(name) > count(limit) {
            let detail = format!("cannot be greater than status.{limit}");
            causes.push(Cause::invalid(format!("status.{name}"), &json!(count(name)), detail));
        }
    }
    if count("availableReplicas") > count("readyReplicas") {
        let detail = "cannot be greater than readyReplicas";
        causes.push(Cause::invalid("status.availableReplicas", &json!(count("availableReplicas")), detail));
    }
}
