//! Discovery, version and health.

use axum::extract::Request;
use axum::http::Method;
use axum::http::header::ACCEPT;
use axum::response::Response;
use serde_json::{Value, json};

use super::path::{Document, serves};
use super::respond::{Respond, with};
use crate::kubernetes::cluster::Cluster;
use crate::kubernetes::gateway;
use crate::kubernetes::kinds::{self, KindId};
use crate::kubernetes::status::{ApiError, ApiResult};

/// The version that the simulator speaks.
pub(crate) const VERSION: &str = "v1.36.2";

/// Serves a document: of what every cluster has, and of what this one has beside it.
pub(super) fn serve(
    document: &Document,
    request: &Request,
    respond: &Respond,
    cluster: &Cluster,
) -> ApiResult<Response> {
    let (metrics, gateway_api) = (cluster.metrics, cluster.gateway_api);
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return Err(ApiError::method());
    }
    let accept = request.headers().get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let aggregated = accept.split(',').next().is_some_and(|first| first.contains("as=APIGroupDiscoveryList"));
    let body = match document {
        Document::Health => return Ok(with(200, "text/plain; charset=utf-8", "ok")),
        Document::Version => version(),
        Document::Root => root(gateway_api),
        Document::Core if aggregated => return Ok(aggregate(&[""], false)),
        Document::Groups if aggregated => return Ok(aggregate(&groups(gateway_api), metrics)),
        Document::Core => json!({
            "kind": "APIVersions", "versions": ["v1"],
            "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": "127.0.0.1:6443"}],
        }),
        Document::CoreV1 => resources("", "v1"),
        Document::Groups => {
            let mut groups: Vec<Value> = groups(gateway_api).into_iter().map(group).collect();
            if metrics {
                groups.push(super::usage::entry());
            }
            json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
        }
        Document::Group(name) => {
            let mut found = json!({"kind": "APIGroup", "apiVersion": "v1"});
            if let (Some(map), Some(rest)) = (found.as_object_mut(), group(name).as_object()) {
                map.extend(rest.clone());
            }
            found
        }
        Document::GroupVersion(group, version) => resources(group, version),
    };
    Ok(respond.json(200, &body))
}

fn version() -> Value {
    json!({
        "major": "1", "minor": "36", "emulationMajor": "1", "emulationMinor": "36", "minCompatibilityMajor": "1",
        "minCompatibilityMinor": "35", "gitVersion": VERSION,
        "gitCommit": "0000000000000000000000000000000000000000", "gitTreeState": "clean",
        "buildDate": "2026-01-01T00:00:00Z", "goVersion": "go1.26.10", "compiler": "gc", "platform": "linux/amd64",
    })
}

fn root(gateway_api: bool) -> Value {
    let mut paths = vec!["/api".to_owned(), "/api/v1".to_owned(), "/apis".to_owned()];
    for name in groups(gateway_api) {
        paths.push(format!("/apis/{name}"));
        paths.extend(versions(name).iter().map(|version| format!("/apis/{name}/{version}")));
    }
    paths.extend(["/healthz", "/livez", "/readyz", "/version"].map(str::to_owned));
    json!({"paths": paths})
}

fn groups(gateway_api: bool) -> Vec<&'static str> {
    let mut names = Vec::new();
    for kind in kinds::all() {
        let group = kind.entry().group;
        let installed = group != gateway::GROUP || gateway_api;
        if !group.is_empty() && installed && !names.contains(&group) {
            names.push(group);
        }
    }
    names
}

fn versions(group: &str) -> Vec<&'static str> {
    let mut found = Vec::new();
    for kind in kinds::all().filter(|kind| kind.group == group) {
        let version = kind.entry().version;
        if !found.contains(&version) {
            found.push(version);
        }
    }
    found
}

fn group(name: &str) -> Value {
    let versions: Vec<Value> = versions(name)
        .into_iter()
        .map(|version| json!({"groupVersion": format!("{name}/{version}"), "version": version}))
        .collect();
    let preferred = versions.first().cloned().unwrap_or_default();
    json!({"name": name, "versions": versions, "preferredVersion": preferred})
}

const VERBS: &[&str] = &["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
const NAMESPACE_VERBS: &[&str] = &["create", "delete", "get", "list", "patch", "update", "watch"];
const SUBRESOURCES: &[&str] = &["status", "scale", "finalize", "log", "exec", "eviction", "binding", "proxy", "token"];

fn verbs(kind: KindId) -> &'static [&'static str] {
    if kind == kinds::NAMESPACES { NAMESPACE_VERBS } else { VERBS }
}

/// The kind, version and verbs of a subresource.
fn subresource(kind: KindId, name: &str) -> (String, Option<(&'static str, &'static str)>, Vec<&'static str>) {
    match name {
        "scale" => ("Scale".to_owned(), Some(("autoscaling", "v1")), vec!["get", "patch", "update"]),
        "finalize" => (kind.kind.to_owned(), None, vec!["update"]),
        "log" => (kind.kind.to_owned(), None, vec!["get"]),
        "exec" => ("PodExecOptions".to_owned(), None, vec!["create", "get"]),
        "eviction" => ("Eviction".to_owned(), Some(("policy", "v1")), vec!["create"]),
        "binding" => ("Binding".to_owned(), None, vec!["create"]),
        "token" => ("TokenRequest".to_owned(), Some(("authentication.k8s.io", "v1")), vec!["create"]),
        "proxy" => {
            let kind = if kind == kinds::PODS { "PodProxyOptions" } else { "ServiceProxyOptions" };
            (kind.to_owned(), None, vec!["create", "delete", "get", "patch", "update"])
        }
        _ => (kind.kind.to_owned(), None, vec!["get", "patch", "update"]),
    }
}

fn resources(group: &str, version: &str) -> Value {
    let mut list = Vec::new();
    for kind in kinds::all().filter(|kind| kind.group == group && kind.version == version) {
        let mut entry = json!({
            "name": kind.plural, "singularName": kind.singular, "namespaced": kind.namespaced, "kind": kind.kind,
            "verbs": verbs(kind),
        });
        if let Some(map) = entry.as_object_mut() {
            if !kind.short.is_empty() {
                map.insert("shortNames".to_owned(), json!(kind.short));
            }
            if !kind.categories.is_empty() {
                map.insert("categories".to_owned(), json!(kind.categories));
            }
        }
        list.push(entry);
        for name in SUBRESOURCES.iter().filter(|name| serves(kind, name)) {
            let (subkind, other, verbs) = subresource(kind, name);
            let mut entry = json!({
                "name": format!("{}/{name}", kind.plural), "singularName": "", "namespaced": kind.namespaced,
                "kind": subkind, "verbs": verbs,
            });
            if let (Some(map), Some((group, version))) = (entry.as_object_mut(), other) {
                map.insert("group".to_owned(), json!(group));
                map.insert("version".to_owned(), json!(version));
            }
            list.push(entry);
        }
    }
    let group_version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": list})
}

/// Aggregated discovery (`apidiscovery.k8s.io/v2`).
fn aggregate(groups: &[&str], metrics: bool) -> Response {
    let mut items: Vec<Value> = groups
        .iter()
        .map(|group| {
            let versions: Vec<Value> =
                versions(group).into_iter().map(|version| aggregate_version(group, version)).collect();
            let metadata = if group.is_empty() { json!({"creationTimestamp": null}) } else { json!({"name": group}) };
            json!({"metadata": metadata, "versions": versions})
        })
        .collect();
    if metrics {
        items.push(super::usage::aggregated());
    }
    let list = json!({
        "kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items,
    });
    with(200, "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList", format!("{list}\n"))
}

fn aggregate_version(group: &str, version: &str) -> Value {
    let resources: Vec<Value> = kinds::all()
        .filter(|kind| kind.group == group && kind.version == version)
        .map(|kind| {
            let subresources: Vec<Value> = SUBRESOURCES
                .iter()
                .filter(|name| serves(kind, name))
                .map(|name| {
                    let (subkind, other, verbs) = subresource(kind, name);
                    let (group, version) = other.unwrap_or((kind.group, kind.version));
                    let response = json!({"group": group, "version": version, "kind": subkind});
                    json!({"subresource": name, "responseKind": response, "verbs": verbs})
                })
                .collect();
            let mut entry = json!({
                "resource": kind.plural,
                "responseKind": {"group": kind.group, "version": kind.version, "kind": kind.kind},
                "scope": if kind.namespaced { "Namespaced" } else { "Cluster" },
                "singularResource": kind.singular,
                "verbs": verbs(kind),
            });
            if let Some(map) = entry.as_object_mut() {
                if !kind.short.is_empty() {
                    map.insert("shortNames".to_owned(), json!(kind.short));
                }
                if !kind.categories.is_empty() {
                    map.insert("categories".to_owned(), json!(kind.categories));
                }
                if !subresources.is_empty() {
                    map.insert("subresources".to_owned(), json!(subresources));
                }
            }
            entry
        })
        .collect();
    json!({"version": version, "resources": resources, "freshness": "Current"})
}
