//! What of an object is not as it is to be: every field that is wanted has to be there with its value. What the cluster
//! or somebody else has added beside it is no difference, but one more item of a list is.

use serde_json::{Map, Value};

use crate::app::runtime::amount;

/// Differences that are told of one object; more say nothing more.
const MOST: usize = 4;

/// The differences, each in words: `spec.replicas is 5 and not 2`.
pub(super) fn differences(wanted: &Value, found: &Value) -> Vec<String> {
    let mut differences = Vec::new();
    compare("", wanted, found, &mut differences);
    differences.truncate(MOST);
    differences
}

fn compare(path: &str, wanted: &Value, found: &Value, into: &mut Vec<String>) {
    match (wanted, found) {
        (Value::Object(wanted), found) => members(path, wanted, found, into),
        (Value::Array(wanted), Value::Array(found)) if wanted.len() == found.len() => {
            for (place, item) in wanted.iter().enumerate() {
                let (name, other) = counterpart(place, item, found);
                compare(&format!("{path}[{name}]"), item, other, into);
            }
        }
        (Value::Array(wanted), Value::Null) if wanted.is_empty() => {}
        (Value::Array(wanted), found) => {
            let count = found.as_array().map_or(0, Vec::len);
            into.push(format!("{path} has {count} items and not {}", wanted.len()));
        }
        (wanted, found) if wanted == found => {}
        (wanted, found) if path.contains(".resources.") && same_amount(wanted, found) => {}
        (wanted, Value::Null) => into.push(format!("{path} is not set and was to be {}", shown(wanted))),
        (wanted, found) => into.push(format!("{path} is {} and not {}", shown(found), shown(wanted))),
    }
}

fn members(path: &str, wanted: &Map<String, Value>, found: &Value, into: &mut Vec<String>) {
    for (key, value) in wanted {
        // The server drops what is empty.
        let empty = match value {
            Value::Null => true,
            Value::Object(members) => members.is_empty(),
            _ => false,
        };
        if !empty {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            compare(&path, value, found.get(key).unwrap_or(&Value::Null), into);
        }
    }
}

/// The item of a list that stands for another: the one of the same name, else the one in the same place.
fn counterpart<'a>(place: usize, item: &Value, found: &'a [Value]) -> (String, &'a Value) {
    match item.get("name").and_then(Value::as_str) {
        Some(name) => {
            let same = found.iter().find(|other| other.get("name").and_then(Value::as_str) == Some(name));
            (name.to_owned(), same.unwrap_or(&Value::Null))
        }
        None => (place.to_string(), found.get(place).unwrap_or(&Value::Null)),
    }
}

/// The server writes amounts in its own way: `0.5` as `500m`.
fn same_amount(wanted: &Value, found: &Value) -> bool {
    let read = |value: &Value| value.as_str().and_then(amount);
    matches!((read(wanted), read(found)), (Some(one), Some(other)) if (one - other).abs() < 1e-9 * one.abs().max(1.0))
}

fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(80) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or(&text)),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_wanted_has_to_be_there_and_what_is_added_beside_it_may() {
        let wanted = json!({ "metadata": { "name": "api", "annotations": {} }, "spec": { "replicas": 2, "env": [],
            "containers": [{ "name": "app", "image": "nginx:1", "resources": { "limits": { "cpu": "0.5" } } }] } });
        let mut found = json!({ "metadata": { "name": "api", "uid": "x" }, "spec": { "replicas": 2, "paused": false,
            "containers": [{ "name": "app", "image": "nginx:1", "policy": "Always",
                "resources": { "limits": { "cpu": "500m" } } }] }, "status": {} });
        assert!(differences(&wanted, &found).is_empty(), "{:?}", differences(&wanted, &found));
        found["spec"]["replicas"] = json!(5);
        found["spec"]["containers"][0]["image"] = json!("evil:1");
        assert_eq!(
            differences(&wanted, &found),
            ["spec.replicas is 5 and not 2", "spec.containers[app].image is \"evil:1\" and not \"nginx:1\""]
        );
        found["spec"]["containers"] = json!([{ "name": "app", "image": "nginx:1" }, { "name": "miner" }]);
        assert_eq!(differences(&wanted, &found)[1], "spec.containers has 2 items and not 1");
        found["metadata"] = json!({});
        assert_eq!(differences(&wanted, &found)[0], "metadata.name is not set and was to be \"api\"");
    }
}
