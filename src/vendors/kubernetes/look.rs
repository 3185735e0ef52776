//! Reads for those who look at a cluster: everything of a kind page by page, events, logs, nodes and usage.

use std::fmt::Debug;

use futures::AsyncReadExt;
use k8s_openapi::api::core::v1::{Event, Node, Pod};
use kube::Resource;
use kube::api::{Api, ListParams, LogParams};
use kube::core::NamespaceResourceScope;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::Client;
use crate::vendors::{Error, Result};

/// Objects in one page of a list.
const PAGE: u32 = 500;

/// Which lines of a container's output are wanted.
#[derive(Debug, Clone, Default)]
pub struct LogQuery {
    /// The container; the pod's only one without it.
    pub container: Option<String>,
    /// At most this many, the last ones.
    pub tail: i64,
    /// Those written since then.
    pub since: Option<OffsetDateTime>,
    /// Those of the container that ran before the last restart.
    pub previous: bool,
}

/// What a pod's containers use now, as the metrics server last measured it.
#[derive(Debug, Clone, Deserialize)]
pub struct PodUsage {
    pub metadata: UsageMetadata,
    /// When it was measured (RFC 3339).
    pub timestamp: String,
    /// Over how long, such as `15.2s`.
    pub window: String,
    /// One entry for each container.
    pub containers: Vec<ContainerUsage>,
}

/// Whose usage it is.
#[derive(Debug, Clone, Deserialize)]
pub struct UsageMetadata {
    /// The object's name.
    pub name: String,
}

#[derive(Debug, Clone, Deserialize)]
pub struct ContainerUsage {
    pub name: String,
    pub usage: Usage,
}

/// Amounts as Kubernetes writes them.
#[derive(Debug, Clone, Deserialize)]
pub struct Usage {
    /// Such as `12345678n`.
    pub cpu: String,
    /// Such as `20480Ki`.
    pub memory: String,
}

#[derive(Deserialize)]
struct UsageList {
    items: Vec<PodUsage>,
}

/// When an event last happened.
pub fn happened(event: &Event) -> i128 {
    let last = event.last_timestamp.as_ref().map(|at| at.0.as_nanosecond());
    let series = event.series.as_ref().and_then(|series| series.last_observed_time.as_ref());
    let once = series.or(event.event_time.as_ref()).map(|at| at.0.as_nanosecond());
    let made = event.metadata.creation_timestamp.as_ref().map(|at| at.0.as_nanosecond());
    last.or(once).or(made).unwrap_or_default()
}

impl Client {
    /// Lists the objects of all namespaces that carry the labels, page by page (`GET ...?labelSelector=&limit=&continue=`).
    /// A list whose snapshot is gone (410) is begun again; what was seen twice is the caller's to put up with.
    pub async fn pages<K>(&self, labels: &str, mut each: impl FnMut(K)) -> Result<()>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + DeserializeOwned + Clone + Debug,
    {
        let api: Api<K> = Api::all(self.inner.clone());
        let first = ListParams::default().labels(labels).limit(PAGE);
        let (mut params, mut restarted) = (first.clone(), false);
        loop {
            let list = match self.within(api.list(&params)).await {
                Ok(list) => list,
                Err(Error::NotFound(_)) if params.continue_token.is_some() && !restarted => {
                    (params, restarted) = (first.clone(), true);
                    continue;
                }
                // A kind that the cluster does not serve has no objects.
                Err(Error::NotFound(_)) if params.continue_token.is_none() => return Ok(()),
                Err(error) => return Err(error),
            };
            let next = list.metadata.continue_.clone().filter(|token| !token.is_empty());
            list.items.into_iter().for_each(&mut each);
            match next {
                Some(token) => params = first.clone().continue_token(&token),
                None => return Ok(()),
            }
        }
    }

    /// The events of a namespace (`GET /api/v1/namespaces/{namespace}/events`), newest last.
    pub async fn events(&self, namespace: &str) -> Result<Vec<Event>> {
        let api: Api<Event> = Api::namespaced(self.inner.clone(), namespace);
        let mut events = self.within(api.list(&ListParams::default())).await?.items;
        // The server lists them by name, and counts equal ones up in their place.
        events.sort_by_cached_key(happened);
        Ok(events)
    }

    /// What a container wrote, each line after its time (`GET .../pods/{pod}/log?timestamps=true`). Containers write what
    /// they like: bytes that are no UTF-8 are shown as the replacement character.
    pub async fn logs(&self, namespace: &str, pod: &str, query: &LogQuery) -> Result<String> {
        let api: Api<Pod> = Api::namespaced(self.inner.clone(), namespace);
        let since = query.since.and_then(|since| since.format(&Rfc3339).ok()?.parse().ok());
        let params = LogParams {
            container: query.container.clone(),
            tail_lines: Some(query.tail),
            since_time: since,
            previous: query.previous,
            timestamps: true,
            ..LogParams::default()
        };
        self.output(&api, pod, &params).await
    }

    /// The last lines that a container wrote (`GET /api/v1/namespaces/{namespace}/pods/{pod}/log`).
    pub async fn log_tail(&self, namespace: &str, pod: &str, container: &str, lines: i64) -> Result<String> {
        let api: Api<Pod> = Api::namespaced(self.inner.clone(), namespace);
        let params =
            LogParams { container: Some(container.to_owned()), tail_lines: Some(lines), ..LogParams::default() };
        self.output(&api, pod, &params).await
    }

    async fn output(&self, api: &Api<Pod>, pod: &str, params: &LogParams) -> Result<String> {
        let read = async {
            let mut output = Vec::new();
            api.log_stream(pod, params).await?.read_to_end(&mut output).await.map_err(kube::Error::ReadEvents)?;
            Ok::<_, kube::Error>(String::from_utf8_lossy(&output).into_owned())
        };
        self.within(read).await
    }

    /// The nodes (`GET /api/v1/nodes`).
    pub async fn nodes(&self) -> Result<Vec<Node>> {
        let api: Api<Node> = Api::all(self.inner.clone());
        self.within(api.list(&ListParams::default())).await.map(|list| list.items)
    }

    /// What pods use (`GET /apis/metrics.k8s.io/v1beta1/namespaces/{namespace}/pods?labelSelector=`); `None` where the
    /// cluster has no metrics server.
    pub async fn pod_usage(&self, namespace: &str, labels: &str) -> Result<Option<Vec<PodUsage>>> {
        let query = {
            let mut query = url::form_urlencoded::Serializer::new(String::new());
            query.append_pair("labelSelector", labels).finish()
        };
        let path = format!("/apis/metrics.k8s.io/v1beta1/namespaces/{namespace}/pods?{query}");
        let request = http::Request::get(path)
            .body(Vec::new())
            .map_err(|source| Error::Invalid(format!("no path for usage: {source}")))?;
        match self.within(self.inner.request::<UsageList>(request)).await {
            Ok(list) => Ok(Some(list.items)),
            // The group is not registered, or its server is not there.
            Err(Error::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
