//! Which lists merge by key and which objects are one value, as the `x-kubernetes-*` marks of the schemas say.

use serde_json::{Map, Value, json};

/// How a list is owned and merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ListKind {
    /// The whole list is one value.
    Atomic,
    /// Items are values of a set.
    Set,
    /// Items are known by these fields.
    Map(&'static [&'static str]),
}

const ATOMIC_OBJECTS: &[&str] = &[
    "selector",
    "secretKeyRef",
    "configMapKeyRef",
    "fieldRef",
    "resourceFieldRef",
    "podSelector",
    "namespaceSelector",
    "labelSelector",
    "nodeSelector",
    "involvedObject",
    "claimRef",
    "targetRef",
    "dataSource",
    "secretRef",
    "nodeSelectorTerms",
    "matchLabels",
    "roleRef",
];

/// How the list under `field` is merged; `sample` is one of its items.
pub(crate) fn list_kind(field: &str, sample: Option<&Value>) -> ListKind {
    let has = |key: &str| sample.is_some_and(|item| item.get(key).is_some());
    match field {
        "containers"
        | "initContainers"
        | "ephemeralContainers"
        | "volumes"
        | "env"
        | "imagePullSecrets"
        | "secrets" => ListKind::Map(&["name"]),
        "ports" if has("containerPort") => ListKind::Map(&["containerPort", "protocol"]),
        // NetworkPolicy and EndpointSlice ports, which are atomic, never have these two together.
        "ports" if has("port") && (has("targetPort") || has("nodePort")) => ListKind::Map(&["port", "protocol"]),
        "volumeMounts" => ListKind::Map(&["mountPath"]),
        "volumeDevices" => ListKind::Map(&["devicePath"]),
        "hostAliases" | "podIPs" => ListKind::Map(&["ip"]),
        "topologySpreadConstraints" => ListKind::Map(&["topologyKey", "whenUnsatisfiable"]),
        "conditions" => ListKind::Map(&["type"]),
        "ownerReferences" => ListKind::Map(&["uid"]),
        // A Gateway's, which have a name; an HTTPRoute's lists are each one value.
        "listeners" => ListKind::Map(&["name"]),
        "finalizers" => ListKind::Set,
        _ => ListKind::Atomic,
    }
}

/// Whether the object under `field` is one value.
pub(super) fn atomic_object(field: &str) -> bool {
    ATOMIC_OBJECTS.contains(&field)
}

/// The path element of an item, with the schema's defaults for absent keys.
pub(super) fn item_key(item: &Value, keys: &[&str]) -> String {
    let mut found = Map::new();
    for key in keys {
        match item.get(*key) {
            Some(value) => found.insert((*key).to_owned(), value.clone()),
            None if *key == "protocol" => found.insert((*key).to_owned(), json!("TCP")),
            None => None,
        };
    }
    format!("k:{}", Value::Object(found))
}

/// Places that exist in an empty object of the Go types, so that filling them does not own the place itself.
const IMPLICIT: &[&str] = &[
    "",
    "metadata",
    "spec",
    "status",
    "spec.template",
    "spec.template.metadata",
    "spec.template.spec",
    "spec.template.spec.containers",
    "spec.containers",
    "spec.strategy",
    "spec.updateStrategy",
    "spec.selector",
    "spec.resources",
    "spec.jobTemplate",
    "spec.jobTemplate.metadata",
    "spec.jobTemplate.spec",
    "spec.jobTemplate.spec.template",
    "spec.jobTemplate.spec.template.metadata",
    "spec.jobTemplate.spec.template.spec",
    "spec.jobTemplate.spec.template.spec.containers",
    "spec.scaleTargetRef",
    "status.loadBalancer",
    "spec.limits",
    "involvedObject",
    "source",
    "spec.podSelector",
    "roleRef",
    "rules",
];

/// Whether the place exists in an empty object of the Go types.
pub(super) fn implicit(path: &str) -> bool {
    IMPLICIT.contains(&path)
}
