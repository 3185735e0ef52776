//! What of an object is not as it is to be: every field that is wanted has to be there with its value. What the cluster
//! or somebody else has added beside it is no difference, but one more item of a list is.

use serde_json::{Map, Value};

use crate::vendors::kubernetes::amount;

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
        (Value::Array(wanted), Value::Array(found)) if named(wanted) && named(found) => {
            by_name(path, wanted, found, into)
        }
        (Value::Array(wanted), Value::Array(found)) if wanted.len() == found.len() => {
            for (place, (item, other)) in wanted.iter().zip(found).enumerate() {
                compare(&format!("{path}[{place}]"), item, other, into);
            }
        }
        (Value::Array(wanted), Value::Null) if wanted.is_empty() => {}
        (Value::Array(wanted), found) => {
            let count = found.as_array().map_or(0, Vec::len);
            into.push(format!("{path} has {count} items and not {}", wanted.len()));
        }
        (wanted, found) if wanted == found => {}
        (wanted, found) if path.contains(".resources.") && same_amount(wanted, found) => {}
        (wanted, Value::Null) if nothing(wanted) && dropped(path) => {}
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

/// Whether the items of a list are told apart by their names.
fn named(items: &[Value]) -> bool {
    !items.is_empty() && items.iter().all(|item| name(item).is_some())
}

fn name(item: &Value) -> Option<&str> {
    item.get("name").and_then(Value::as_str)
}

fn by_name(path: &str, wanted: &[Value], found: &[Value], into: &mut Vec<String>) {
    let of = |items: &'_ [Value], wanted: Option<&str>| items.iter().position(|item| name(item) == wanted);
    for item in wanted {
        let path = format!("{path}[{}]", name(item).unwrap_or_default());
        match of(found, name(item)).and_then(|place| found.get(place)) {
            Some(other) => compare(&path, item, other, into),
            None => into.push(format!("{path} is not there")),
        }
    }
    let more = found.iter().filter(|item| of(wanted, name(item)).is_none());
    into.extend(more.map(|item| format!("{path}[{}] is there and was not to be", name(item).unwrap_or_default())));
}

/// Whether a value is its type's zero.
fn nothing(value: &Value) -> bool {
    match value {
        Value::Bool(flag) => !flag,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        _ => false,
    }
}

/// Whether the API server drops a field that has its type's zero (`omitempty`). It keeps what is a pointer in the Go
/// types, where nothing means something else than zero, and what people name themselves.
fn dropped(path: &str) -> bool {
    const POINTERS: [&str; 21] = [
        "replicas",
        "revisionHistoryLimit",
        "progressDeadlineSeconds",
        "maxSurge",
        "maxUnavailable",
        "minAvailable",
        "minReplicas",
        "averageUtilization",
        "terminationGracePeriodSeconds",
        "enableServiceLinks",
        "automountServiceAccountToken",
        "shareProcessNamespace",
        "allowPrivilegeEscalation",
        "privileged",
        "readOnlyRootFilesystem",
        "runAsNonRoot",
        "runAsUser",
        "runAsGroup",
        "fsGroup",
        "defaultMode",
        "optional",
    ];
    const MAPS: [&str; 9] = [
        "data",
        "stringData",
        "binaryData",
        "labels",
        "annotations",
        "matchLabels",
        "selector",
        "nodeSelector",
        "hard",
    ];
    let words: Vec<&str> = path.split('.').map(|word| word.split('[').next().unwrap_or(word)).collect();
    let pointer = words.last().is_some_and(|last| POINTERS.contains(last));
    !pointer && !words.iter().any(|word| MAPS.contains(word))
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
        assert_eq!(
            differences(&wanted, &found)[1],
            "spec.containers[app].resources.limits.cpu is not set and was to be \"0.5\""
        );
        assert_eq!(differences(&wanted, &found)[2], "spec.containers[miner] is there and was not to be");
        found["metadata"] = json!({});
        assert_eq!(differences(&wanted, &found)[0], "metadata.name is not set and was to be \"api\"");
    }

    #[test]
    fn zero_and_nothing_are_one_where_the_server_drops_zero() {
        let probe = |probe: Value| json!({ "spec": { "containers": [{ "name": "app", "readinessProbe": probe }] } });
        let wanted = probe(json!({ "initialDelaySeconds": 0, "httpGet": { "path": "", "port": 80 } }));
        let found = probe(json!({ "httpGet": { "port": 80 }, "timeoutSeconds": 1 }));
        assert_eq!(differences(&wanted, &found), [] as [&str; 0]);
        let variable = |value: Value| json!({ "spec": { "containers": [{ "name": "app", "env": [value] }] } });
        let (empty, bare) = (variable(json!({ "name": "A", "value": "" })), variable(json!({ "name": "A" })));
        assert_eq!(differences(&empty, &bare), [] as [&str; 0]);
        for (wanted, path) in [
            (json!({ "spec": { "replicas": 0 } }), "spec.replicas"),
            (json!({ "spec": { "enableServiceLinks": false } }), "spec.enableServiceLinks"),
            (json!({ "data": { "A": "" } }), "data.A"),
            (json!({ "spec": { "minReadySeconds": 5 } }), "spec.minReadySeconds"),
        ] {
            let told = differences(&wanted, &json!({ "spec": {}, "data": {} }));
            assert!(told.len() == 1 && told[0].starts_with(&format!("{path} is not set")), "{told:?}");
        }
    }
}
