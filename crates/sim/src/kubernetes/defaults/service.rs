//! Defaults of Services, NetworkPolicies and EndpointSlices.

use serde_json::{Value, json};

use super::{fill, is};
use crate::kubernetes::json::{default, items_mut, list, object, text};

/// A Service; its addresses are allocated later.
pub(super) fn service(value: &mut Value) {
    fill(value, &["spec"], "sessionAffinity", "None");
    if is(value, "/spec/sessionAffinity", "ClientIP") {
        fill(value, &["spec", "sessionAffinityConfig", "clientIP"], "timeoutSeconds", 10_800);
    }
    fill(value, &["spec"], "type", "ClusterIP");
    let external = matches!(text(value, "/spec/type"), "NodePort" | "LoadBalancer");
    if let Some(spec) = value.get_mut("spec") {
        for port in items_mut(spec, "ports") {
            let map = object(port, &[]);
            default(map, "protocol", "TCP");
            let number = map.get("port").cloned().unwrap_or_default();
            default(map, "targetPort", number);
        }
    }
    if external {
        fill(value, &["spec"], "externalTrafficPolicy", "Cluster");
    }
    if is(value, "/spec/type", "LoadBalancer") {
        fill(value, &["spec"], "allocateLoadBalancerNodePorts", true);
    }
    if !is(value, "/spec/type", "ExternalName") {
        fill(value, &["spec"], "internalTrafficPolicy", "Cluster");
    }
}

/// A NetworkPolicy.
pub(super) fn network_policy(value: &mut Value) {
    let egress = !list(value, "/spec/egress").is_empty();
    let types = if egress { json!(["Ingress", "Egress"]) } else { json!(["Ingress"]) };
    fill(value, &["spec"], "policyTypes", types);
    fill(value, &["spec"], "podSelector", json!({}));
    let Some(spec) = value.get_mut("spec") else { return };
    for direction in ["ingress", "egress"] {
        for rule in items_mut(spec, direction) {
            for port in items_mut(rule, "ports") {
                default(object(port, &[]), "protocol", "TCP");
            }
        }
    }
}

/// An EndpointSlice.
pub(super) fn endpoint_slice(value: &mut Value) {
    for port in items_mut(value, "ports") {
        let map = object(port, &[]);
        default(map, "name", "");
        default(map, "protocol", "TCP");
    }
}
