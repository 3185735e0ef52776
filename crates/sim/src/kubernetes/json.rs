//! Small helpers over `serde_json::Value`, so that controllers read like what they do.

use serde_json::{Map, Value, json};

/// A JSON object's map.
pub(crate) type Object = Map<String, Value>;

/// The value at a JSON pointer such as `/spec/replicas`; `Null` when absent.
pub(crate) fn at<'a>(value: &'a Value, pointer: &str) -> &'a Value {
    value.pointer(pointer).unwrap_or(&Value::Null)
}

/// The text at a pointer; empty when absent or no text.
pub(crate) fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    at(value, pointer).as_str().unwrap_or_default()
}

/// The whole number at a pointer.
pub(crate) fn int(value: &Value, pointer: &str) -> Option<i64> {
    at(value, pointer).as_i64()
}

/// The items of the list at a pointer; empty when absent.
pub(crate) fn list<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    at(value, pointer).as_array().map_or(&[], Vec::as_slice)
}

/// The map at a pointer, if there is one.
pub(crate) fn map<'a>(value: &'a Value, pointer: &str) -> Option<&'a Object> {
    at(value, pointer).as_object()
}

/// The list under `key`, mutable; empty when absent.
pub(crate) fn items_mut<'a>(value: &'a mut Value, key: &str) -> &'a mut [Value] {
    match value.get_mut(key) {
        Some(Value::Array(items)) => items.as_mut_slice(),
        _ => &mut [],
    }
}

/// The object under a path of keys, made where absent (or where something else stood).
pub(crate) fn object<'a>(value: &'a mut Value, path: &[&str]) -> &'a mut Object {
    let mut here = value;
    for key in path {
        here = as_object(here).entry((*key).to_owned()).or_insert_with(|| json!({}));
    }
    as_object(here)
}

fn as_object(value: &mut Value) -> &mut Object {
    if !value.is_object() {
        *value = json!({});
    }
    match value {
        Value::Object(map) => map,
        _ => unreachable!("was made an object just above"),
    }
}

/// Sets the value at a path of keys, making objects on the way.
pub(crate) fn set(value: &mut Value, path: &[&str], new: impl Into<Value>) {
    if let Some((last, parents)) = path.split_last() {
        object(value, parents).insert((*last).to_owned(), new.into());
    }
}

/// Sets `key` of an object when it is absent.
pub(crate) fn default(object: &mut Object, key: &str, new: impl Into<Value>) {
    if !object.contains_key(key) {
        object.insert(key.to_owned(), new.into());
    }
}

/// Removes the value at a path of keys.
pub(crate) fn remove(value: &mut Value, path: &[&str]) -> Option<Value> {
    let (last, parents) = path.split_last()?;
    let mut here = value;
    for key in parents {
        here = here.get_mut(*key)?;
    }
    here.as_object_mut()?.shift_remove(*last)
}

/// Whether `labels` holds every pair of `wanted`; an empty or absent `wanted` matches nothing.
pub(crate) fn matches(wanted: Option<&Object>, labels: Option<&Object>) -> bool {
    match wanted {
        Some(wanted) if !wanted.is_empty() => {
            wanted.iter().all(|(key, value)| labels.and_then(|labels| labels.get(key)) == Some(value))
        }
        _ => false,
    }
}
