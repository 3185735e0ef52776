//! Authentication and authorization: the one bearer token is the administrator's; without any, a client is anonymous.

use axum::extract::Request;
use axum::http::header::AUTHORIZATION;
use subtle::ConstantTimeEq;

use super::path::{Document, Route};
use super::query::Query;
use crate::kubernetes::cluster::Cluster;
use crate::kubernetes::faults;
use crate::kubernetes::status::{ApiError, ApiResult};
use serde_json::json;

/// Lets the administrator pass, and anonymous clients to health and version.
pub(super) fn check(cluster: &Cluster, request: &Request, route: &Route, query: &Query) -> ApiResult<()> {
    let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    if let Some(token) = header.and_then(|header| header.strip_prefix("Bearer ")) {
        let known = cluster.read(|state| bool::from(state.token().as_bytes().ct_eq(token.trim().as_bytes())));
        return if known { Ok(()) } else { Err(ApiError::new(401, "Unauthorized", "Unauthorized")) };
    }
    anonymous(request, route, query)
}

fn anonymous(request: &Request, route: &Route, query: &Query) -> ApiResult<()> {
    let path = request.uri().path();
    let verb = request.method().as_str().to_lowercase();
    let refuse = |path: &str| {
        let message = format!("forbidden: User \"system:anonymous\" cannot {verb} path {path:?}");
        let mut error = ApiError::new(403, "Forbidden", message);
        error.details = Some(json!({}));
        error
    };
    match route {
        Route::Discovery(Document::Version | Document::Health) => Ok(()),
        Route::Resource(target) => {
            let subresource =
                if target.subresource.is_empty() { String::new() } else { format!("/{}", target.subresource) };
            let resource = format!("{}{subresource}", target.kind.plural);
            let scope = if target.namespace.is_empty() {
                "at the cluster scope".to_owned()
            } else {
                format!("in the namespace {:?}", target.namespace)
            };
            let why = format!(
                "User \"system:anonymous\" cannot {} resource {resource:?} in API group {:?} {scope}",
                super::verb(request.method(), target, query),
                target.kind.group
            );
            Err(ApiError::forbidden(&target.kind, &target.name, &why))
        }
        _ if path.starts_with(faults::PATH) => Err(ApiError::new(401, "Unauthorized", "Unauthorized")),
        _ => Err(refuse(path)),
    }
}
