//! Defaults of Gateways and HTTPRoutes, as their custom resource definitions have them.

use serde_json::{Value, json};

use super::fill;
use crate::kubernetes::gateway::GROUP;
use crate::kubernetes::json::{default, items_mut, object};

/// A Gateway: listeners take routes of their own namespace alone.
pub(super) fn gateway(value: &mut Value) {
    let Some(spec) = value.get_mut("spec") else { return };
    for listener in items_mut(spec, "listeners") {
        fill(listener, &["allowedRoutes", "namespaces"], "from", "Same");
    }
}

/// An HTTPRoute: Gateways and Services by default, all paths, and weight 1.
pub(super) fn route(value: &mut Value) {
    let everything = || json!([{"path": {"type": "PathPrefix", "value": "/"}}]);
    fill(value, &["spec"], "rules", json!([{"matches": everything()}]));
    let Some(spec) = value.get_mut("spec") else { return };
    for parent in items_mut(spec, "parentRefs") {
        let parent = object(parent, &[]);
        default(parent, "group", GROUP);
        default(parent, "kind", "Gateway");
    }
    for rule in items_mut(spec, "rules") {
        default(object(rule, &[]), "matches", everything());
        for found in items_mut(rule, "matches") {
            fill(found, &["path"], "type", "PathPrefix");
            fill(found, &["path"], "value", "/");
        }
        for backend in items_mut(rule, "backendRefs") {
            let backend = object(backend, &[]);
            default(backend, "group", "");
            default(backend, "kind", "Service");
            default(backend, "weight", 1);
        }
    }
}
