//! Create, replace and delete.

use std::sync::Arc;

use axum::extract::Request;
use axum::response::Response;
use serde_json::{Value, json};

use super::body::{self, Strictness};
use super::path::Target;
use super::query::Query;
use super::respond::Respond;
use crate::kubernetes::cluster::Cluster;
use crate::kubernetes::json::{set, text};
use crate::kubernetes::kinds;
use crate::kubernetes::registry::{self, DeleteOptions, Deleted, Part, Propagation, Writer};
use crate::kubernetes::status::{ApiError, ApiResult, Cause};
use crate::kubernetes::storage::Key;

/// A writer by updates, as the query and the user agent name it.
pub(super) fn writer(target: &Target, query: &Query, respond: &Respond, options: &str) -> ApiResult<Writer> {
    let name = query.manager(respond.agent.as_deref(), options)?;
    let mut writer = Writer::update(&name, target.kind, &target.subresource);
    writer.dry_run = query.dry_run(options)?;
    Ok(writer)
}

/// POST to a collection.
pub(super) async fn create(
    cluster: &Cluster,
    target: &Target,
    query: &Query,
    request: Request,
    respond: &Respond,
) -> ApiResult<Response> {
    if target.kind.namespaced && target.namespace.is_empty() {
        return Err(ApiError::method());
    }
    let strictness = body::strictness(query, "CreateOptions")?;
    let writer = writer(target, query, respond, "CreateOptions")?;
    let (headers, bytes) = body::read(request).await?;
    let (value, warnings) = body::object(target.kind, &headers, &bytes, strictness)?;
    same_namespace(target, &value)?;
    let created = cluster.write(|state| registry::create(state, target.kind, &target.namespace, value, &writer))?;
    Ok(respond.warned(201, target.kind, &created, &warnings))
}

pub(super) fn same_namespace(target: &Target, value: &Value) -> ApiResult<()> {
    let found = text(value, "/metadata/namespace");
    if target.kind.namespaced && !found.is_empty() && found != target.namespace {
        return Err(ApiError::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    Ok(())
}

/// The part of an object that a subresource writes.
pub(super) fn part(target: &Target) -> Part {
    match target.subresource.as_str() {
        "status" => Part::Status,
        "finalize" => Part::Finalize,
        _ => Part::Main,
    }
}

/// PUT to an object.
pub(super) async fn replace(
    cluster: &Cluster,
    target: &Target,
    query: &Query,
    request: Request,
    respond: &Respond,
) -> ApiResult<Response> {
    let strictness = body::strictness(query, "UpdateOptions")?;
    let writer = writer(target, query, respond, "UpdateOptions")?;
    let (headers, bytes) = body::read(request).await?;
    let (value, warnings) = body::object(target.kind, &headers, &bytes, strictness)?;
    same_namespace(target, &value)?;
    let name = text(&value, "/metadata/name");
    if name != target.name {
        let message = if name.is_empty() {
            "name must be provided".to_owned()
        } else {
            format!("the name of the object ({name}) does not match the name on the URL ({})", target.name)
        };
        return Err(ApiError::bad_request(message));
    }
    let key = Key::new(target.kind, &target.namespace, &target.name);
    let updated = cluster.write(|state| registry::update(state, &key, value, &writer, part(target)))?;
    Ok(respond.warned(200, target.kind, &updated, &warnings))
}

/// The options of a deletion, from the query and the body.
pub(super) async fn options(query: &Query, request: Request) -> ApiResult<DeleteOptions> {
    let dry_run = query.dry_run("DeleteOptions")?;
    let (_, bytes) = body::read(request).await?;
    let value: Value = if bytes.iter().all(u8::is_ascii_whitespace) {
        Value::Null
    } else {
        serde_json::from_slice(&bytes)
            .map_err(|error| ApiError::bad_request(format!("couldn't get version/kind; json parse error: {error}")))?
    };
    let kind = text(&value, "/kind");
    if !kind.is_empty() && kind != "DeleteOptions" {
        let version = text(&value, "/apiVersion");
        return Err(ApiError::bad_request(format!(
            "no kind {kind:?} is registered for version {version:?} in scheme \
             \"pkg/apis/meta/internalversion/scheme/register.go:27\""
        )));
    }
    let body = value.as_object();
    let invalid = |cause: Cause| ApiError::invalid_of("meta.k8s.io", "DeleteOptions", "", vec![cause]);
    let named = query.over(body, "propagationPolicy");
    let orphan = body.and_then(|body| body.get("orphanDependents")).and_then(Value::as_bool);
    if orphan.is_some() && !named.is_null() {
        let detail = "orphanDependents and deletionPropagation cannot be both set";
        return Err(invalid(Cause::invalid("propagationPolicy", &named, detail)));
    }
    let propagation = match (named.as_str(), orphan) {
        (Some("Foreground"), _) => Some(Propagation::Foreground),
        (Some("Background"), _) => Some(Propagation::Background),
        (Some("Orphan"), _) | (None, Some(true)) => Some(Propagation::Orphan),
        (None, Some(false)) => Some(Propagation::Background),
        (None, None) => None,
        (Some(_), _) => {
            let supported = ["Foreground", "Background", "Orphan", "nil"];
            return Err(invalid(Cause::unsupported("propagationPolicy", &named, &supported)));
        }
    };
    let precondition = |name: &str| {
        let found = text(&value, &format!("/preconditions/{name}"));
        (!found.is_empty()).then(|| found.to_owned())
    };
    Ok(DeleteOptions {
        propagation,
        grace: query.over(body, "gracePeriodSeconds").as_i64(),
        uid: precondition("uid"),
        resource_version: precondition("resourceVersion"),
        dry_run: dry_run || body.and_then(|body| body.get("dryRun")) == Some(&json!(["All"])),
    })
}

/// DELETE of an object.
pub(super) async fn delete(
    cluster: &Cluster,
    target: &Target,
    query: &Query,
    request: Request,
    respond: &Respond,
) -> ApiResult<Response> {
    if !target.subresource.is_empty() {
        return Err(ApiError::method());
    }
    let options = options(query, request).await?;
    let key = Key::new(target.kind, &target.namespace, &target.name);
    let deleted = cluster.write(|state| registry::delete(state, &key, &options))?;
    let warnings = if target.kind == kinds::JOBS && options.propagation.is_none() {
        vec![
            "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove \
             them or set propagationPolicy=Orphan to suppress this warning"
                .to_owned(),
        ]
    } else {
        Vec::new()
    };
    Ok(answer(target, &deleted, respond, &warnings))
}

fn answer(target: &Target, deleted: &Deleted, respond: &Respond, warnings: &[String]) -> Response {
    if deleted.held || target.kind.delete_returns_object {
        return respond.warned(200, target.kind, &deleted.object, warnings);
    }
    let mut details = json!({"name": target.name});
    if !target.kind.group.is_empty() {
        set(&mut details, &["group"], target.kind.group);
    }
    set(&mut details, &["kind"], target.kind.plural);
    set(&mut details, &["uid"], text(&deleted.object, "/metadata/uid"));
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details,
    });
    respond.json(200, &status)
}

/// The strictness and writer of a patch.
pub(super) fn patch_options(target: &Target, query: &Query, respond: &Respond) -> ApiResult<(Strictness, Writer)> {
    Ok((body::strictness(query, "PatchOptions")?, writer(target, query, respond, "PatchOptions")?))
}

/// An object that a write returned, shared.
pub(super) type Written = Arc<Value>;
