//! Order of the keys of an object, as the Go types print them.

use serde_json::{Map, Value};

const TOP: &[&str] = &["kind", "apiVersion", "metadata", "spec", "status"];
const METADATA: &[&str] = &[
    "name",
    "generateName",
    "namespace",
    "selfLink",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "labels",
    "annotations",
    "ownerReferences",
    "finalizers",
    "managedFields",
];

/// Brings the top level and the metadata of an object into the order in which the real server prints them, and
/// sorts the keys of labels and annotations.
pub(crate) fn order(object: &mut Value) {
    let Some(map) = object.as_object_mut() else { return };
    if let Some(Value::Object(metadata)) = map.get_mut("metadata") {
        for name in ["labels", "annotations"] {
            if let Some(Value::Object(pairs)) = metadata.get_mut(name) {
                pairs.sort_keys();
                if pairs.is_empty() {
                    metadata.shift_remove(name);
                }
            }
        }
        rearrange(metadata, METADATA);
    }
    rearrange(map, TOP);
    // `spec` and `status` come after what kinds without them carry, except where they stand alone.
    for name in ["data", "stringData"] {
        if let Some(Value::Object(pairs)) = map.get_mut(name) {
            pairs.sort_keys();
        }
    }
}

fn rearrange(map: &mut Map<String, Value>, first: &[&str]) {
    let mut old = std::mem::take(map);
    for key in first {
        if let Some(value) = old.shift_remove(*key) {
            map.insert((*key).to_owned(), value);
        }
    }
    map.extend(old);
}
