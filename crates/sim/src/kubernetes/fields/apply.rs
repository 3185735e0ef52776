//! Server-side apply.

use serde_json::{Value, json};

use super::compare::{compare, fields_of};
use super::managers::{Entry, Manager, read, write};
use super::merge::{merge, remove};
use super::set::{Set, print};
use crate::kubernetes::clock;
use crate::kubernetes::status::ApiError;

/// What an apply made of an object.
pub(crate) struct Apply {
    /// The object after the apply, with its managedFields.
    pub(crate) object: Value,
}

/// Applies `config` over `live` (`None` when there is no such object).
///
/// `defaulted` brings an object into the form in which it is stored, so that a default is no difference.
pub(crate) fn apply(
    live: Option<&Value>,
    config: &Value,
    manager: &Manager,
    force: bool,
    defaulted: impl Fn(Value) -> Result<Value, ApiError>,
) -> Result<Apply, ApiError> {
    let nothing = json!({});
    let base = live.unwrap_or(&nothing);
    let mut entries = live.map(read).unwrap_or_default();
    let wanted = fields_of(config);
    let mut merged = merge(base, config, "");
    let before = entries.iter().find(|entry| entry.manager == *manager).map(|entry| entry.fields.clone());

    // What this manager owned and no longer names goes, unless someone else owns it too.
    if let Some(before) = &before {
        let others = entries
            .iter()
            .filter(|entry| entry.manager != *manager)
            .fold(Set::default(), |all, entry| all.union(&entry.fields));
        let dropped = before.difference(&wanted).difference(&others);
        let kept = wanted.union(&others);
        remove(&mut merged, &prune(dropped, &kept), "");
    }
    let merged = defaulted(merged)?;

    let difference = compare(base, &merged);
    let written = difference.written.intersection(&wanted);
    let mut conflicts: Vec<(Manager, Set)> = Vec::new();
    if live.is_some() {
        for entry in entries.iter().filter(|entry| entry.manager != *manager) {
            let both = entry.fields.intersection(&written);
            if !both.is_empty() {
                conflicts.push((entry.manager.clone(), both));
            }
        }
    }
    if !conflicts.is_empty() && !force {
        return Err(conflict(&conflicts));
    }
    for (other, fields) in &conflicts {
        for entry in entries.iter_mut().filter(|entry| entry.manager == *other) {
            entry.fields = entry.fields.difference(fields);
        }
    }
    for entry in entries.iter_mut().filter(|entry| entry.manager != *manager) {
        entry.fields = entry.fields.without_below(&difference.removed);
    }
    match entries.iter_mut().find(|entry| entry.manager == *manager) {
        Some(entry) => {
            let changed = entry.fields != wanted || !difference.written.is_empty() || !difference.removed.is_empty();
            entry.fields = wanted;
            if changed {
                entry.time = clock::now();
            }
        }
        None => {
            // Ownership alone, without a change, carries no time.
            let changed = !difference.written.is_empty() || !difference.removed.is_empty();
            let time = if changed { clock::now() } else { String::new() };
            entries.push(Entry { manager: manager.clone(), time, fields: wanted });
        }
    }
    let mut object = merged;
    write(&mut object, entries);
    Ok(Apply { object })
}

/// Of the dropped places, those that may go: an item or a map stays while something below it is owned.
fn prune(dropped: Set, kept: &Set) -> Set {
    let children = dropped
        .children
        .into_iter()
        .map(|(element, below)| {
            let others = kept.children.get(&element).cloned().unwrap_or_default();
            (element, prune(below, &others))
        })
        .collect();
    Set { owned: dropped.owned && kept.is_empty(), children }
}

fn conflict(conflicts: &[(Manager, Set)]) -> ApiError {
    let count: usize = conflicts.iter().map(|(_, fields)| fields.paths().len()).sum();
    let mut causes = Vec::new();
    let mut parts = Vec::new();
    for (manager, fields) in conflicts {
        let who = describe(manager);
        let paths: Vec<String> = fields.paths().iter().map(|path| print(path)).collect();
        for path in &paths {
            causes.push(
                json!({"reason": "FieldManagerConflict", "message": format!("conflict with {who}"), "field": path}),
            );
        }
        match paths.as_slice() {
            [one] => parts.push(format!("conflict with {who}: {one}")),
            many => {
                let lines: String = many.iter().map(|path| format!("\n- {path}")).collect();
                parts.push(format!("conflicts with {who}:{lines}"));
            }
        }
    }
    let word = if count == 1 { "conflict" } else { "conflicts" };
    let message = format!("Apply failed with {count} {word}: {}", parts.join("\n"));
    ApiError::new(409, "Conflict", message).with_causes(Value::Array(causes))
}

/// `"hpa" with subresource "scale" using apps/v1`; an apply is named alone.
fn describe(manager: &Manager) -> String {
    let mut who = format!("{:?}", manager.name);
    if !manager.subresource.is_empty() {
        who.push_str(&format!(" with subresource {:?}", manager.subresource));
    }
    if !manager.apply {
        who.push_str(&format!(" using {}", manager.api_version));
    }
    who
}
