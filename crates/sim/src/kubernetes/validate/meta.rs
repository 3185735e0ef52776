//! Validation of metadata.

use serde_json::{Value, json};

use super::names;
use crate::kubernetes::json::{map, text};
use crate::kubernetes::kinds::{self, KindId};
use crate::kubernetes::status::Cause;

const ANNOTATIONS_LIMIT: usize = 256 * 1024;

/// The faults of an object's metadata.
pub(super) fn object(kind: KindId, value: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    let name = text(value, "/metadata/name");
    for detail in name_faults(kind, name) {
        causes.push(Cause::invalid("metadata.name", &json!(name), detail));
    }
    labels(value, "/metadata/labels", "metadata.labels", &mut causes);
    let mut size = 0;
    for (key, annotation) in map(value, "/metadata/annotations").into_iter().flatten() {
        size += key.len() + annotation.as_str().map_or(0, str::len);
        for detail in names::qualified(&key.to_lowercase()) {
            causes.push(Cause::invalid("metadata.annotations", &json!(key), detail));
        }
    }
    if size > ANNOTATIONS_LIMIT {
        let message = format!("Too long: may not be more than {ANNOTATIONS_LIMIT} bytes");
        causes.push(Cause::too_long("metadata.annotations", message));
    }
    causes
}

fn name_faults(kind: KindId, name: &str) -> Vec<String> {
    let (limit, faults) = match kind {
        kinds::NAMESPACES | kinds::SERVICES => (63, names::label(name)),
        // RBAC names are free but for what would break a path.
        _ if kind.group.starts_with("rbac.") => (usize::MAX, Vec::new()),
        _ => (253, names::subdomain(name)),
    };
    let mut faults: Vec<String> =
        faults.into_iter().filter(|detail| !detail.starts_with("must be no more than")).collect();
    if name.len() > limit {
        faults.insert(0, format!("must be no more than {limit} characters"));
    }
    faults
}

/// The faults of a map of labels.
pub(super) fn labels(value: &Value, pointer: &str, field: &str, causes: &mut Vec<Cause>) {
    for (key, label) in map(value, pointer).into_iter().flatten() {
        for detail in names::qualified(key) {
            causes.push(Cause::invalid(field, &json!(key), detail));
        }
        for detail in names::label_value(label.as_str().unwrap_or_default()) {
            causes.push(Cause::invalid(field, label, detail));
        }
    }
}
