//! `metadata.managedFields`: who owns which fields of an object.

use serde_json::{Value, json};

use super::compare::compare;
use super::set::Set;
use crate::kubernetes::clock;
use crate::kubernetes::json::{list, set, text};

/// Who writes, as managedFields name a writer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Manager {
    pub(crate) name: String,
    /// `Apply` or `Update`.
    pub(crate) apply: bool,
    pub(crate) api_version: String,
    /// The subresource written through; empty for the object itself.
    pub(crate) subresource: String,
}

/// One entry of managedFields.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) manager: Manager,
    pub(super) time: String,
    pub(super) fields: Set,
}

pub(super) fn read(object: &Value) -> Vec<Entry> {
    list(object, "/metadata/managedFields")
        .iter()
        .map(|entry| Entry {
            manager: Manager {
                name: text(entry, "/manager").to_owned(),
                apply: text(entry, "/operation") == "Apply",
                api_version: text(entry, "/apiVersion").to_owned(),
                subresource: text(entry, "/subresource").to_owned(),
            },
            time: text(entry, "/time").to_owned(),
            fields: Set::from_json(entry.get("fieldsV1").unwrap_or(&Value::Null)),
        })
        .collect()
}

pub(super) fn write(object: &mut Value, mut entries: Vec<Entry>) {
    entries.retain(|entry| !entry.fields.is_empty());
    // Applies come first, then updates by their time (apimachinery `sortEncodedManagedFields`).
    entries.sort_by(|a, b| {
        b.manager.apply.cmp(&a.manager.apply).then_with(|| {
            let by_time = if a.manager.apply { std::cmp::Ordering::Equal } else { a.time.cmp(&b.time) };
            by_time.then_with(|| a.manager.name.cmp(&b.manager.name))
        })
    });
    let encoded: Vec<Value> = entries
        .iter()
        .map(|entry| {
            let mut json = json!({
                "manager": entry.manager.name,
                "operation": if entry.manager.apply { "Apply" } else { "Update" },
                "apiVersion": entry.manager.api_version,
                "fieldsType": "FieldsV1",
                "fieldsV1": entry.fields.to_json(),
            });
            if !entry.time.is_empty() {
                set(&mut json, &["time"], entry.time.as_str());
            }
            if !entry.manager.subresource.is_empty() {
                set(&mut json, &["subresource"], entry.manager.subresource.as_str());
            }
            json
        })
        .collect();
    if encoded.is_empty() {
        if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.shift_remove("managedFields");
        }
    } else {
        set(object, &["metadata", "managedFields"], encoded);
    }
}

/// Writes into `new` the ownership after `manager` turned `old` (`None` at creation) into it by an update.
pub(crate) fn record_update(old: Option<&Value>, new: &mut Value, manager: &Manager) {
    let nothing = json!({});
    let difference = compare(old.unwrap_or(&nothing), new);
    // A writer may say itself who owns what (apimachinery `decodeLiveOrNew`), but not through a subresource.
    let said = if manager.subresource.is_empty() { read(new) } else { Vec::new() };
    let mut entries = if said.is_empty() { old.map(read).unwrap_or_default() } else { said };
    let touched = difference.written.union(&difference.removed);
    let mut found = false;
    for entry in &mut entries {
        if entry.manager == *manager {
            found = true;
            let fields = entry.fields.without_below(&difference.removed).union(&difference.written);
            if fields != entry.fields {
                entry.time = clock::now();
            }
            entry.fields = fields;
        } else {
            entry.fields = entry.fields.difference(&touched).without_below(&difference.removed);
        }
    }
    if !found {
        entries.push(Entry { manager: manager.clone(), time: clock::now(), fields: difference.written });
    }
    write(new, entries);
}
