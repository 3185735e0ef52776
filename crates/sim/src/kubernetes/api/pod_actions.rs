//! Small writes: eviction and binding of pods, tokens of service accounts.

use axum::extract::Request;
use axum::response::Response;
use serde_json::{Value, json};

use super::body;
use super::path::Target;
use super::respond::Respond;
use crate::kubernetes::cluster::Cluster;
use crate::kubernetes::json::{int, map, matches, set, text};
use crate::kubernetes::kinds;
use crate::kubernetes::registry::{self, DeleteOptions, Part, Writer};
use crate::kubernetes::status::{ApiError, ApiResult, Cause};
use crate::kubernetes::storage::{Key, State};
use crate::kubernetes::{clock, json as values};

async fn json_body(request: Request) -> ApiResult<Value> {
    let (_, bytes) = body::read(request).await?;
    serde_json::from_slice(&bytes).map_err(|error| ApiError::bad_request(error.to_string()))
}

fn success(code: u16) -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": code})
}

/// POST of an Eviction: a deletion that disruption budgets may refuse.
pub(super) async fn evict(
    cluster: &Cluster,
    target: &Target,
    request: Request,
    respond: &Respond,
) -> ApiResult<Response> {
    let eviction = json_body(request).await?;
    let key = Key::new(target.kind, &target.namespace, &target.name);
    let options = DeleteOptions { grace: int(&eviction, "/deleteOptions/gracePeriodSeconds"), ..Default::default() };
    cluster.write(|state| -> ApiResult<()> {
        let pod = state.get(&key).cloned().ok_or_else(|| ApiError::not_found(&target.kind, &target.name))?;
        if let Some(refusal) = budget(state, &target.namespace, &pod) {
            return Err(refusal);
        }
        registry::delete(state, &key, &options).map(|_| ())
    })?;
    Ok(respond.json(201, &success(201)))
}

fn budget(state: &State, namespace: &str, pod: &Value) -> Option<ApiError> {
    let labels = map(pod, "/metadata/labels");
    let running = text(pod, "/status/phase") == "Running";
    let (key, budget) = state
        .list(kinds::PDBS, namespace)
        .find(|(_, budget)| running && matches(map(budget, "/spec/selector/matchLabels"), labels))?;
    if int(budget, "/status/disruptionsAllowed").unwrap_or(0) > 0 {
        return None;
    }
    let healthy = int(budget, "/status/currentHealthy").unwrap_or(0);
    let desired = int(budget, "/status/desiredHealthy").unwrap_or(0);
    let message =
        format!("The disruption budget {} needs {desired} healthy pods and has {healthy} currently", key.name);
    let mut error =
        ApiError::new(429, "TooManyRequests", "Cannot evict pod as it would violate the pod's disruption budget.");
    error.details = Some(json!({"causes": [{"reason": "DisruptionBudget", "message": message}]}));
    Some(error)
}

/// POST of a Binding: gives a pod its node.
pub(super) async fn bind(
    cluster: &Cluster,
    target: &Target,
    request: Request,
    respond: &Respond,
) -> ApiResult<Response> {
    let binding = json_body(request).await?;
    let key = Key::new(target.kind, &target.namespace, &target.name);
    let writer = Writer::update("unknown", target.kind, "binding");
    cluster.write(|state| -> ApiResult<()> {
        let pod = state.get(&key).cloned().ok_or_else(|| ApiError::not_found(&target.kind, &target.name))?;
        let mut next = (*pod).clone();
        set(&mut next, &["spec", "nodeName"], text(&binding, "/target/name"));
        registry::update(state, &key, next, &writer, Part::Whole).map(|_| ())
    })?;
    Ok(respond.json(201, &success(201)))
}

/// POST of a TokenRequest.
pub(super) async fn token(
    cluster: &Cluster,
    target: &Target,
    request: Request,
    respond: &Respond,
) -> ApiResult<Response> {
    let wanted = json_body(request).await?;
    if cluster.read(|state| state.find(target.kind, &target.namespace, &target.name).is_none()) {
        return Err(ApiError::not_found(&target.kind, &target.name));
    }
    let seconds = int(&wanted, "/spec/expirationSeconds").unwrap_or(3600);
    if seconds < 600 {
        let detail = "may not specify a duration less than 10 minutes";
        let cause = Cause::invalid("spec.expirationSeconds", &json!(seconds), detail);
        return Err(ApiError::invalid_of("authentication.k8s.io", "TokenRequest", "", vec![cause]));
    }
    let audiences = match values::list(&wanted, "/spec/audiences") {
        [] => json!(["https://kubernetes.default.svc"]),
        given => json!(given),
    };
    Ok(respond.json(
        201,
        &json!({
            "kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1",
            "metadata": {"name": target.name, "namespace": target.namespace, "creationTimestamp": clock::now()},
            "spec": {"audiences": audiences, "expirationSeconds": seconds, "boundObjectRef": null},
            "status": {
                "token": format!("sim-account.{}", uuid::Uuid::new_v4().simple()),
                "expirationTimestamp": clock::after(seconds),
            },
        }),
    ))
}
