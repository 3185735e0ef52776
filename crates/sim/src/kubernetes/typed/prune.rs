//! Brings a client's JSON into the form that a round trip through the Go types gives it: no nulls, no unknown
//! fields, no empty values where `omitempty` leaves them out, quantities in canonical form.

use serde_json::Value;

use super::canonical;

/// Maps of names to quantities, by their field name.
const QUANTITIES: &[&str] =
    &["limits", "requests", "hard", "used", "capacity", "allocatable", "max", "min", "default", "defaultRequest"];
/// Text or flags that `omitempty` drops when they have the zero value.
const OMITTED: &[&str] = &[
    "value",
    "readOnly",
    "hostNetwork",
    "hostPID",
    "hostIPC",
    "stdin",
    "stdinOnce",
    "tty",
    "paused",
    "publishNotReadyAddresses",
    "subPath",
    "hostname",
    "subdomain",
    "nodeName",
    "generateName",
    "namespace",
    "serviceAccountName",
    "workingDir",
    "clusterIP",
    "externalName",
    "loadBalancerIP",
    "path",
    "host",
];

/// Normalises an object in place; `unknown` are the paths that the types do not know.
pub(crate) fn normalise(value: &mut Value, unknown: &[String]) {
    clean(value, "", unknown, "", false);
}

fn clean(value: &mut Value, path: &str, unknown: &[String], field: &str, free: bool) {
    match value {
        Value::Object(map) => {
            let quantities = QUANTITIES.contains(&field);
            // Keys of such maps are the user's own: an empty value there is a value.
            let free = free || is_free(field);
            let keys: Vec<String> = map.keys().cloned().collect();
            for key in keys {
                let place = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                let Some(inner) = map.get_mut(&key) else { continue };
                if inner.is_null() || unknown.contains(&place) {
                    map.shift_remove(&key);
                    continue;
                }
                if quantities && !inner.is_object() {
                    let text = inner.as_str().map_or_else(|| inner.to_string(), str::to_owned);
                    *inner = Value::String(canonical(&text));
                    continue;
                }
                clean(inner, &place, unknown, &key, free);
                if !free && omitted(&key, inner) {
                    map.shift_remove(&key);
                }
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                clean(item, &format!("{path}[{index}]"), unknown, "", free);
            }
        }
        Value::String(text) if matches!(field, "sizeLimit" | "divisor" | "averageValue") => *text = canonical(text),
        _ => {}
    }
}

fn is_free(field: &str) -> bool {
    matches!(
        field,
        "labels"
            | "annotations"
            | "matchLabels"
            | "data"
            | "stringData"
            | "binaryData"
            | "nodeSelector"
            | "parameters"
            | "fieldsV1"
    )
}

/// Numbers that are no pointers in the Go types: zero is the same as nothing, and what has a default gets it then.
const NUMBERS: &[&str] = &[
    "initialDelaySeconds",
    "timeoutSeconds",
    "periodSeconds",
    "successThreshold",
    "failureThreshold",
    "minReadySeconds",
    "hostPort",
    "nodePort",
];

fn omitted(key: &str, value: &Value) -> bool {
    match value {
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty() && (is_free(key) || QUANTITIES.contains(&key)) && key != "fieldsV1",
        Value::String(text) => text.is_empty() && OMITTED.contains(&key),
        Value::Number(number) => number.as_i64() == Some(0) && NUMBERS.contains(&key),
        Value::Bool(flag) => !flag && OMITTED.contains(&key),
        _ => false,
    }
}
