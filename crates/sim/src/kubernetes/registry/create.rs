//! Creation.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Writer, admit, metadata, service_ip};
use crate::kubernetes::fields::record_update;
use crate::kubernetes::json::{at, default, object, remove, set, text};
use crate::kubernetes::kinds::{self, KindId};
use crate::kubernetes::status::{ApiError, ApiResult, Cause};
use crate::kubernetes::storage::{Key, State};
use crate::kubernetes::{clock, defaults, validate};

/// Creates an object. `value` is decoded and normalised; it is not yet defaulted.
pub(crate) fn create(
    state: &mut State,
    kind: KindId,
    namespace: &str,
    mut value: Value,
    writer: &Writer,
) -> ApiResult<Arc<Value>> {
    if !text(&value, "/metadata/resourceVersion").is_empty() {
        return Err(ApiError::unknown("resourceVersion should not be set on objects to be created"));
    }
    remove(&mut value, &["metadata", "resourceVersion"]);
    in_live_namespace(state, kind, namespace, &value)?;
    let name = choose_name(state, kind, namespace, &mut value)?;
    prepare(kind, namespace, &mut value);
    defaults::apply(kind, &mut value);
    if !writer.applied {
        own(&mut value, writer);
    }
    identify(kind, &mut value);
    let key = Key::new(kind, namespace, &name);
    let existing = state.get(&key).map(|found| !at(found, "/metadata/deletionTimestamp").is_null());
    if let Some(deleting) = existing {
        // Names come before quota: the real server reserves quota only for what it stores.
        return Err(ApiError::exists(&kind, &name, deleting));
    }
    admit::creation(state, kind, namespace, &mut value)?;
    let causes = validate::creation(kind, &value);
    if !causes.is_empty() {
        return Err(ApiError::invalid(&kind, &name, causes));
    }
    service_ip::allocate(state, kind, &name, &mut value)?;
    metadata::order(&mut value);
    if writer.dry_run {
        return Ok(Arc::new(value));
    }
    Ok(state.put(key, value))
}

fn in_live_namespace(state: &State, kind: KindId, namespace: &str, value: &Value) -> ApiResult<()> {
    if !kind.namespaced {
        return Ok(());
    }
    let Some(found) = state.find(kinds::NAMESPACES, "", namespace) else {
        return Err(ApiError::not_found(&kinds::NAMESPACES, namespace));
    };
    if text(found, "/status/phase") == "Terminating" {
        let why = format!("unable to create new content in namespace {namespace} because it is being terminated");
        return Err(ApiError::forbidden(&kind, text(value, "/metadata/name"), &why).with_causes(json!([{
            "reason": "NamespaceTerminating",
            "message": format!("namespace {namespace} is being terminated"),
            "field": "metadata.namespace",
        }])));
    }
    Ok(())
}

fn choose_name(state: &State, kind: KindId, namespace: &str, value: &mut Value) -> ApiResult<String> {
    let name = text(value, "/metadata/name").to_owned();
    if !name.is_empty() {
        return Ok(name);
    }
    let base = text(value, "/metadata/generateName").to_owned();
    if base.is_empty() {
        let cause = Cause::required("metadata.name", "name or generateName is required");
        return Err(ApiError::invalid(&kind, "", vec![cause]));
    }
    let base: String = base.chars().take(58).collect();
    loop {
        let name = format!("{base}{}", clock::suffix());
        if state.find(kind, namespace, &name).is_none() {
            set(value, &["metadata", "name"], name.as_str());
            return Ok(name);
        }
    }
}

/// Drops what a client may not set at creation and gives the initial status.
fn prepare(kind: KindId, namespace: &str, value: &mut Value) {
    set(value, &["kind"], kind.kind);
    set(value, &["apiVersion"], kind.api_version());
    for name in ["uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink"] {
        remove(value, &["metadata", name]);
    }
    // Kinds that do not count generations keep whatever a client says.
    if kind.generation {
        remove(value, &["metadata", "generation"]);
    }
    if kind.namespaced {
        set(value, &["metadata", "namespace"], namespace);
    } else {
        remove(value, &["metadata", "namespace"]);
    }
    if kind == kinds::NAMESPACES {
        set(value, &["spec", "finalizers"], json!(["kubernetes"]));
    }
    if kind.status {
        object(value, &["spec"]);
        if kind != kinds::NODES {
            remove(value, &["status"]);
        }
    }
    defaults::initial_status(kind, value);
}

/// Identity that the server gives: uid, time, generation.
fn identify(kind: KindId, value: &mut Value) {
    let metadata = object(value, &["metadata"]);
    metadata.insert("uid".to_owned(), json!(uuid::Uuid::new_v4().to_string()));
    metadata.insert("creationTimestamp".to_owned(), json!(clock::now()));
    if kind.generation {
        default(metadata, "generation", 1);
    }
    if kind == kinds::JOBS {
        admit::job_selector(value);
    }
}

/// Records what the creator owns: all but the status and the finalizers of a namespace.
fn own(value: &mut Value, writer: &Writer) {
    let mut owned = value.clone();
    remove(&mut owned, &["status"]);
    if text(&owned, "/kind") == "Namespace" {
        remove(&mut owned, &["spec"]);
    }
    record_update(None, &mut owned, &writer.manager);
    if let Some(fields) = owned.pointer("/metadata/managedFields") {
        set(value, &["metadata", "managedFields"], fields.clone());
    }
}
