//! What is seen of running applications: their pods and addresses, logs, usage, objects, and why one is not live.
//!
//! Reads only. The types are those of the remote schema, so that a fact is described once.

mod cluster;
mod logs;
mod pods;
mod tree;
mod usage;
mod why;

use std::collections::HashMap;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use time::OffsetDateTime;
use uuid::Uuid;

pub use cluster::ClusterRuntime;
pub use logs::{LogLine, Logs};
pub use pods::ApplicationRuntime;
pub use tree::ResourceTree;
pub use usage::ApplicationMetrics;
pub use why::{Fact, WhyNot};

use super::App;
use crate::db::runtime::{self, Placed};
use crate::domain::{Actor, Code, Error, Result};
use crate::vendors::kubernetes::Client;
use crate::workflow::flows::application::names::APPLICATION;

impl App {
    /// What runs of applications, by their ids. Those that the actor may not see, or that are not there, are left out.
    /// Objects are read once for each namespace, however many applications are in it.
    ///
    /// # Errors
    /// `unauthenticated`; `unavailable` when the database or the cluster is.
    pub async fn application_runtimes(&self, actor: &Actor, ids: &[Uuid]) -> Result<HashMap<Uuid, ApplicationRuntime>> {
        let mut spaces: HashMap<Option<String>, Vec<Placed>> = HashMap::new();
        for placed in self.visible_applications(actor, ids).await? {
            spaces.entry(placed.namespace.clone()).or_default().push(placed);
        }
        let looks = spaces.into_iter().map(async |(namespace, applications)| {
            let seen = match &namespace {
                Some(namespace) => Seen::of(self.cluster()?, namespace, APPLICATION).await?,
                None => Seen::default(),
            };
            let view = |placed: Placed| (placed.id, pods::runtime(&placed, &seen));
            Ok::<_, Error>(applications.into_iter().map(view).collect::<Vec<_>>())
        });
        let seen = futures::future::try_join_all(looks).await?;
        Ok(seen.into_iter().flatten().collect())
    }

    /// Those of the applications that the actor may see.
    async fn visible_applications(&self, actor: &Actor, ids: &[Uuid]) -> Result<Vec<Placed>> {
        let user = match actor {
            Actor::User(user) => Some(*user),
            Actor::Admin(_) | Actor::System => None,
            Actor::Anonymous => return Err(Error::new(Code::Unauthenticated, "sign in to see applications")),
        };
        runtime::visible(self.db.pool(), ids, user).await
    }

    /// One of them; to a stranger it does not exist.
    async fn visible_application(&self, actor: &Actor, id: Uuid) -> Result<Placed> {
        let found = self.visible_applications(actor, &[id]).await?;
        found.into_iter().next().ok_or_else(|| Error::not_found("application"))
    }

    fn cluster(&self) -> Result<&Client> {
        let none = || Error::new(Code::Unavailable, "this process has no connection to a cluster");
        self.provisioning.as_ref().map(|provisioning| &provisioning.kubernetes).ok_or_else(none)
    }
}

/// The objects of applications in one namespace.
#[derive(Default)]
struct Seen {
    deployments: Vec<Deployment>,
    pods: Vec<Pod>,
    slices: Vec<EndpointSlice>,
}

impl Seen {
    /// Those that a label selector finds.
    async fn of(kubernetes: &Client, namespace: &str, selector: &str) -> Result<Self> {
        // A slice carries its Service's name, and the application's labels in newer clusters only.
        let slices = kubernetes.list(namespace, SERVICE_NAME);
        let (deployments, pods, slices) =
            tokio::try_join!(kubernetes.list(namespace, selector), kubernetes.list(namespace, selector), slices)?;
        Ok(Self { deployments, pods, slices })
    }

    /// The endpoints of a Service: (ready, all).
    fn endpoints(&self, service: &str) -> (usize, usize) {
        let of_service = |slice: &&EndpointSlice| {
            slice.metadata.labels.as_ref().and_then(|labels| labels.get(SERVICE_NAME)).is_some_and(|it| it == service)
        };
        let endpoints = self.slices.iter().filter(of_service).flat_map(|slice| slice.endpoints.iter().flatten());
        let ready = |ready: bool| usize::from(ready);
        endpoints.fold((0, 0), |(good, all), endpoint| {
            // Without the condition an endpoint counts as ready (EndpointSlice API).
            let good_one = endpoint.conditions.as_ref().and_then(|conditions| conditions.ready).unwrap_or(true);
            (good + ready(good_one), all + 1)
        })
    }
}

/// Label key of an EndpointSlice with its Service's name.
const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// Whether an object is one of an application's.
fn belongs(metadata: &ObjectMeta, application: Uuid) -> bool {
    label(metadata, APPLICATION).is_some_and(|id| *id == application.to_string())
}

fn label<'a>(metadata: &'a ObjectMeta, key: &str) -> Option<&'a String> {
    metadata.labels.as_ref()?.get(key)
}

fn name(metadata: &ObjectMeta) -> String {
    metadata.name.clone().unwrap_or_default()
}

/// A time of the cluster's.
fn at(time: &Time) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp_nanos(time.0.as_nanosecond()).ok()
}
