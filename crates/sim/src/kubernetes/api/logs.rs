//! `pods/log`.

use std::collections::VecDeque;
use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use serde_json::{Value, json};

use super::path::Target;
use super::query::Query;
use super::respond::with;
use crate::kubernetes::clock;
use crate::kubernetes::cluster::Cluster;
use crate::kubernetes::json::{int, list, text};
use crate::kubernetes::logs::Line;
use crate::kubernetes::status::{ApiError, ApiResult, Cause};

/// The container that a request means: the named one, or the pod's only one.
pub(super) fn container(pod: &Value, name: &str, wanted: &str) -> ApiResult<String> {
    let containers: Vec<&str> = ["/spec/containers", "/spec/initContainers"]
        .iter()
        .flat_map(|pointer| list(pod, pointer))
        .map(|container| text(container, "/name"))
        .collect();
    if !wanted.is_empty() {
        return if containers.contains(&wanted) {
            Ok(wanted.to_owned())
        } else {
            Err(ApiError::bad_request(format!("container {wanted} is not valid for pod {name}")))
        };
    }
    let annotated = pod.pointer("/metadata/annotations/kubectl.kubernetes.io~1default-container");
    if let Some(name) = annotated.and_then(Value::as_str).filter(|name| containers.contains(name)) {
        return Ok(name.to_owned());
    }
    let own: Vec<&str> = list(pod, "/spec/containers").iter().map(|container| text(container, "/name")).collect();
    match own.as_slice() {
        [one] => Ok((*one).to_owned()),
        many => Err(ApiError::bad_request(format!(
            "a container name must be specified for pod {name}, choose one of: [{}]",
            many.join(" ")
        ))),
    }
}

/// The status of a pod's container, as its node reports it.
pub(super) fn container_status<'a>(pod: &'a Value, name: &str) -> Option<&'a Value> {
    ["/status/containerStatuses", "/status/initContainerStatuses"]
        .iter()
        .flat_map(|pointer| list(pod, pointer))
        .find(|status| text(status, "/name") == name)
}

/// Serves a container's output, and more as it comes with `follow`.
pub(super) fn serve(cluster: &Arc<Cluster>, target: &Target, query: &Query) -> ApiResult<Response> {
    let pod = cluster
        .read(|state| state.find(target.kind, &target.namespace, &target.name).cloned())
        .ok_or_else(|| ApiError::not_found(&target.kind, &target.name))?;
    let tail = query.number("tailLines")?;
    let since = query.number("sinceSeconds")?;
    let mut causes = Vec::new();
    if let Some(lines) = tail.filter(|lines| *lines < 0) {
        causes.push(Cause::invalid("tailLines", &json!(lines), "must be greater than or equal to 0"));
    }
    if query.has("sinceSeconds") && query.has("sinceTime") {
        causes.push(Cause::forbidden("", "at most one of `sinceTime` or `sinceSeconds` may be specified"));
    } else if let Some(seconds) = since.filter(|seconds| *seconds < 1) {
        causes.push(Cause::invalid("sinceSeconds", &json!(seconds), "must be greater than 0"));
    }
    if !causes.is_empty() {
        return Err(ApiError::invalid_of("", "PodLogOptions", &target.name, causes));
    }
    let container = container(&pod, &target.name, query.get("container"))?;
    if text(&pod, "/spec/nodeName").is_empty() {
        return Ok(with(204, "text/plain", ""));
    }
    let uid = text(&pod, "/metadata/uid").to_owned();
    let status = container_status(&pod, &container);
    if query.flag("previous") && status.and_then(|status| int(status, "/restartCount")).unwrap_or(0) == 0 {
        return Err(ApiError::bad_request(format!(
            "previous terminated container {container:?} in pod {:?} not found",
            target.name
        )));
    }
    if let Some(reason) = status.map(|status| text(status, "/state/waiting/reason")).filter(|r| !r.is_empty())
        && reason != "CrashLoopBackOff"
    {
        let why = match reason {
            "ContainerCreating" | "PodInitializing" => reason.to_owned(),
            "ImagePullBackOff" | "ErrImagePull" => "trying and failing to pull image".to_owned(),
            other => other.to_owned(),
        };
        return Err(ApiError::bad_request(format!(
            "container {container:?} in pod {:?} is waiting to start: {why}",
            target.name
        )));
    }
    let mut lines: VecDeque<Line> = cluster.logs.after(&uid, &container, 0).into();
    if let Some(seconds) = since {
        lines.retain(|line| clock::seconds_since(&line.time).is_some_and(|age| age <= seconds as f64));
    }
    if let Some(keep) = tail.and_then(|keep| usize::try_from(keep).ok()) {
        while lines.len() > keep {
            lines.pop_front();
        }
    }
    let stamps = query.flag("timestamps");
    let mut body: Vec<u8> = lines.iter().flat_map(|line| print(line, stamps)).collect();
    if let Some(limit) = query.number("limitBytes")?.and_then(|limit| usize::try_from(limit).ok()) {
        body.truncate(limit);
    }
    if !query.flag("follow") {
        return Ok(with(200, "text/plain", body));
    }
    let last = lines.back().map_or_else(
        || cluster.logs.after(&uid, &container, 0).last().map_or(0, |line| line.number),
        |line| line.number,
    );
    Ok(with(200, "text/plain", follow(cluster.clone(), uid, container, body, last, stamps)))
}

/// A line as the kubelet copies it: byte for byte, whatever the container wrote.
fn print(line: &Line, stamps: bool) -> Vec<u8> {
    let stamp = if stamps { format!("{} ", line.time) } else { String::new() };
    [stamp.as_bytes(), line.bytes.as_ref(), b"\n".as_slice()].concat()
}

fn follow(cluster: Arc<Cluster>, uid: String, container: String, first: Vec<u8>, mut last: u64, stamps: bool) -> Body {
    let stream = async_stream::stream! {
        let mut news = cluster.logs.news();
        let mut revisions = cluster.revisions();
        yield Ok::<_, std::convert::Infallible>(bytes::Bytes::from(first));
        loop {
            news.mark_unchanged();
            revisions.mark_unchanged();
            for line in cluster.logs.after(&uid, &container, last) {
                last = line.number;
                yield Ok(bytes::Bytes::from(print(&line, stamps)));
            }
            let alive = cluster.read(|state| {
                state
                    .list(crate::kubernetes::kinds::PODS, "")
                    .any(|(_, pod)| text(pod, "/metadata/uid") == uid)
            });
            if !alive {
                break;
            }
            tokio::select! {
                changed = news.changed() => if changed.is_err() { break },
                changed = revisions.changed() => if changed.is_err() { break },
                () = cluster.stop.cancelled() => break,
            }
        }
    };
    Body::from_stream(stream)
}
