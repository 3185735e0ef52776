//! The fields of an object, and those in which two objects differ.

use std::collections::BTreeMap;

use serde_json::Value;

use super::schema::{ListKind, atomic_object, implicit, item_key, list_kind};
use super::set::Set;

/// The difference of two objects.
#[derive(Debug, Default)]
pub(crate) struct Difference {
    /// Fields that are new or have another value.
    pub(crate) written: Set,
    /// Fields that are gone.
    pub(crate) removed: Set,
}

/// Whether anything but ownership and times of writing differs.
pub(crate) fn changed(old: &Value, new: &Value) -> bool {
    let difference = compare(old, new);
    !difference.written.is_empty() || !difference.removed.is_empty()
}

/// The fields that a configuration names, as an apply owns them.
pub(super) fn fields_of(value: &Value) -> Set {
    let mut set = Set::default();
    name_fields(value, "", &mut set);
    strip(&mut set);
    set
}

fn name_fields(value: &Value, field: &str, set: &mut Set) {
    match value {
        Value::Object(map) if !map.is_empty() && !atomic_object(field) => {
            for (key, inner) in map {
                name_fields(inner, key, set.child(format!("f:{key}")));
            }
        }
        Value::Array(items) if !items.is_empty() => match list_kind(field, items.first()) {
            ListKind::Atomic => set.owned = true,
            ListKind::Set => items.iter().for_each(|item| set.child(format!("v:{item}")).owned = true),
            ListKind::Map(keys) => {
                for item in items {
                    let below = set.child(item_key(item, keys));
                    below.owned = true;
                    name_fields(item, "", below);
                    below.owned = true;
                }
            }
        },
        _ => set.owned = true,
    }
}

/// Compares two objects of one kind field by field.
pub(super) fn compare(old: &Value, new: &Value) -> Difference {
    let mut difference = Difference::default();
    walk(Some(old), Some(new), "", Some(""), &mut difference.written, &mut difference.removed);
    strip(&mut difference.written);
    strip(&mut difference.removed);
    difference
}

/// `path` is the path of plain fields from the root; `None` below a list item.
fn walk(
    old: Option<&Value>,
    new: Option<&Value>,
    field: &str,
    path: Option<&str>,
    written: &mut Set,
    removed: &mut Set,
) {
    if old == new {
        return;
    }
    let sample = new.or(old);
    match sample {
        Some(Value::Object(_)) if !atomic_object(field) => {
            let (before, after) = (old.and_then(Value::as_object), new.and_then(Value::as_object));
            place(before.is_some(), after.is_some(), path, written, removed);
            let keys = before.into_iter().chain(after).flat_map(|map| map.keys());
            for key in keys {
                let below = path.map(|path| if path.is_empty() { key.clone() } else { format!("{path}.{key}") });
                let element = format!("f:{key}");
                let (inner_old, inner_new) = (before.and_then(|map| map.get(key)), after.and_then(|map| map.get(key)));
                if inner_old != inner_new {
                    let (w, r) = (written.child(element.clone()), removed.child(element));
                    walk(inner_old, inner_new, key, below.as_deref(), w, r);
                }
            }
        }
        Some(Value::Array(items)) => {
            let kind = list_kind(field, items.first());
            let (before, after) = (old.and_then(Value::as_array), new.and_then(Value::as_array));
            match kind {
                ListKind::Atomic => leaf(old, new, written, removed),
                ListKind::Set | ListKind::Map(_) => {
                    place(before.is_some(), after.is_some(), path, written, removed);
                    let (before, after) = (index(before, kind), index(after, kind));
                    for element in before.keys().chain(after.keys()) {
                        let (o, n) = (before.get(element), after.get(element));
                        if o == n {
                            continue;
                        }
                        let (w, r) = (written.child(element.clone()), removed.child(element.clone()));
                        if kind == ListKind::Set {
                            leaf(o.copied(), n.copied(), w, r);
                        } else {
                            walk(o.copied(), n.copied(), "", None, w, r);
                        }
                    }
                }
            }
        }
        // An empty object where the Go types have one anyway is no difference.
        Some(Value::Object(map)) if map.is_empty() && path.is_some_and(implicit) => {}
        _ => leaf(old, new, written, removed),
    }
}

fn place(before: bool, after: bool, path: Option<&str>, written: &mut Set, removed: &mut Set) {
    if !before && after && !path.is_some_and(implicit) {
        written.owned = true;
    }
    if before && !after {
        removed.owned = true;
    }
}

fn leaf(old: Option<&Value>, new: Option<&Value>, written: &mut Set, removed: &mut Set) {
    if new.is_some() {
        written.owned = true;
    } else if old.is_some() {
        removed.owned = true;
    }
}

fn index(items: Option<&Vec<Value>>, kind: ListKind) -> BTreeMap<String, &Value> {
    items
        .into_iter()
        .flatten()
        .map(|item| match kind {
            ListKind::Map(keys) => (item_key(item, keys), item),
            _ => (format!("v:{item}"), item),
        })
        .collect()
}

/// Removes what nobody owns: the identity of the object.
fn strip(set: &mut Set) {
    set.owned = false;
    set.children.remove("f:apiVersion");
    set.children.remove("f:kind");
    if let Some(metadata) = set.children.get_mut("f:metadata") {
        metadata.owned = false;
        for name in [
            "name",
            "namespace",
            "uid",
            "resourceVersion",
            "generation",
            "creationTimestamp",
            "managedFields",
            "selfLink",
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
        ] {
            metadata.children.remove(&format!("f:{name}"));
        }
    }
}

/// The first list of `value` in which one key stands twice: its printed path and the printed key.
pub(crate) fn duplicate_key(value: &Value) -> Option<(String, String)> {
    find_duplicate(value, "", &mut Vec::new())
}

fn find_duplicate(value: &Value, field: &str, path: &mut Vec<String>) -> Option<(String, String)> {
    match value {
        Value::Object(map) => {
            for (key, inner) in map {
                path.push(format!("f:{key}"));
                let found = find_duplicate(inner, key, path);
                path.pop();
                if found.is_some() {
                    return found;
                }
            }
            None
        }
        Value::Array(items) => {
            let kind = list_kind(field, items.first());
            let mut seen = std::collections::HashSet::new();
            for item in items {
                let element = match kind {
                    ListKind::Map(keys) => item_key(item, keys),
                    ListKind::Set => format!("v:{item}"),
                    ListKind::Atomic => return None,
                };
                if !seen.insert(element.clone()) {
                    return Some((super::set::print(path), super::set::print(&[element])));
                }
                path.push(element);
                let found = find_duplicate(item, "", path);
                path.pop();
                if found.is_some() {
                    return found;
                }
            }
            None
        }
        _ => None,
    }
}
