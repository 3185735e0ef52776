//! Faults on order: `GET`, `POST` and `DELETE` of `/simulator/faults`, with the administrator's bearer token.
//!
//! A fault is JSON; every match is optional and an absent one matches everything:
//!
//! ```json
//! {
//!   "verb": "create", "kind": "Deployment", "namespace": "store-1", "name": "mysql", "subresource": "",
//!   "times": 2,
//!   "latencyMs": 500,
//!   "status": 503, "message": "try later", "retryAfter": 1,
//!   "effect": "drop"
//! }
//! ```
//!
//! - `verb` is `get`, `list`, `watch`, `create`, `update`, `patch`, `delete` or `deletecollection`; `kind` is a kind
//!   or a plural; `name` is matched from its beginning when it ends in `*`. `times` bounds how often the fault
//!   strikes (absent: until it is cleared).
//! - `latencyMs` delays, and then, without anything else, lets the request proceed.
//! - `status` answers that code with a Status body (and a `Retry-After` of `retryAfter` seconds) and does nothing.
//! - `effect`: `drop` breaks the connection off and does nothing; `lose-answer` does what was asked and breaks the
//!   connection off, so that the client cannot know; `hang` does nothing and never answers; `garble` does nothing and
//!   answers 200 with half a JSON document; `stale` answers a `get` or `list` as it answered the first time since the
//!   fault was ordered, with the resourceVersion of then, as a server does whose cache lags behind.
//! - `pod` makes pods whose name begins with `name` (in `namespace`) misbehave instead: `image-pull`, `crash`,
//!   `memory`, `no-command`, `not-live`, `unschedulable` or `never-ready`. It lasts until it is cleared. An image whose
//!   tag is `broken` or `missing` cannot be pulled either, one tagged `crash` exits at once, `oom` is killed for its
//!   memory, `nocommand` cannot be started, `binary` writes what is no UTF-8, `root` has to run as root, `user-NAME` runs
//!   as that user, and `port-NUMBER` listens there alone.
//! - `exec` makes commands that contain the text exit with `status` (or 1) and print `message` to stderr. With the effect
//!   `half-done` they are killed on their way instead (137) and leave what the real ones leave then.
//!
//! `POST` answers the fault with its `id`; `GET` lists; `DELETE /simulator/faults` clears all and
//! `DELETE /simulator/faults/<id>` one. `POST /simulator/faults/compact` forgets the watch history, so that older
//! resourceVersions answer 410.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::Request;
use axum::http::Method;
use axum::http::response::Parts;
use axum::response::Response;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::cluster::Cluster;
use super::kinds::Kind;
use super::status::{ApiError, ApiResult};

/// The path of the admin route.
pub(crate) const PATH: &str = "/simulator/faults";

/// One fault, as the admin route takes and lists it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Fault {
    #[serde(skip_deserializing)]
    id: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    verb: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subresource: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    times: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    latency_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    effect: Option<Effect>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pod: Option<PodFault>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exec: Option<String>,
    #[serde(skip)]
    past: Past,
}

/// What becomes of the connection and of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Effect {
    Drop,
    LoseAnswer,
    Hang,
    Garble,
    Stale,
    /// Of commands alone.
    HalfDone,
}

/// The first answer to each request, by its address and the form that it asks for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Past(Arc<Mutex<HashMap<String, (Parts, Bytes)>>>);

impl Past {
    /// The first answer to this request; `now` is asked when there is none yet.
    pub(crate) async fn answer(
        &self,
        request: String,
        now: impl Future<Output = ApiResult<Response>>,
    ) -> ApiResult<Response> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&request).cloned();
        let (parts, body) = match known {
            Some(known) => known,
            None => {
                let (parts, body) = now.await?.into_parts();
                let body = axum::body::to_bytes(body, usize::MAX)
                    .await
                    .map_err(|error| ApiError::bad_request(format!("an answer that cannot be kept: {error}")))?;
                let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                all.insert(request, (parts.clone(), body.clone()));
                (parts, body)
            }
        };
        Ok(Response::from_parts(parts, body.into()))
    }
}

/// How a pod misbehaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum PodFault {
    ImagePull,
    Crash,
    /// It takes more memory than it may.
    Memory,
    /// Its command is not in the image.
    NoCommand,
    /// Its liveness probe fails.
    NotLive,
    Unschedulable,
    NeverReady,
}

/// How a command fails.
pub(crate) enum Failing {
    /// It does nothing, and ends with an exit code and a message.
    Refused(u16, String),
    /// It is killed on its way.
    HalfDone,
}

/// What a request is to meet.
pub(crate) enum Outcome {
    Proceed,
    Answer(Box<ApiError>),
    Drop,
    LoseAnswer,
    Hang,
    Garble,
    Stale(Past),
}

/// The faults in force.
#[derive(Default)]
pub(crate) struct Faults {
    list: Mutex<(u64, Vec<Fault>)>,
}

impl Faults {
    /// The fate of a request; counts it against the first fault that matches, and waits out its latency.
    pub(crate) async fn meet(
        &self,
        verb: &str,
        kind: &Kind,
        namespace: &str,
        name: &str,
        subresource: &str,
    ) -> Outcome {
        let struck = self.strike(|fault| {
            fault.pod.is_none()
                && fault.exec.is_none()
                && fault.verb.as_deref().is_none_or(|wanted| wanted == verb)
                && fault.kind.as_deref().is_none_or(|wanted| wanted == kind.kind || wanted == kind.plural)
                && fault.namespace.as_deref().is_none_or(|wanted| wanted == namespace)
                && fault.name.as_deref().is_none_or(|wanted| named(wanted, name))
                && fault.subresource.as_deref().is_none_or(|wanted| wanted == subresource)
        });
        let Some(fault) = struck else { return Outcome::Proceed };
        if let Some(millis) = fault.latency_ms {
            tokio::time::sleep(Duration::from_millis(millis)).await;
        }
        match (fault.effect, fault.status) {
            (Some(Effect::Drop), _) => Outcome::Drop,
            (Some(Effect::LoseAnswer), _) => Outcome::LoseAnswer,
            (Some(Effect::Hang), _) => Outcome::Hang,
            (Some(Effect::Garble), _) => Outcome::Garble,
            (Some(Effect::Stale), _) => Outcome::Stale(fault.past),
            (Some(Effect::HalfDone), _) => Outcome::Proceed,
            (None, Some(status)) => {
                let message = fault.message.unwrap_or_else(|| "a fault was ordered for this request".to_owned());
                let mut error = ApiError::new(status, reason(status), message);
                error.retry_after = fault.retry_after;
                Outcome::Answer(Box::new(error))
            }
            (None, None) => Outcome::Proceed,
        }
    }

    /// How a pod is to misbehave.
    pub(crate) fn pod(&self, namespace: &str, name: &str) -> Option<PodFault> {
        let list = self.list.lock().unwrap_or_else(PoisonError::into_inner);
        list.1.iter().find_map(|fault| {
            let concerned = fault.namespace.as_deref().is_none_or(|wanted| wanted == namespace)
                && fault.name.as_deref().is_none_or(|wanted| name.starts_with(wanted.trim_end_matches('*')));
            fault.pod.filter(|_| concerned)
        })
    }

    /// How a command is to fail.
    pub(crate) fn command(&self, namespace: &str, command: &str) -> Option<Failing> {
        let struck = self.strike(|fault| {
            fault.exec.as_deref().is_some_and(|part| command.contains(part))
                && fault.namespace.as_deref().is_none_or(|wanted| wanted == namespace)
        })?;
        if matches!(struck.effect, Some(Effect::HalfDone)) {
            return Some(Failing::HalfDone);
        }
        let message = struck.message.unwrap_or_else(|| "Error: a fault was ordered for this command.".to_owned());
        Some(Failing::Refused(struck.status.unwrap_or(1), message))
    }

    fn strike(&self, concerned: impl Fn(&Fault) -> bool) -> Option<Fault> {
        let mut list = self.list.lock().unwrap_or_else(PoisonError::into_inner);
        let index = list.1.iter().position(concerned)?;
        let fault = list.1.get_mut(index)?;
        let struck = fault.clone();
        match &mut fault.times {
            Some(0 | 1) => {
                list.1.remove(index);
            }
            Some(left) => *left -= 1,
            None => {}
        }
        Some(struck)
    }
}

fn named(wanted: &str, name: &str) -> bool {
    wanted.strip_suffix('*').map_or_else(|| wanted == name, |prefix| name.starts_with(prefix))
}

fn reason(status: u16) -> &'static str {
    match status {
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "NotFound",
        409 => "Conflict",
        410 => "Gone",
        429 => "TooManyRequests",
        500 => "InternalError",
        503 => "ServiceUnavailable",
        504 => "Timeout",
        _ => "",
    }
}

/// Serves the admin route.
pub(crate) async fn administer(cluster: &Cluster, request: Request) -> ApiResult<Response> {
    let method = request.method().clone();
    let id = request.uri().path().trim_start_matches(PATH).trim_matches('/').to_owned();
    let answer = match (method, id.as_str()) {
        (Method::GET, "") => {
            let list = cluster.faults.list.lock().unwrap_or_else(PoisonError::into_inner);
            json!({"faults": list.1})
        }
        (Method::POST, "compact") => {
            cluster.write(super::storage::State::compact);
            json!({"compacted": true})
        }
        (Method::POST, "") => {
            let bytes = axum::body::to_bytes(request.into_body(), 64 * 1024)
                .await
                .map_err(|error| ApiError::bad_request(error.to_string()))?;
            let mut fault: Fault =
                serde_json::from_slice(&bytes).map_err(|error| ApiError::bad_request(format!("fault: {error}")))?;
            let mut list = cluster.faults.list.lock().unwrap_or_else(PoisonError::into_inner);
            list.0 += 1;
            fault.id = list.0;
            list.1.push(fault.clone());
            json!(fault)
        }
        (Method::DELETE, "") => {
            cluster.faults.list.lock().unwrap_or_else(PoisonError::into_inner).1.clear();
            json!({"faults": []})
        }
        (Method::DELETE, id) => {
            let id: u64 = id.parse().map_err(|_| ApiError::bad_request("the id of a fault is a number"))?;
            let mut list = cluster.faults.list.lock().unwrap_or_else(PoisonError::into_inner);
            list.1.retain(|fault| fault.id != id);
            json!({"faults": list.1})
        }
        _ => return Err(ApiError::method()),
    };
    // Controllers look again: a pod's behaviour may have changed.
    cluster.nudge();
    let mut response = Response::new(axum::body::Body::from(format!("{answer}\n")));
    response
        .headers_mut()
        .insert(axum::http::header::CONTENT_TYPE, axum::http::HeaderValue::from_static("application/json"));
    Ok(response)
}
