//! The API of the metrics server (`metrics.k8s.io/v1beta1`): what pods and nodes use now.
//!
//! No container does any work here, so the numbers are made up: steady ones for each container, with a slow swing.

use axum::extract::Request;
use axum::http::Method;
use axum::response::Response;
use serde_json::{Value, json};

use super::query::Query;
use super::respond::Respond;
use super::selectors::Selectors;
use crate::kubernetes::clock;
use crate::kubernetes::cluster::Cluster;
use crate::kubernetes::json::{list, map, text};
use crate::kubernetes::kinds;
use crate::kubernetes::status::{ApiError, ApiResult};

/// The group, as discovery names it.
const GROUP: &str = "metrics.k8s.io";
const GROUP_VERSION: &str = "metrics.k8s.io/v1beta1";
/// Over how long a measurement is taken.
const WINDOW: &str = "15s";

/// Answers a path below the group; `None` for any other path, and in a cluster without a metrics server.
pub(super) fn serve(
    cluster: &Cluster,
    path: &str,
    query: &Query,
    request: &Request,
    respond: &Respond,
) -> Option<ApiResult<Response>> {
    let rest = path.strip_prefix("/apis/metrics.k8s.io").filter(|_| cluster.metrics)?;
    let parts: Vec<&str> = rest.split('/').filter(|part| !part.is_empty()).collect();
    if request.method() != Method::GET {
        return Some(Err(ApiError::method()));
    }
    Some(answer(cluster, &parts, query).map(|body| respond.json(200, &body)))
}

fn answer(cluster: &Cluster, parts: &[&str], query: &Query) -> ApiResult<Value> {
    let selectors = Selectors::labelled(query.get("labelSelector"))?;
    let pods = |namespace: &str| -> Vec<Value> {
        cluster.read(|state| {
            let all = state.list(kinds::PODS, namespace).map(|(_, pod)| pod);
            let running = all.filter(|pod| text(pod, "/status/phase") == "Running" && selectors.matches(pod));
            running.map(|pod| pod_usage(pod)).collect()
        })
    };
    let of = |kind: &str, items: Vec<Value>| json!({"kind": kind, "apiVersion": GROUP_VERSION, "metadata": {}, "items": items});
    match parts {
        [] => Ok(group()),
        ["v1beta1"] => Ok(json!({
            "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": GROUP_VERSION,
            "resources": [
                {"name": "nodes", "singularName": "", "namespaced": false, "kind": "NodeMetrics", "verbs": ["get", "list"]},
                {"name": "pods", "singularName": "", "namespaced": true, "kind": "PodMetrics", "verbs": ["get", "list"]},
            ],
        })),
        ["v1beta1", "pods"] => Ok(of("PodMetricsList", pods(""))),
        ["v1beta1", "namespaces", namespace, "pods"] => Ok(of("PodMetricsList", pods(namespace))),
        ["v1beta1", "namespaces", namespace, "pods", name] => {
            let found = pods(namespace).into_iter().find(|pod| text(pod, "/metadata/name") == *name);
            let missing = || {
                ApiError::new(404, "NotFound", format!("podmetrics.metrics.k8s.io \"{namespace}/{name}\" not found"))
            };
            let mut found = found.ok_or_else(missing)?;
            if let Some(fields) = found.as_object_mut() {
                fields.insert("kind".to_owned(), json!("PodMetrics"));
                fields.insert("apiVersion".to_owned(), json!(GROUP_VERSION));
            }
            Ok(found)
        }
        ["v1beta1", "nodes"] => {
            let all = pods("");
            let nodes = cluster.read(|state| {
                let nodes = state.list(kinds::NODES, "");
                nodes.map(|(_, node)| node_usage(text(node, "/metadata/name"), &all)).collect::<Vec<_>>()
            });
            Ok(of("NodeMetricsList", nodes))
        }
        _ => Err(ApiError::no_page()),
    }
}

/// The entry of the list of groups.
pub(super) fn entry() -> Value {
    let version = json!({"groupVersion": GROUP_VERSION, "version": "v1beta1"});
    json!({"name": GROUP, "versions": [version], "preferredVersion": version})
}

/// The same in aggregated discovery.
pub(super) fn aggregated() -> Value {
    let resource = |plural: &str, kind: &str, scope: &str| {
        json!({
            "resource": plural, "responseKind": {"group": GROUP, "version": "v1beta1", "kind": kind}, "scope": scope,
            "singularResource": "", "verbs": ["get", "list"],
        })
    };
    let resources = [resource("nodes", "NodeMetrics", "Cluster"), resource("pods", "PodMetrics", "Namespaced")];
    let version = json!({"version": "v1beta1", "resources": resources, "freshness": "Current"});
    json!({"metadata": {"name": GROUP}, "versions": [version]})
}

fn group() -> Value {
    let mut group = json!({"kind": "APIGroup", "apiVersion": "v1"});
    if let (Some(fields), Some(entry)) = (group.as_object_mut(), entry().as_object()) {
        fields.extend(entry.clone());
    }
    group
}

fn pod_usage(pod: &Value) -> Value {
    let uid = text(pod, "/metadata/uid");
    let containers: Vec<Value> = list(pod, "/spec/containers")
        .iter()
        .map(|container| {
            let name = text(container, "/name");
            let (cpu, memory) = load(&format!("{uid}/{name}"));
            json!({"name": name, "usage": {"cpu": format!("{cpu}n"), "memory": format!("{memory}Ki")}})
        })
        .collect();
    json!({
        "metadata": {
            "name": text(pod, "/metadata/name"), "namespace": text(pod, "/metadata/namespace"),
            "creationTimestamp": clock::now(), "labels": map(pod, "/metadata/labels").cloned().unwrap_or_default(),
        },
        "timestamp": clock::now(), "window": WINDOW, "containers": containers,
    })
}

fn node_usage(name: &str, pods: &[Value]) -> Value {
    let used = |field: &str, unit: &str| -> u64 {
        let containers = pods.iter().flat_map(|pod| list(pod, "/containers"));
        containers.filter_map(|container| text(container, field).strip_suffix(unit)?.parse::<u64>().ok()).sum()
    };
    let (cpu, memory) = (used("/usage/cpu", "n"), used("/usage/memory", "Ki"));
    json!({
        "metadata": {"name": name, "creationTimestamp": clock::now()},
        "timestamp": clock::now(), "window": WINDOW,
        "usage": {"cpu": format!("{}n", cpu + 180_000_000), "memory": format!("{}Ki", memory + 900_000)},
    })
}

/// CPU in billionths of a core and memory in KiB: steady for each container, CPU with a swing of ten minutes.
fn load(seed: &str) -> (u64, u64) {
    let hash = seed
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    let minute =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs() / 15);
    let swing = (minute.wrapping_add(hash % 40)) % 40;
    let swing = if swing > 20 { 40 - swing } else { swing };
    (2_000_000 + hash % 30_000_000 + swing * 1_000_000, 24_000 + hash % 90_000)
}
