//! What another hand has added to an object that we apply. Server-side apply owns the fields that it names and no
//! others: a container, a variable or a flag that somebody added stays beside them for ever. The object says itself who
//! has written what (`metadata.managedFields`, the FieldsV1 of structured-merge-diff), so that a default of the server,
//! which nobody has written, is not taken for somebody's.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use kube::Resource;
use serde::Serialize;
use serde_json::{Map, Value};

use super::FIELD_MANAGER;

/// What the cluster itself writes where it sees to objects: which volume, which node.
const CLUSTER: [&str; 3] = ["kube-controller-manager", "kube-scheduler", "kube-apiserver"];
/// What others may add: a restart by `kubectl` is a note on the template, and a size may be an autoscaler's.
const LEFT: [&str; 3] = ["spec.template.metadata", "spec.replicas", "spec.selector"];

/// A field that somebody else has added.
#[derive(Debug, Clone, PartialEq)]
pub struct Stranger {
    /// Its place, in words: `spec.template.spec.containers[miner]`.
    pub path: String,
    /// Who added it, as that writer calls itself.
    pub manager: String,
    place: Vec<Place>,
}

impl std::fmt::Display for Stranger {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(to, "{} was added by {}", self.path, self.manager)
    }
}

/// One step on the way to a field.
#[derive(Debug, Clone, PartialEq)]
enum Place {
    /// A member.
    Field(String),
    /// The item of a list that has these members.
    Item(Map<String, Value>),
    /// The item of a list that has this value.
    Value(Value),
}

/// What others have added to the content of an object, beside what is wanted of it.
pub fn strangers<K: Resource<DynamicType = ()> + Serialize>(wanted: &K, found: &K) -> Vec<Stranger> {
    let entries = found.meta().managed_fields.iter().flatten();
    let others: Vec<&ManagedFieldsEntry> = entries.filter(|entry| foreign(entry)).collect();
    if others.is_empty() {
        return Vec::new();
    }
    let (Ok(wanted), Ok(found)) = (serde_json::to_value(wanted), serde_json::to_value(found)) else {
        return Vec::new();
    };
    let mut all: Vec<Stranger> = Vec::new();
    for entry in others {
        let Some(fields) = entry.fields_v1.as_ref().and_then(|fields| fields.0.as_object()) else { continue };
        for root in ["spec", "data", "binaryData", "stringData"] {
            let Some(below) = fields.get(&format!("f:{root}")) else { continue };
            let look = Look { manager: entry.manager.as_deref().unwrap_or("somebody"), found: &found };
            look.below(below, wanted.get(root), vec![Place::Field(root.to_owned())], &mut all);
        }
    }
    all
}

/// Whether an entry is neither ours nor the cluster's own.
pub(super) fn foreign(entry: &ManagedFieldsEntry) -> bool {
    let manager = entry.manager.as_deref().unwrap_or_default();
    // A subresource is the status, or the size.
    entry.subresource.as_deref().is_none_or(str::is_empty) && manager != FIELD_MANAGER && !CLUSTER.contains(&manager)
}

struct Look<'a> {
    manager: &'a str,
    found: &'a Value,
}

impl Look<'_> {
    fn below(&self, fields: &Value, wanted: Option<&Value>, at: Vec<Place>, into: &mut Vec<Stranger>) {
        let path = words(&at);
        if LEFT.contains(&path.as_str()) || get(self.found, &at).is_none() {
            return;
        }
        // All of what is not wanted at all is one thing, however much of it there is.
        let Some(wanted) = wanted else {
            if !into.iter().any(|known| known.place == at) {
                into.push(Stranger { path, manager: self.manager.to_owned(), place: at });
            }
            return;
        };
        for (key, below) in fields.as_object().into_iter().flatten() {
            let Some(step) = step(key) else { continue };
            let next = child(wanted, &step);
            let mut at = at.clone();
            at.push(step);
            self.below(below, next, at, into);
        }
    }
}

/// What a key of FieldsV1 names; the thing itself (`.`) and a place in a list (`i:`) name nothing below.
fn step(key: &str) -> Option<Place> {
    match key.split_once(':')? {
        ("f", name) => Some(Place::Field(name.to_owned())),
        ("k", members) => Some(Place::Item(serde_json::from_str(members).ok()?)),
        ("v", value) => Some(Place::Value(serde_json::from_str(value).ok()?)),
        _ => None,
    }
}

fn child<'a>(value: &'a Value, step: &Place) -> Option<&'a Value> {
    match step {
        Place::Field(name) => value.get(name),
        Place::Item(_) | Place::Value(_) => value.as_array()?.iter().find(|item| is(item, step)),
    }
}

fn is(item: &Value, step: &Place) -> bool {
    // A key that the server fills in, such as a port's protocol, is not in what was written.
    match step {
        Place::Field(_) => false,
        Place::Item(members) => {
            let named = members.keys().any(|key| item.get(key).is_some());
            named && members.iter().all(|(key, value)| item.get(key).is_none_or(|own| own == value))
        }
        Place::Value(value) => item == value,
    }
}

fn get<'a>(value: &'a Value, at: &[Place]) -> Option<&'a Value> {
    at.iter().try_fold(value, child)
}

fn words(at: &[Place]) -> String {
    let mut words = String::new();
    for step in at {
        match step {
            Place::Field(name) if words.is_empty() => words.push_str(name),
            Place::Field(name) => words.push_str(&format!(".{name}")),
            Place::Item(members) => {
                let name = members.get("name").or_else(|| members.values().next());
                let name = name.map(|name| name.as_str().map_or_else(|| name.to_string(), str::to_owned));
                words.push_str(&format!("[{}]", name.unwrap_or_default()));
            }
            Place::Value(value) => words.push_str(&format!("[{value}]")),
        }
    }
    words
}

/// Takes them out of an object.
pub(super) fn without(object: &mut Value, strangers: &[Stranger]) {
    for stranger in strangers {
        let Some((last, way)) = stranger.place.split_last() else { continue };
        let Some(at) = way.iter().try_fold(&mut *object, descend) else { continue };
        match (last, at) {
            (Place::Field(name), Value::Object(members)) => drop(members.remove(name)),
            (item, Value::Array(items)) => items.retain(|it| !is(it, item)),
            _ => {}
        }
    }
}

fn descend<'a>(at: &'a mut Value, step: &Place) -> Option<&'a mut Value> {
    match step {
        Place::Field(name) => at.get_mut(name),
        item => at.as_array_mut()?.iter_mut().find(|it| is(it, item)),
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::apps::v1::Deployment;
    use serde_json::json;

    use super::*;

    fn deployment(spec: Value, fields: Value, subresource: &str) -> Deployment {
        let object = json!({ "metadata": { "name": "api", "managedFields": [
                { "manager": FIELD_MANAGER, "operation": "Apply", "fieldsV1": { "f:spec": { "f:paused": {} } } },
                { "manager": "kubectl-edit", "operation": "Update", "subresource": subresource, "fieldsV1": fields } ] },
            "spec": { "selector": {}, "template": { "spec": spec } } });
        serde_json::from_value(object).expect("deployment")
    }

    #[test]
    fn what_another_hand_has_added_is_found_and_taken_out() {
        let wanted = json!({ "containers": [{ "name": "app", "image": "x", "ports": [{ "containerPort": 80 }],
            "env": [{ "name": "A", "value": "1" }] }] });
        let found = json!({ "hostNetwork": true, "dnsPolicy": "ClusterFirst", "containers": [
            { "name": "app", "image": "x", "ports": [{ "containerPort": 80, "protocol": "TCP" }],
              "env": [{ "name": "A", "value": "1" }, { "name": "EVIL", "value": "2" }] },
            { "name": "miner", "image": "m" }] });
        let fields = json!({ "f:spec": { "f:template": { "f:metadata": { "f:annotations": { "f:restartedAt": {} } },
            "f:spec": { "f:hostNetwork": {}, "f:containers": {
                "k:{\"name\":\"app\"}": { ".": {}, "f:image": {},
                    "f:ports": { "k:{\"containerPort\":80,\"protocol\":\"TCP\"}": { ".": {}, "f:protocol": {} } },
                    "f:env": { "k:{\"name\":\"EVIL\"}": { ".": {}, "f:name": {}, "f:value": {} } } },
                "k:{\"name\":\"miner\"}": { ".": {}, "f:image": {}, "f:name": {} } } } } } });
        let (wanted, found) = (deployment(wanted, json!({}), ""), deployment(found, fields.clone(), ""));
        let added = strangers(&wanted, &found);
        let mut paths: Vec<&str> = added.iter().map(|it| it.path.as_str()).collect();
        paths.sort_unstable();
        let spec = "spec.template.spec";
        assert_eq!(
            paths,
            [
                format!("{spec}.containers[app].env[EVIL]"),
                // It is written by that hand, and is what the server would have made of it.
                format!("{spec}.containers[app].ports[80].protocol"),
                format!("{spec}.containers[miner]"),
                format!("{spec}.hostNetwork")
            ]
        );
        let mut object = serde_json::to_value(&found).expect("JSON");
        without(&mut object, &added);
        let pod = &object["spec"]["template"]["spec"];
        assert_eq!(pod["containers"].as_array().map(Vec::len), Some(1));
        assert_eq!(pod["containers"][0]["env"], json!([{ "name": "A", "value": "1" }]));
        assert_eq!(pod.get("hostNetwork"), None);
        assert_eq!(pod["dnsPolicy"], "ClusterFirst");
        let scaled = deployment(json!({ "containers": [], "hostPID": true }), fields, "scale");
        assert_eq!(strangers(&wanted, &scaled), []);
    }
}
