//! What an application's containers write.

use std::collections::HashSet;

use async_graphql::SimpleObject;
use k8s_openapi::api::core::v1::Pod;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

use super::name;
use crate::app::App;
use crate::domain::{Actor, Code, Error, Result};
use crate::vendors;
use crate::vendors::kubernetes::{Client, LogQuery};
use crate::workflow::flows::application::names::{APPLICATION, CONTAINER};

/// Most lines in one answer.
pub const MOST_LINES: i32 = 5_000;
/// Most pods that are asked for one answer; the newest ones.
const MOST_PODS: usize = 50;

/// A line that a container wrote.
#[derive(SimpleObject, Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// The pod.
    pub pod: String,
    /// The container.
    pub container: String,
    /// When it was written.
    pub timestamp: OffsetDateTime,
    /// The line, without its end.
    pub text: String,
}

/// Which lines are wanted.
#[derive(Debug, Clone, Default)]
pub struct Logs {
    /// At most this many, the last ones, over all pods.
    pub tail: i32,
    /// Those written after this moment.
    pub since: Option<OffsetDateTime>,
    /// Those of one pod.
    pub pod: Option<String>,
    /// Those of one container of each pod; by default the application's.
    pub container: Option<String>,
    /// Those of the containers that ran before the last restart.
    pub previous: bool,
}

impl App {
    /// The last lines that an application wrote, oldest first, over all of its pods.
    ///
    /// # Errors
    /// `not-found`, also for an application of a team of which the actor is no member, for one that was never deployed,
    /// for a pod that it has not, and for the output of a run before where there was none;
    /// `invalid-input`; `unavailable` when the cluster is.
    pub async fn application_logs(&self, actor: &Actor, id: Uuid, wanted: &Logs) -> Result<Vec<LogLine>> {
        if !(1..=MOST_LINES).contains(&wanted.tail) {
            return Err(Error::invalid("tail", format!("must be from 1 to {MOST_LINES}")));
        }
        let placed = self.visible_application(actor, id).await?;
        let Some(namespace) = placed.namespace else {
            let message = format!("{} was never deployed: nothing has written anything", placed.name);
            return Err(Error::new(Code::NotFound, message));
        };
        let kubernetes = self.cluster()?;
        let mut pods: Vec<Pod> = kubernetes.list(&namespace, &format!("{APPLICATION}={id}")).await?;
        if let Some(one) = &wanted.pod {
            pods.retain(|pod| pod.metadata.name.as_ref() == Some(one));
            if pods.is_empty() {
                return Err(Error::not_found("pod"));
            }
        }
        pods.sort_by(|one, other| other.metadata.creation_timestamp.cmp(&one.metadata.creation_timestamp));
        pods.truncate(MOST_PODS);
        let reads = pods.iter().map(|pod| read(kubernetes, &namespace, pod, wanted));
        let read = futures::future::try_join_all(reads).await?;
        if wanted.previous && read.iter().all(Option::is_none) {
            let message = format!("no container of {} was restarted: there is no run before", placed.name);
            return Err(Error::new(Code::NotFound, message));
        }
        let mut lines: Vec<LogLine> = read.into_iter().flatten().flatten().collect();
        lines.sort_by(|one, other| (one.timestamp, &one.pod).cmp(&(other.timestamp, &other.pod)));
        let most = usize::try_from(wanted.tail).unwrap_or_default();
        lines.drain(..lines.len().saturating_sub(most));
        Ok(lines)
    }
}

/// The lines of one pod; none where there is nothing that could have been read.
async fn read(kubernetes: &Client, namespace: &str, pod: &Pod, wanted: &Logs) -> Result<Option<Vec<LogLine>>> {
    let container = wanted.container.clone().unwrap_or_else(|| CONTAINER.to_owned());
    let pod_name = name(&pod.metadata);
    if !containers(pod).contains(container.as_str()) {
        let message = format!("the pod {pod_name} has no container of that name");
        return Err(Error::invalid("container", message));
    }
    let query = LogQuery {
        container: Some(container.clone()),
        tail: wanted.tail.into(),
        since: wanted.since,
        previous: wanted.previous,
    };
    let text = match kubernetes.logs(namespace, &pod_name, &query).await {
        Ok(text) => text,
        // It has not begun, or has gone meanwhile: there is nothing to read.
        Err(vendors::Error::NotFound(_) | vendors::Error::Invalid(_)) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let line = |line: &str| {
        let (stamp, text) = line.split_once(' ').unwrap_or((line, ""));
        let timestamp = OffsetDateTime::parse(stamp, &Rfc3339).ok()?;
        // The cluster takes whole seconds; the caller means the moment.
        if wanted.since.is_some_and(|since| timestamp <= since) {
            return None;
        }
        Some(LogLine { pod: pod_name.clone(), container: container.clone(), timestamp, text: text.to_owned() })
    };
    Ok(Some(text.lines().filter_map(line).collect()))
}

fn containers(pod: &Pod) -> HashSet<&str> {
    let spec = pod.spec.iter();
    let all = spec.flat_map(|spec| spec.containers.iter().chain(spec.init_containers.iter().flatten()));
    all.map(|container| container.name.as_str()).collect()
}
