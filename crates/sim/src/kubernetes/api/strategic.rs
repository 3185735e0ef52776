//! Strategic merge patch: keyed lists merge by key, with the `$patch`, `$retainKeys`, `$setElementOrder/` and
//! `$deleteFromPrimitiveList/` directives (apimachinery `strategicpatch`).

use serde_json::{Map, Value};

use crate::kubernetes::fields::{ListKind, list_kind};
use crate::kubernetes::status::{ApiError, ApiResult};

/// `live` with `patch` merged in.
pub(super) fn merge(live: &Value, patch: &Value) -> ApiResult<Value> {
    objects(live.as_object(), patch.as_object().unwrap_or(&Map::new())).map(Value::Object)
}

/// The key by which items of a list are known; strategic merge knows one key a list.
fn merge_key(field: &str, sample: Option<&Value>) -> Option<&'static str> {
    match field {
        "tolerations" | "finalizers" => None,
        _ => match list_kind(field, sample) {
            ListKind::Map(keys) => keys.first().copied(),
            _ => None,
        },
    }
}

fn objects(live: Option<&Map<String, Value>>, patch: &Map<String, Value>) -> ApiResult<Map<String, Value>> {
    let mut merged = live.cloned().unwrap_or_default();
    match patch.get("$patch").and_then(Value::as_str) {
        Some("replace") => {
            return Ok(patch.iter().filter(|(key, _)| *key != "$patch").map(|(k, v)| (k.clone(), v.clone())).collect());
        }
        Some("delete") => return Ok(Map::new()),
        Some("merge") | None => {}
        Some(other) => {
            return Err(ApiError::unknown(format!("unknown patch type: {other} in map: {}", go_map(patch))));
        }
    }
    if let Some(retained) = patch.get("$retainKeys").and_then(Value::as_array) {
        merged.retain(|key, _| retained.iter().any(|kept| kept == key));
    }
    for (key, value) in patch {
        if let Some(field) = key.strip_prefix("$deleteFromPrimitiveList/") {
            if let (Some(Value::Array(items)), Some(gone)) = (merged.get_mut(field), value.as_array()) {
                items.retain(|item| !gone.contains(item));
            }
            continue;
        }
        if key.starts_with('$') {
            continue;
        }
        let new = match (merged.get(key), value) {
            (_, Value::Null) => {
                merged.shift_remove(key);
                continue;
            }
            (old, Value::Object(inner)) => Value::Object(objects(old.and_then(Value::as_object), inner)?),
            (Some(Value::Array(old)), Value::Array(items)) => lists(key, old, items)?,
            (None, Value::Array(items)) => lists(key, &[], items)?,
            _ => value.clone(),
        };
        merged.insert(key.clone(), new);
    }
    for (key, order) in patch.iter().filter_map(|(key, value)| Some((key.strip_prefix("$setElementOrder/")?, value))) {
        if let (Some(Value::Array(items)), Some(order)) = (merged.get_mut(key), order.as_array()) {
            reorder(key, items, order);
        }
    }
    Ok(merged)
}

fn lists(field: &str, live: &[Value], patch: &[Value]) -> ApiResult<Value> {
    let Some(key) = merge_key(field, patch.first().or(live.first())) else {
        if field == "finalizers" {
            let mut merged = live.to_vec();
            merged.extend(patch.iter().filter(|item| !live.contains(item)).cloned());
            return Ok(Value::Array(merged));
        }
        return Ok(Value::Array(patch.to_vec()));
    };
    let mut merged = live.to_vec();
    if patch.iter().any(|item| item.get("$patch").and_then(Value::as_str) == Some("replace") && item.get(key).is_none())
    {
        merged.clear();
    }
    for item in patch {
        let Some(map) = item.as_object() else { continue };
        let directive = map.get("$patch").and_then(Value::as_str);
        let Some(id) = map.get(key) else {
            if directive == Some("replace") {
                continue;
            }
            let shown = go_map(map);
            return Err(ApiError::unknown(format!("map: {shown} does not contain declared merge key: {key}")));
        };
        let found = merged.iter().position(|known| known.get(key) == Some(id));
        match (directive, found) {
            (Some("delete"), Some(index)) => {
                merged.remove(index);
            }
            (Some("delete"), None) => {}
            (_, Some(index)) => {
                if let Some(old) = merged.get_mut(index) {
                    *old = Value::Object(objects(old.as_object(), map)?);
                }
            }
            (_, None) => merged.push(Value::Object(objects(None, map)?)),
        }
    }
    Ok(Value::Array(merged))
}

/// A map as Go's `%v` prints it.
fn go_map(map: &Map<String, Value>) -> String {
    let mut pairs: Vec<String> = map
        .iter()
        .map(|(key, value)| format!("{key}:{}", value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
        .collect();
    pairs.sort();
    format!("map[{}]", pairs.join(" "))
}

fn reorder(field: &str, items: &mut [Value], order: &[Value]) {
    let key = merge_key(field, items.first());
    let place = |item: &Value| {
        order.iter().position(|wanted| match key {
            Some(key) => wanted.get(key) == item.get(key),
            None => wanted == item,
        })
    };
    items.sort_by_key(|item| place(item).unwrap_or(usize::MAX));
}
