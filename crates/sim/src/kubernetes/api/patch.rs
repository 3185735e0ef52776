//! PATCH: JSON patch, merge patch, strategic merge patch and server-side apply.

use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use serde_json::{Value, json};

use super::body::{self, Strictness};
use super::path::Target;
use super::query::Query;
use super::respond::Respond;
use super::{strategic, write};
use crate::kubernetes::cluster::Cluster;
use crate::kubernetes::defaults;
use crate::kubernetes::fields::{self, Manager};
use crate::kubernetes::json::{at, set, text};
use crate::kubernetes::registry::{self, Part, Writer};
use crate::kubernetes::status::{ApiError, ApiResult, Cause};
use crate::kubernetes::storage::{Key, State};
use crate::kubernetes::typed::{duplicates, normalise};

const OTHER_NAMESPACE: &str = "the namespace of the provided object does not match the namespace sent on the request";

/// The four ways to patch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PatchKind {
    Json,
    Merge,
    Strategic,
    Apply,
}

/// The way that a media type names; 415 for any other.
pub(super) fn kind_of(media: &str) -> ApiResult<PatchKind> {
    match media {
        "application/json-patch+json" => Ok(PatchKind::Json),
        "application/merge-patch+json" => Ok(PatchKind::Merge),
        "application/strategic-merge-patch+json" => Ok(PatchKind::Strategic),
        "application/apply-patch+yaml" => Ok(PatchKind::Apply),
        _ => {
            let mut error = ApiError::new(415, "UnsupportedMediaType", "415: Unsupported Media Type");
            error.details = Some(json!({}));
            Err(error)
        }
    }
}

/// Serves a PATCH of an object, its status or a namespace's finalizers.
pub(super) async fn serve(
    cluster: &Cluster,
    target: &Target,
    query: &Query,
    request: Request,
    respond: &Respond,
) -> ApiResult<Response> {
    let (headers, bytes) = body::read(request).await?;
    let how = kind_of(&body::media(&headers))?;
    let (strictness, writer) = write::patch_options(target, query, respond)?;
    if how == PatchKind::Apply {
        return apply(cluster, target, query, &bytes, writer, respond);
    }
    if query.has("force") {
        let cause = Cause::forbidden("force", "may not be specified for non-apply patch");
        return Err(ApiError::invalid_of("meta.k8s.io", "PatchOptions", "", vec![cause]));
    }
    let key = Key::new(target.kind, &target.namespace, &target.name);
    let mut warnings = Vec::new();
    let updated = cluster.write(|state| -> ApiResult<write::Written> {
        let Some(live) = state.get(&key).cloned() else {
            return Err(ApiError::not_found(&target.kind, &target.name));
        };
        let mut patched = patched(how, &live, &bytes)?;
        unchanged_identity(target, &live, &patched)?;
        let doubled = duplicates(&bytes);
        warnings = judge_patched(target, &mut patched, &doubled, strictness)?;
        registry::update(state, &key, patched, &writer, write::part(target))
    })?;
    Ok(respond.warned(200, target.kind, &updated, &warnings))
}

/// The live object with a patch applied.
pub(super) fn patched(how: PatchKind, live: &Value, bytes: &Bytes) -> ApiResult<Value> {
    if how == PatchKind::Json {
        return json_patch(live, bytes);
    }
    let patch: Value = serde_json::from_slice(bytes)
        .map_err(|error| ApiError::bad_request(format!("error decoding patch: {}", go_json_error(&error, bytes))))?;
    if !patch.is_object() {
        return Err(ApiError::bad_request(
            "error decoding patch: json: cannot unmarshal array into Go value of type map[string]interface {}",
        ));
    }
    if how == PatchKind::Strategic {
        return strategic::merge(live, &patch);
    }
    let mut merged = live.clone();
    json_patch::merge(&mut merged, &patch);
    Ok(merged)
}

/// A YAML error as Go's library words it: its lines count from one less.
fn go_yaml_error(error: &serde_norway::Error) -> String {
    let text = error.to_string();
    let what = text.split(" at line ").next().unwrap_or(&text);
    let line = error.location().map_or(1, |place| place.line().saturating_sub(1).max(1));
    format!("error converting YAML to JSON: yaml: line {line}: {what}")
}

fn go_json_error(error: &serde_json::Error, bytes: &Bytes) -> String {
    if error.is_eof() {
        return "unexpected end of JSON input".to_owned();
    }
    let index = error.column().saturating_sub(1);
    let bad = bytes.get(index).map_or('?', |byte| char::from(*byte));
    format!("invalid character '{bad}' looking for beginning of object key string")
}

fn json_patch(live: &Value, bytes: &Bytes) -> ApiResult<Value> {
    let operations: Vec<Value> = serde_json::from_slice(bytes).map_err(|_| {
        ApiError::bad_request(
            "error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp",
        )
    })?;
    let mut value = live.clone();
    for operation in operations {
        let name = text(&operation, "/op").to_owned();
        let path = text(&operation, "/path").to_owned();
        let refuse = |why: String| {
            let mut error = ApiError::new(
                422,
                "Invalid",
                "the server rejected our request due to an error in our request".to_owned(),
            );
            error.details = Some(json!({}));
            tracing::debug!(why, "simulated cluster: JSON patch refused");
            error
        };
        // The real server adds where `replace` finds nothing, for a map that exists.
        let mut operation = operation;
        if name == "replace" && value.pointer(&path).is_none() && parent_exists(&value, &path) {
            set(&mut operation, &["op"], "add");
        }
        let parsed: json_patch::PatchOperation =
            serde_json::from_value(operation).map_err(|error| refuse(error.to_string()))?;
        json_patch::patch(&mut value, &[parsed]).map_err(|error| refuse(error.to_string()))?;
    }
    Ok(value)
}

fn parent_exists(value: &Value, path: &str) -> bool {
    path.rsplit_once('/').is_some_and(|(parent, _)| value.pointer(parent).is_some_and(Value::is_object))
}

/// A patch may not rename or move an object, nor turn it into another kind.
fn unchanged_identity(target: &Target, live: &Value, patched: &Value) -> ApiResult<()> {
    let name = text(patched, "/metadata/name");
    if name != target.name {
        return Err(ApiError::bad_request(format!(
            "the name of the object ({name}) does not match the name on the URL ({})",
            target.name
        )));
    }
    let namespace = text(patched, "/metadata/namespace");
    if namespace != target.namespace {
        return Err(ApiError::bad_request(OTHER_NAMESPACE));
    }
    let uid = text(patched, "/metadata/uid");
    if !uid.is_empty() && uid != text(live, "/metadata/uid") {
        let cause = Cause::invalid("metadata.uid", &json!(uid), "field is immutable");
        // The real server validates metadata twice here, and tells both.
        return Err(ApiError::invalid(&target.kind, &target.name, vec![cause.clone(), cause]));
    }
    if text(patched, "/kind") != text(live, "/kind") || text(patched, "/apiVersion") != text(live, "/apiVersion") {
        let mut error =
            ApiError::new(422, "Invalid", "the server rejected our request due to an error in our request".to_owned());
        error.details = Some(json!({}));
        return Err(error);
    }
    Ok(())
}

/// Judges the outcome of a patch; a wrong type is a 422 here and shows the patch.
pub(super) fn judge_patched(
    target: &Target,
    patched: &mut Value,
    doubled: &[String],
    strictness: Strictness,
) -> ApiResult<Vec<String>> {
    let shown = shown(patched);
    let found = (target.kind.check)(patched);
    let invalid = |detail: &str| {
        let message = format!("Invalid value: {shown}: {detail}");
        let cause = Cause { reason: "FieldValueInvalid", message, field: "patch".to_owned() };
        let mut error = ApiError::invalid_of("", "", "", vec![cause]);
        if let Some(details) = &mut error.details {
            crate::kubernetes::json::remove(details, &["kind"]);
        }
        error
    };
    if let Some(error) = found.error {
        return Err(invalid(&error));
    }
    let complaints: Vec<String> = doubled
        .iter()
        .map(|path| format!("duplicate field {path:?}"))
        .chain(found.unknown.iter().map(|path| format!("unknown field {path:?}")))
        .collect();
    normalise(patched, &found.unknown);
    match strictness {
        Strictness::Strict if !complaints.is_empty() => {
            Err(invalid(&format!("strict decoding error: {}", complaints.join(", "))))
        }
        Strictness::Warn => Ok(complaints),
        _ => Ok(Vec::new()),
    }
}

/// The outcome of a patch as its complaint shows it: JSON in quotes, the outer keys and those of `data` sorted.
fn shown(patched: &Value) -> String {
    let mut sorted = patched.clone();
    if let Some(map) = sorted.as_object_mut() {
        map.sort_keys();
        if let Some(Value::Object(data)) = map.get_mut("data") {
            data.sort_keys();
        }
    }
    Value::String(sorted.to_string()).to_string()
}

fn apply(
    cluster: &Cluster,
    target: &Target,
    query: &Query,
    bytes: &Bytes,
    mut writer: Writer,
    respond: &Respond,
) -> ApiResult<Response> {
    if query.get("fieldManager").is_empty() {
        let cause = Cause::required("fieldManager", "is required for apply patch");
        return Err(ApiError::invalid_of("meta.k8s.io", "PatchOptions", "", vec![cause]));
    }
    let force = query.flag("force");
    let config = configuration(target, bytes)?;
    let manager = Manager { apply: true, ..writer.manager.clone() };
    writer.applied = true;
    let key = Key::new(target.kind, &target.namespace, &target.name);
    let part = write::part(target);
    let (object, created) =
        cluster.write(|state| apply_to(state, target, &key, &config, &manager, &writer, part, force))?;
    Ok(respond.object(if created { 201 } else { 200 }, target.kind, &object))
}

#[allow(clippy::too_many_arguments)]
fn apply_to(
    state: &mut State,
    target: &Target,
    key: &Key,
    config: &Value,
    manager: &Manager,
    writer: &Writer,
    part: Part,
    force: bool,
) -> ApiResult<(write::Written, bool)> {
    let live = state.get(key).cloned();
    let kind = target.kind;
    if live.is_none() {
        if !target.subresource.is_empty() {
            return Err(ApiError::not_found(&kind, &target.name));
        }
        let uid = text(config, "/metadata/uid");
        if !uid.is_empty() {
            let why =
                format!("uid mismatch: the provided object specified uid {uid}, and no existing object was found");
            return Err(ApiError::conflict(&kind, &target.name, &why));
        }
    }
    if let Some(live) = &live {
        let version = text(config, "/metadata/resourceVersion");
        if !version.is_empty() && version != text(live, "/metadata/resourceVersion") {
            return Err(ApiError::stale(&kind, &target.name));
        }
    }
    let defaulted = |mut value: Value| -> ApiResult<Value> {
        normalise(&mut value, &[]);
        defaults::apply(kind, &mut value);
        Ok(value)
    };
    let applied = fields::apply(live.as_deref(), config, manager, force, defaulted)?;
    let mut object = applied.object;
    match live {
        Some(live) => {
            set(&mut object, &["metadata", "resourceVersion"], at(&live, "/metadata/resourceVersion").clone());
            set(&mut object, &["metadata", "uid"], at(&live, "/metadata/uid").clone());
            Ok((registry::update(state, key, object, writer, part)?, false))
        }
        None => {
            crate::kubernetes::json::remove(&mut object, &["metadata", "resourceVersion"]);
            Ok((registry::create(state, kind, &target.namespace, object, writer)?, true))
        }
    }
}

/// The configuration of an apply, checked against the types: unknown fields and wrong types are refused.
fn configuration(target: &Target, bytes: &Bytes) -> ApiResult<Value> {
    let mut config: Value = serde_norway::from_slice(bytes)
        .map_err(|error| ApiError::bad_request(format!("error decoding YAML: {}", go_yaml_error(&error))))?;
    if !config.is_object() {
        return Err(ApiError::bad_request(
            "error decoding YAML: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal array into Go value \
             of type map[string]interface {}",
        ));
    }
    if config.pointer("/metadata/managedFields").is_some() {
        return Err(ApiError::bad_request("metadata.managedFields must be nil"));
    }
    let kind = target.kind;
    let (version, named) = (text(&config, "/apiVersion").to_owned(), text(&config, "/kind").to_owned());
    let typed = |why: String| {
        ApiError::unknown(format!(
            "failed to create typed patch object ({}/{}; {}, Kind={}): {why}",
            text(&config, "/metadata/namespace"),
            text(&config, "/metadata/name"),
            kind.api_version(),
            kind.kind
        ))
    };
    if version.is_empty() || named.is_empty() {
        return Err(ApiError::bad_request(format!(
            "invalid object type: {}, Kind={named}",
            if version.is_empty() { "/" } else { version.as_str() }
        )));
    }
    if version != kind.api_version() || named != kind.kind {
        let group = version.split_once('/').map_or(format!("/{version}"), |(group, v)| format!("{group}/{v}"));
        return Err(ApiError::bad_request(format!("invalid object type: {group}, Kind={named}")));
    }
    let name = text(&config, "/metadata/name");
    if config.pointer("/metadata/name").is_some_and(Value::is_string) && !name.is_empty() && name != target.name {
        return Err(ApiError::bad_request(format!(
            "the name of the object ({name}) does not match the name on the URL ({})",
            target.name
        )));
    }
    let namespace = text(&config, "/metadata/namespace");
    if !namespace.is_empty() && namespace != target.namespace {
        return Err(ApiError::bad_request(OTHER_NAMESPACE));
    }
    let found = (kind.check)(&config);
    if let Some(path) = found.unknown.first() {
        return Err(typed(format!(".{path}: field not declared in schema")));
    }
    if let Some((path, why)) = found.apply_error {
        return Err(typed(format!("{path}: {why}")));
    }
    if let Some(error) = found.error {
        return Err(ApiError::bad_request(error));
    }
    if let Some((path, key)) = fields::duplicate_key(&config) {
        return Err(typed(format!("{path}: duplicate entries for key {key}")));
    }
    set(&mut config, &["metadata", "name"], target.name.as_str());
    if kind.namespaced {
        set(&mut config, &["metadata", "namespace"], target.namespace.as_str());
    }
    Ok(config)
}
