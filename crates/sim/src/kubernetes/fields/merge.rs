//! Merging a configuration into an object, and removing fields from one.

use serde_json::Value;

use super::schema::{ListKind, atomic_object, item_key, list_kind};
use super::set::Set;

/// `config` laid over `live`: objects and keyed lists merge, all else is replaced.
pub(crate) fn merge(live: &Value, config: &Value, field: &str) -> Value {
    match (live, config) {
        (Value::Object(ours), Value::Object(theirs)) if !atomic_object(field) => {
            let mut merged = ours.clone();
            for (key, value) in theirs {
                let new = match ours.get(key) {
                    Some(old) => merge(old, value, key),
                    None => value.clone(),
                };
                merged.insert(key.clone(), new);
            }
            Value::Object(merged)
        }
        (Value::Array(ours), Value::Array(theirs)) => match list_kind(field, theirs.first().or(ours.first())) {
            ListKind::Atomic => config.clone(),
            ListKind::Set => {
                let mut merged = ours.clone();
                merged.extend(theirs.iter().filter(|item| !ours.contains(item)).cloned());
                Value::Array(merged)
            }
            ListKind::Map(keys) => merge_items(ours, theirs, keys),
        },
        _ => config.clone(),
    }
}

fn merge_items(ours: &[Value], theirs: &[Value], keys: &[&str]) -> Value {
    let mut merged = ours.to_vec();
    for item in theirs {
        let key = item_key(item, keys);
        match merged.iter_mut().find(|known| item_key(known, keys) == key) {
            Some(known) => *known = merge(known, item, ""),
            None => merged.push(item.clone()),
        }
    }
    Value::Array(merged)
}

/// Removes from `value` every place that `gone` owns.
pub(super) fn remove(value: &mut Value, gone: &Set, field: &str) {
    match value {
        Value::Object(map) => {
            for (element, below) in &gone.children {
                let Some(key) = element.strip_prefix("f:") else { continue };
                if below.owned && below.children.is_empty() {
                    map.shift_remove(key);
                } else if let Some(inner) = map.get_mut(key) {
                    remove(inner, below, key);
                    // An object or a list that has lost its last member is null, as is one that was never there.
                    if inner.as_object().is_some_and(serde_json::Map::is_empty)
                        || inner.as_array().is_some_and(Vec::is_empty)
                    {
                        map.shift_remove(key);
                    }
                }
            }
        }
        Value::Array(items) => {
            let kind = list_kind(field, items.first());
            items.retain_mut(|item| {
                let element = match kind {
                    ListKind::Map(keys) => item_key(item, keys),
                    ListKind::Set => format!("v:{item}"),
                    ListKind::Atomic => return true,
                };
                match gone.children.get(&element) {
                    Some(below) if below.owned => false,
                    Some(below) => {
                        remove(item, below, "");
                        true
                    }
                    None => true,
                }
            });
        }
        _ => {}
    }
}
