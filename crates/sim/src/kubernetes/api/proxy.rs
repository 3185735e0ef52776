//! `services/<name>:<port>/proxy/` and `pods/<name>:<port>/proxy/`.

use std::sync::Arc;

use axum::extract::Request;
use axum::http::header::{HOST, LOCATION};
use axum::http::{HeaderValue, Method};
use axum::response::Response;
use serde_json::Value;
use url::Url;

use super::body;
use super::path::Target;
use crate::kubernetes::cluster::Cluster;
use crate::kubernetes::json::{int, list, text};
use crate::kubernetes::kinds;
use crate::kubernetes::status::{ApiError, ApiResult};
use crate::kubernetes::storage::State;
use crate::kubernetes::storefront::{self, Visit};

/// Passes a request on to what runs behind a Service or in a pod.
pub(super) async fn serve(cluster: &Arc<Cluster>, target: &Target, request: Request) -> ApiResult<Response> {
    let (name, port) = split(&target.name);
    let (namespace, rest) = (target.namespace.clone(), target.rest.clone());
    let pod = cluster.read(|state| {
        if target.kind == kinds::SERVICES {
            behind_service(state, &namespace, &name, &port)
        } else {
            match state.find(kinds::PODS, &namespace, &name) {
                None => Err(ApiError::not_found(&kinds::PODS, &name)),
                Some(pod) if text(pod, "/status/podIP").is_empty() => Err(ApiError::bad_request("address not allowed")),
                Some(_) => Ok(name.clone()),
            }
        }
    })?;
    let query = request.uri().query().unwrap_or_default().to_owned();
    let prefix = request.uri().path().strip_suffix(&rest).unwrap_or_default().trim_end_matches('/').to_owned();
    let method = request.method().clone();
    if !matches!(method, Method::GET | Method::HEAD | Method::POST) {
        return Err(ApiError::method());
    }
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default().to_owned();
    let (headers, bytes) = body::read(request).await?;
    let rewrite = Rewrite { host: host.clone(), prefix: prefix.clone() };
    let visit = Visit { method, host, path: format!("/{rest}"), query, headers, body: bytes, prefix, proxied: true };
    let mut answer = storefront::serve(cluster, &namespace, &pod, visit);
    if let Some(location) =
        answer.headers().get(LOCATION).and_then(|location| rewrite.location(location.to_str().ok()?))
    {
        answer.headers_mut().insert(LOCATION, location);
    }
    Ok(answer)
}

/// What the API server does to a redirect (`apimachinery/pkg/util/proxy`): one to the host that was asked for gets the
/// server's own path in front; one to another host is left as it is.
struct Rewrite {
    host: String,
    prefix: String,
}

impl Rewrite {
    fn location(&self, location: &str) -> Option<HeaderValue> {
        let mut url = Url::parse(location).ok()?;
        let host = url.host_str()?;
        let authority = url.port().map(|port| format!("{host}:{port}")).unwrap_or_else(|| host.to_owned());
        if authority != self.host || url.path().starts_with(&self.prefix) {
            return None;
        }
        url.set_path(&format!("{}{}", self.prefix, url.path()));
        HeaderValue::from_str(url.as_str()).ok()
    }
}

/// `http:web:80` or `web:80` or `web` as name and port.
fn split(name: &str) -> (String, String) {
    let parts: Vec<&str> = name.split(':').collect();
    match parts.as_slice() {
        [_, name, port] => ((*name).to_owned(), (*port).to_owned()),
        [name, port] => ((*name).to_owned(), (*port).to_owned()),
        _ => (name.to_owned(), String::new()),
    }
}

/// A ready pod behind a Service's port.
fn behind_service(state: &State, namespace: &str, name: &str, port: &str) -> ApiResult<String> {
    let Some(service) = state.find(kinds::SERVICES, namespace, name) else {
        return Err(ApiError::not_found(&kinds::SERVICES, name));
    };
    let none = || {
        let asked = if port.is_empty() { name.to_owned() } else { format!("{name}:{port}") };
        ApiError::new(503, "ServiceUnavailable", format!("no endpoints available for service {asked:?}"))
    };
    let has_slice = state
        .list(kinds::ENDPOINTSLICES, namespace)
        .any(|(_, slice)| text(slice, "/metadata/labels/kubernetes.io~1service-name") == name);
    if !has_slice {
        return Err(ApiError::not_found(&kinds::SERVICES, name));
    }
    if !has_port(service, port) {
        return Err(none());
    }
    state
        .list(kinds::ENDPOINTSLICES, namespace)
        .filter(|(_, slice)| text(slice, "/metadata/labels/kubernetes.io~1service-name") == name)
        .flat_map(|(_, slice)| list(slice, "/endpoints"))
        .find(|endpoint| endpoint.pointer("/conditions/ready") == Some(&Value::Bool(true)))
        .map(|endpoint| text(endpoint, "/targetRef/name").to_owned())
        .ok_or_else(none)
}

pub(crate) fn has_port(service: &Value, port: &str) -> bool {
    list(service, "/spec/ports").iter().any(|known| {
        let named = text(known, "/name");
        if port.is_empty() {
            named.is_empty()
        } else {
            named == port || int(known, "/port").map(|n| n.to_string()).as_deref() == Some(port)
        }
    })
}
