//! The HTTP face of the cluster.

mod auth;
mod body;
mod collection;
mod discovery;
mod exec;
mod logs;
mod patch;
mod path;
mod pod_actions;
mod proxy;
mod query;
mod read;
mod respond;
mod scale;
mod selectors;
mod strategic;
mod table;
mod usage;
mod watch;
mod write;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::Response;

use super::cluster::Cluster;
use super::faults::{self, Outcome};
use super::status::{ApiError, ApiResult};
pub(crate) use proxy::has_port;

use path::{Route, Target};
use query::Query;
use respond::Respond;

/// The largest body that the API reads, in bytes (the limit of a real server's resource handlers).
const BODY_LIMIT: usize = 3 * 1024 * 1024;

/// The router of the API.
pub(crate) fn router(cluster: Arc<Cluster>) -> Router {
    Router::new().fallback(handle).with_state(cluster)
}

async fn handle(State(cluster): State<Arc<Cluster>>, request: Request) -> Response {
    let respond = Respond::new(request.headers());
    match route(&cluster, request, &respond).await {
        Ok(response) => response,
        Err(error) => respond.error(&error),
    }
}

async fn route(cluster: &Arc<Cluster>, request: Request, respond: &Respond) -> ApiResult<Response> {
    let path = request.uri().path().to_owned();
    let query = Query::new(request.uri().query().unwrap_or_default());
    let route = path::parse(&path, cluster.gateway_api);
    auth::check(cluster, &request, &route, &query)?;
    if path == faults::PATH || path.starts_with(&format!("{}/", faults::PATH)) {
        return faults::administer(cluster, request).await;
    }
    if let Some(answer) = usage::serve(cluster, &path, &query, &request, respond) {
        return answer;
    }
    let target = match route {
        Route::Resource(target) => target,
        Route::Discovery(document) => return discovery::serve(&document, &request, respond, cluster),
        Route::UnknownResource => return Err(ApiError::no_resource()),
        Route::UnknownPath => return Err(ApiError::no_page()),
    };
    let verb = verb(request.method(), &target, &query);
    match cluster.faults.meet(verb, &target.kind, &target.namespace, &target.name, &target.subresource).await {
        Outcome::Proceed => serve(cluster, target, query, request, respond).await,
        Outcome::Answer(error) => Err(*error),
        Outcome::Drop => Ok(dropped()),
        Outcome::LoseAnswer => {
            // The effect stands; what would have told of it is lost.
            let done = serve(cluster, target, query, request, respond).await;
            drop(done);
            Ok(dropped())
        }
        // The client goes, and with it this.
        Outcome::Hang => std::future::pending().await,
        Outcome::Garble => Ok(garbled()),
        Outcome::Stale(past) if matches!(verb, "get" | "list") => {
            let form =
                request.headers().get(header::ACCEPT).map(|form| String::from_utf8_lossy(form.as_bytes()).into_owned());
            let asked = format!("{} {}", request.uri(), form.unwrap_or_default());
            past.answer(asked, serve(cluster, target, query, request, respond)).await
        }
        Outcome::Stale(_) => serve(cluster, target, query, request, respond).await,
    }
}

/// The verb as RBAC names it, by which faults are matched.
fn verb(method: &Method, target: &Target, query: &Query) -> &'static str {
    let one = !target.name.is_empty();
    match *method {
        Method::GET if query.flag("watch") => "watch",
        Method::GET if one => "get",
        Method::GET => "list",
        Method::POST => "create",
        Method::PUT => "update",
        Method::PATCH => "patch",
        Method::DELETE if one => "delete",
        Method::DELETE => "deletecollection",
        _ => "",
    }
}

/// A response whose body breaks off, so that the client sees the connection die.
fn dropped() -> Response {
    let broken = futures::stream::once(async {
        Err::<bytes::Bytes, _>(std::io::Error::new(std::io::ErrorKind::ConnectionReset, "dropped by a fault"))
    });
    let mut response = Response::new(Body::from_stream(broken));
    *response.status_mut() = StatusCode::OK;
    response
}

/// A response that breaks off in its first word, and says that it is whole.
fn garbled() -> Response {
    let mut response = Response::new(Body::from("{\"kind\":\"Sta"));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

async fn serve(
    cluster: &Arc<Cluster>,
    target: Target,
    query: Query,
    request: Request,
    respond: &Respond,
) -> ApiResult<Response> {
    let method = request.method().clone();
    match (target.subresource.as_str(), &method) {
        ("log", &Method::GET) => return logs::serve(cluster, &target, &query),
        ("exec", &Method::GET | &Method::POST) => return exec::serve(cluster, &target, &query, request).await,
        ("proxy", _) => return proxy::serve(cluster, &target, request).await,
        ("eviction", &Method::POST) => return pod_actions::evict(cluster, &target, request, respond).await,
        ("binding", &Method::POST) => return pod_actions::bind(cluster, &target, request, respond).await,
        ("token", &Method::POST) => return pod_actions::token(cluster, &target, request, respond).await,
        ("scale", _) => return scale::serve(cluster, &target, &query, request, respond).await,
        ("" | "status" | "finalize", _) => {}
        _ => return Err(ApiError::method()),
    }
    let one = !target.name.is_empty();
    match method {
        Method::GET if query.flag("watch") && !one => watch::serve(cluster, &target, &query, respond),
        Method::GET if one => read::get(cluster, &target, &query, respond),
        Method::GET => read::list(cluster, &target, &query, respond),
        Method::POST if !one => write::create(cluster, &target, &query, request, respond).await,
        Method::PUT if one => write::replace(cluster, &target, &query, request, respond).await,
        Method::PATCH if one => patch::serve(cluster, &target, &query, request, respond).await,
        Method::DELETE if one => write::delete(cluster, &target, &query, request, respond).await,
        Method::DELETE if target.kind.namespaced && !target.namespace.is_empty() => {
            collection::delete(cluster, &target, &query, request, respond).await
        }
        _ => Err(ApiError::method()),
    }
}
