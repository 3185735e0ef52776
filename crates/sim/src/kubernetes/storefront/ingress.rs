//! The ingress controller: finds the Service of a host and path, by an Ingress or an HTTPRoute, and lets a ready pod
//! answer.

use std::sync::Arc;

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::header::HOST;
use axum::response::Response;
use serde_json::Value;

use super::{Page, Visit, html, routes, serve};
use crate::kubernetes::api::has_port;
use crate::kubernetes::cluster::Cluster;
use crate::kubernetes::json::{at, int, list, text};
use crate::kubernetes::kinds;
use crate::kubernetes::storage;

/// The largest body that passes, in bytes (the default of ingress-nginx).
const BODY_LIMIT: usize = 1024 * 1024;

/// The router of the ingress listener.
pub(crate) fn router(cluster: Arc<Cluster>) -> Router {
    Router::new().fallback(handle).with_state(cluster)
}

async fn handle(State(cluster): State<Arc<Cluster>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let host = parts
        .headers
        .get(HOST)
        .and_then(|host| host.to_str().ok())
        .map(str::to_owned)
        .or_else(|| parts.uri.authority().map(ToString::to_string))
        .unwrap_or_default();
    let Ok(bytes) = to_bytes(body, BODY_LIMIT).await else {
        return Page::html(413, html::plain("413", "<h1>413 Request Entity Too Large</h1>")).into_response();
    };
    let path = parts.uri.path().to_owned();
    let name = host.split(':').next().unwrap_or_default();
    let found = cluster.read(|state| {
        let found = backend(state, &cluster, name, &path);
        found.or_else(|| routes::backend(state, &cluster, name, &path))
    });
    match found {
        None => not_found(),
        Some(Backend::Broken) => {
            let body = "<h1>500 Internal Server Error</h1>";
            Page::html(500, html::plain("500 Internal Server Error", body)).into_response()
        }
        Some(Backend::Unready) => {
            let body = "<h1>503 Service Temporarily Unavailable</h1>";
            Page::html(503, html::plain("503 Service Temporarily Unavailable", body)).into_response()
        }
        Some(Backend::Pod { namespace, pod }) => {
            let visit = Visit {
                method: parts.method,
                host,
                path,
                query: parts.uri.query().unwrap_or_default().to_owned(),
                headers: parts.headers,
                body: bytes,
                prefix: String::new(),
                proxied: false,
            };
            serve(&cluster, &namespace, &pod, visit)
        }
    }
}

fn not_found() -> Response {
    Page::html(404, html::plain("404 Not Found", "<h1>404 Not Found</h1>")).into_response()
}

/// What answers for a host and a path.
pub(super) enum Backend {
    /// A Service that is not there.
    Broken,
    /// A Service without a ready pod.
    Unready,
    /// A pod.
    Pod { namespace: String, pod: String },
}

fn backend(state: &storage::State, cluster: &Cluster, host: &str, path: &str) -> Option<Backend> {
    for (key, ingress) in state.list(kinds::INGRESSES, "") {
        // An Ingress that has no address yet is not served yet.
        if list(ingress, "/status/loadBalancer/ingress").is_empty() {
            continue;
        }
        for rule in list(ingress, "/spec/rules") {
            let wanted = text(rule, "/host");
            let fits = wanted.is_empty()
                || wanted.eq_ignore_ascii_case(host)
                || wanted.strip_prefix('*').is_some_and(|suffix| host.ends_with(suffix));
            if !fits {
                continue;
            }
            let found = list(rule, "/http/paths")
                .iter()
                .filter(|entry| serves(entry, path))
                .max_by_key(|entry| text(entry, "/path").len());
            if let Some(entry) = found {
                return Some(behind(state, cluster, &key.namespace, at(entry, "/backend/service")));
            }
        }
    }
    None
}

fn serves(entry: &Value, path: &str) -> bool {
    let wanted = text(entry, "/path");
    if text(entry, "/pathType") == "Exact" {
        return wanted == path;
    }
    let prefix = wanted.trim_end_matches('/');
    path == prefix || path.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('/')) || prefix.is_empty()
}

fn behind(state: &storage::State, cluster: &Cluster, namespace: &str, service: &Value) -> Backend {
    let port = match text(service, "/port/name") {
        "" => int(service, "/port/number").map(|number| number.to_string()).unwrap_or_default(),
        name => name.to_owned(),
    };
    behind_port(state, cluster, namespace, text(service, "/name"), &port)
}

/// The pod behind a port of a Service whose turn it is, by what the network knows.
pub(super) fn behind_port(
    state: &storage::State,
    cluster: &Cluster,
    namespace: &str,
    service: &str,
    port: &str,
) -> Backend {
    let found = state.find(kinds::SERVICES, namespace, service).filter(|service| has_port(service, port));
    match found.and_then(|_| cluster.plane.next(namespace, service, cluster.timing.endpoints)) {
        Some(pod) => Backend::Pod { namespace: namespace.to_owned(), pod },
        None => Backend::Unready,
    }
}
