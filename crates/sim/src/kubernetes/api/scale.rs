//! The scale subresource (`autoscaling/v1` Scale).

use axum::extract::Request;
use axum::http::Method;
use axum::response::Response;
use serde_json::{Value, json};

use super::path::Target;
use super::query::Query;
use super::respond::Respond;
use super::{body, patch, write};
use crate::kubernetes::cluster::Cluster;
use crate::kubernetes::json::{at, int, map, set, text};
use crate::kubernetes::registry::{self, Part, Writer};
use crate::kubernetes::status::{ApiError, ApiResult, Cause};
use crate::kubernetes::storage::{Key, State};

/// Serves GET, PUT and PATCH of a scale.
pub(super) async fn serve(
    cluster: &Cluster,
    target: &Target,
    query: &Query,
    request: Request,
    respond: &Respond,
) -> ApiResult<Response> {
    let key = Key::new(target.kind, &target.namespace, &target.name);
    let method = request.method().clone();
    if method == Method::GET {
        let scale = cluster.read(|state| live(state, &key).map(|object| scale_of(&object)))?;
        return Ok(respond.json(200, &scale));
    }
    if method != Method::PUT && method != Method::PATCH {
        return Err(ApiError::method());
    }
    let writer = write::writer(target, query, respond, "UpdateOptions")?;
    let (headers, bytes) = body::read(request).await?;
    let how = (method == Method::PATCH).then(|| patch::kind_of(&body::media(&headers))).transpose()?;
    let updated = cluster.write(|state| -> ApiResult<Value> {
        let object = live(state, &key)?;
        let wanted = match how {
            Some(how) => patch::patched(how, &scale_of(&object), &bytes)?,
            None => serde_json::from_slice(&bytes).map_err(|error| ApiError::bad_request(error.to_string()))?,
        };
        change(state, &key, &object, &wanted, &writer)
    })?;
    Ok(respond.json(200, &updated))
}

fn live(state: &State, key: &Key) -> ApiResult<Value> {
    state.get(key).map(|object| (**object).clone()).ok_or_else(|| ApiError::not_found(&key.kind, &key.name))
}

fn change(state: &mut State, key: &Key, object: &Value, wanted: &Value, writer: &Writer) -> ApiResult<Value> {
    let version = text(wanted, "/metadata/resourceVersion");
    if !version.is_empty() && version != text(object, "/metadata/resourceVersion") {
        return Err(ApiError::stale(&key.kind, &key.name));
    }
    let replicas = int(wanted, "/spec/replicas").unwrap_or(0);
    if replicas < 0 {
        let cause = Cause::invalid("spec.replicas", &json!(replicas), "must be greater than or equal to 0");
        return Err(ApiError::invalid_of("autoscaling", "Scale", &key.name, vec![cause]));
    }
    let mut next = object.clone();
    set(&mut next, &["spec", "replicas"], replicas);
    let updated = registry::update(state, key, next, writer, Part::Main)?;
    Ok(scale_of(&updated))
}

fn scale_of(object: &Value) -> Value {
    let mut metadata = json!({});
    for name in ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"] {
        set(&mut metadata, &[name], at(object, &format!("/metadata/{name}")).clone());
    }
    let mut spec = json!({});
    if let Some(replicas) = int(object, "/spec/replicas").filter(|replicas| *replicas != 0) {
        set(&mut spec, &["replicas"], replicas);
    }
    let mut status = json!({"replicas": int(object, "/status/replicas").unwrap_or(0)});
    let mut pairs: Vec<String> = map(object, "/spec/selector/matchLabels")
        .into_iter()
        .flatten()
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
        .collect();
    pairs.sort();
    if !pairs.is_empty() {
        set(&mut status, &["selector"], pairs.join(","));
    }
    json!({"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": metadata, "spec": spec, "status": status})
}
