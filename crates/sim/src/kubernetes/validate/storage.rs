//! Validation of Secrets, ConfigMaps and claims.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::names;
use crate::kubernetes::json::{at, list, map, remove, text};
use crate::kubernetes::status::Cause;

const SIZE_LIMIT: usize = 1024 * 1024;

/// The faults of a Secret.
pub(super) fn secret(value: &Value, causes: &mut Vec<Cause>) {
    let size = keys(value, "data", causes, |text| STANDARD.decode(text).map_or(0, |bytes| bytes.len()));
    too_large(size, "data", causes);
    let needed: &[&str] = match text(value, "/type") {
        "kubernetes.io/tls" => &["tls.crt", "tls.key"],
        "kubernetes.io/dockerconfigjson" => &[".dockerconfigjson"],
        _ => &[],
    };
    for key in needed {
        if map(value, "/data").is_none_or(|data| !data.contains_key(*key)) {
            causes.push(Cause::required(format!("data[{key}]"), ""));
        }
    }
}

/// The faults of a ConfigMap.
pub(super) fn config_map(value: &Value, causes: &mut Vec<Cause>) {
    let plain = keys(value, "data", causes, str::len);
    let binary = keys(value, "binaryData", causes, |text| STANDARD.decode(text).map_or(0, |bytes| bytes.len()));
    too_large(plain + binary, "[]", causes);
}

fn keys(value: &Value, field: &str, causes: &mut Vec<Cause>, size: impl Fn(&str) -> usize) -> usize {
    let mut total = 0;
    for (key, content) in map(value, &format!("/{field}")).into_iter().flatten() {
        for detail in names::config_key(key) {
            causes.push(Cause::invalid(format!("{field}[{key}]"), &json!(key), detail));
        }
        total += content.as_str().map_or(0, &size);
    }
    total
}

fn too_large(size: usize, field: &str, causes: &mut Vec<Cause>) {
    if size > SIZE_LIMIT {
        causes.push(Cause::too_long(field, format!("Too long: may not be more than {SIZE_LIMIT} bytes")));
    }
}

/// What of a Secret is fixed.
pub(super) fn secret_kept(live: &Value, value: &Value, causes: &mut Vec<Cause>) {
    if text(live, "/type") != text(value, "/type") {
        causes.push(Cause::invalid("type", at(value, "/type"), "field is immutable"));
    }
    frozen(live, value, &["data"], causes);
}

/// What of a ConfigMap is fixed.
pub(super) fn config_map_kept(live: &Value, value: &Value, causes: &mut Vec<Cause>) {
    frozen(live, value, &["data", "binaryData"], causes);
}

fn frozen(live: &Value, value: &Value, fields: &[&str], causes: &mut Vec<Cause>) {
    if at(live, "/immutable").as_bool() != Some(true) {
        return;
    }
    if at(value, "/immutable").as_bool() != Some(true) {
        causes.push(Cause::forbidden("immutable", "field is immutable when `immutable` is set"));
    }
    for field in fields {
        if live.get(*field) != value.get(*field) {
            causes.push(Cause::forbidden(*field, "field is immutable when `immutable` is set"));
        }
    }
}

/// The faults of a claim.
pub(super) fn claim(value: &Value, causes: &mut Vec<Cause>) {
    let supported = ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"];
    let modes = list(value, "/spec/accessModes");
    if modes.is_empty() {
        causes.push(Cause::required("spec.accessModes", "at least 1 access mode is required"));
    }
    for mode in modes {
        if !mode.as_str().is_some_and(|mode| supported.contains(&mode)) {
            causes.push(Cause::unsupported("spec.accessModes", mode, &supported));
        }
    }
    if at(value, "/spec/resources/requests/storage").is_null() {
        causes.push(Cause::required("spec.resources[storage]", ""));
    }
}

/// A claim's spec is fixed but for the size of a bound one and the fields that the binder fills.
pub(super) fn claim_kept(live: &Value, value: &Value, causes: &mut Vec<Cause>) {
    let bound = text(live, "/status/phase") == "Bound";
    let rest = |object: &Value| {
        let mut spec = at(object, "/spec").clone();
        if bound {
            remove(&mut spec, &["resources", "requests"]);
            remove(&mut spec, &["volumeAttributesClassName"]);
        }
        if text(live, "/spec/volumeName").is_empty() {
            remove(&mut spec, &["volumeName"]);
        }
        if at(live, "/spec/storageClassName").is_null() {
            remove(&mut spec, &["storageClassName"]);
        }
        spec
    };
    if rest(live) != rest(value) {
        causes.push(Cause::forbidden(
            "spec",
            "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims",
        ));
    }
}
