//! Change of an object that exists.

use std::sync::Arc;

use serde_json::Value;

use super::{Writer, admit, metadata, quota, service_ip};
use crate::kubernetes::fields::{changed, record_update};
use crate::kubernetes::json::{at, int, list, remove, set, text};
use crate::kubernetes::kinds;
use crate::kubernetes::status::{ApiError, ApiResult, Cause};
use crate::kubernetes::storage::{Key, State};
use crate::kubernetes::{defaults, validate};

/// Which part of an object a write may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// All but the status.
    Main,
    /// The status alone.
    Status,
    /// The finalizers of a namespace alone.
    Finalize,
    /// Everything: controllers that own an object whole.
    Whole,
}

/// Replaces the object at `key` by `value`, as far as `part` allows.
pub(crate) fn update(
    state: &mut State,
    key: &Key,
    mut value: Value,
    writer: &Writer,
    part: Part,
) -> ApiResult<Arc<Value>> {
    let Some(live) = state.get(key).cloned() else {
        return Err(ApiError::not_found(&key.kind, &key.name));
    };
    let kind = key.kind;
    let uid = text(&value, "/metadata/uid");
    if !uid.is_empty() && uid != text(&live, "/metadata/uid") {
        let place = if key.namespace.is_empty() { String::new() } else { format!("{}/", key.namespace) };
        let why = format!(
            "StorageError: invalid object, Code: 4, Key: /registry/{}/{place}{}, ResourceVersion: 0, \
             AdditionalErrorMsg: Precondition failed: UID in precondition: {uid}, UID in object meta: {}",
            kind.plural,
            key.name,
            text(&live, "/metadata/uid")
        );
        return Err(ApiError::conflict(&kind, &key.name, &why));
    }
    let version = text(&value, "/metadata/resourceVersion");
    if !version.is_empty() && version != text(&live, "/metadata/resourceVersion") {
        return Err(ApiError::stale(&kind, &key.name));
    }
    keep(&live, &mut value, part);
    if part != Part::Status {
        carry(kind, &live, &mut value);
        defaults::apply(kind, &mut value);
    }
    let mut causes = finalizers(&live, &value);
    causes.extend(validate::change(kind, &live, &value, part));
    if !causes.is_empty() {
        return Err(ApiError::invalid(&kind, &key.name, causes));
    }
    if kind == kinds::SERVICES && part == Part::Main {
        service_ip::allocate(state, kind, &key.name, &mut value)?;
    }
    if matches!(part, Part::Main | Part::Whole) {
        quota::check_change(state, key, &live, &value)?;
        admit::change(state, kind, &live, &mut value)?;
    }
    if kind.generation && part != Part::Status && at(&live, "/spec") != at(&value, "/spec") {
        let generation = int(&live, "/metadata/generation").unwrap_or(0) + 1;
        set(&mut value, &["metadata", "generation"], generation);
    }
    if !writer.applied {
        // A writer of the object itself may say who owns what; saying nothing leaves it as it is.
        let silent = list(&value, "/metadata/managedFields").is_empty();
        if silent || !writer.manager.subresource.is_empty() {
            set_or_remove(&mut value, "managedFields", at(&live, "/metadata/managedFields").clone());
        }
        own(&live, &mut value, writer, part);
    }
    if is_same(&live, &value) {
        return Ok(live);
    }
    metadata::order(&mut value);
    if writer.dry_run {
        return Ok(Arc::new(value));
    }
    let released = !at(&value, "/metadata/deletionTimestamp").is_null()
        && list(&value, "/metadata/finalizers").is_empty()
        && list(&value, "/spec/finalizers").is_empty()
        && !matches!(kind, kinds::PODS | kinds::NAMESPACES);
    if released {
        let value = Arc::new(value);
        state.replace_unseen(key, value.clone());
        state.delete(key);
        return Ok(value);
    }
    Ok(state.put(key.clone(), value))
}

fn own(live: &Value, value: &mut Value, writer: &Writer, part: Part) {
    if part == Part::Main && !at(live, "/status").is_null() {
        let (mut before, mut after) = (live.clone(), value.clone());
        remove(&mut before, &["status"]);
        remove(&mut after, &["status"]);
        // The entries of status managers survive: their fields are untouched here.
        record_update(Some(&before), &mut after, &writer.manager);
        set_or_remove(value, "managedFields", at(&after, "/metadata/managedFields").clone());
    } else {
        record_update(Some(live), value, &writer.manager);
    }
}

/// What a write of that part cannot change comes from the live object.
fn keep(live: &Value, value: &mut Value, part: Part) {
    for name in [
        "name",
        "namespace",
        "uid",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "generation",
    ] {
        set_or_remove(value, name, at(live, &format!("/metadata/{name}")).clone());
    }
    for name in ["kind", "apiVersion"] {
        set(value, &[name], at(live, &format!("/{name}")).clone());
    }
    match part {
        Part::Main => restore(live, value, "status"),
        Part::Status => {
            for name in ["labels", "ownerReferences", "finalizers"] {
                set_or_remove(value, name, at(live, &format!("/metadata/{name}")).clone());
            }
            restore(live, value, "spec");
        }
        Part::Finalize => {
            let finalizers = at(value, "/spec/finalizers").clone();
            restore(live, value, "spec");
            restore(live, value, "status");
            set(value, &["spec", "finalizers"], finalizers);
        }
        Part::Whole => {}
    }
}

fn restore(live: &Value, value: &mut Value, name: &str) {
    match live.get(name) {
        Some(old) => set(value, &[name], old.clone()),
        None => {
            if live.get("spec").is_some() || name == "spec" {
                remove(value, &[name]);
            }
        }
    }
}

fn set_or_remove(value: &mut Value, name: &str, new: Value) {
    if new.is_null() {
        remove(value, &["metadata", name]);
    } else {
        set(value, &["metadata", name], new);
    }
}

/// Fields that the server fills once and that a replacement may leave out.
fn carry(kind: kinds::KindId, live: &Value, value: &mut Value) {
    let paths: &[&[&str]] = match kind {
        kinds::SERVICES => &[
            &["spec", "clusterIP"],
            &["spec", "clusterIPs"],
            &["spec", "ipFamilies"],
            &["spec", "ipFamilyPolicy"],
            &["spec", "healthCheckNodePort"],
        ],
        kinds::NAMESPACES => &[&["spec"]],
        kinds::PVCS => &[&["spec", "volumeName"], &["spec", "storageClassName"]],
        _ => &[],
    };
    for path in paths {
        let pointer = format!("/{}", path.join("/"));
        let headless_change = text(value, "/spec/type") == "ExternalName";
        if at(value, &pointer).is_null() && !headless_change {
            let old = at(live, &pointer);
            if !old.is_null() {
                set(value, path, old.clone());
            }
        }
    }
}

fn finalizers(live: &Value, value: &Value) -> Vec<Cause> {
    if at(live, "/metadata/deletionTimestamp").is_null() {
        return Vec::new();
    }
    let old = list(live, "/metadata/finalizers");
    let extra: Vec<String> = list(value, "/metadata/finalizers")
        .iter()
        .filter(|name| !old.contains(name))
        .filter_map(|name| name.as_str().map(str::to_owned))
        .collect();
    if extra.is_empty() {
        return Vec::new();
    }
    let quoted: Vec<String> = extra.iter().map(|name| format!("{name:?}")).collect();
    let detail = format!(
        "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
        quoted.join(", ")
    );
    // The real server validates metadata twice here, and tells both.
    let cause = Cause::forbidden("metadata.finalizers", &detail);
    vec![cause.clone(), cause]
}

/// Whether nothing but times of ownership differs.
fn is_same(live: &Value, value: &Value) -> bool {
    if changed(live, value) {
        return false;
    }
    if at(live, "/metadata/generation") != at(value, "/metadata/generation") {
        return false;
    }
    let strip = |object: &Value| -> Vec<Value> {
        list(object, "/metadata/managedFields")
            .iter()
            .map(|entry| {
                let mut entry = entry.clone();
                remove(&mut entry, &["time"]);
                entry
            })
            .collect()
    };
    strip(live) == strip(value)
}
