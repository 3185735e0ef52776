//! The cluster that applications run on.

use async_graphql::SimpleObject;
use k8s_openapi::api::core::v1::Node;
use time::OffsetDateTime;

use super::{at, name};
use crate::app::App;
use crate::domain::{Actor, Code, Error, Result};
use crate::vendors::kubernetes::amount;

/// The cluster as it is now.
#[derive(SimpleObject, Debug, Clone)]
pub struct ClusterRuntime {
    /// Its version, such as `v1.33.1`.
    pub version: String,
    /// Nodes that take pods.
    pub ready_nodes: i32,
    /// Its nodes, by name.
    pub nodes: Vec<NodeRuntime>,
    /// When it was asked.
    pub observed_at: OffsetDateTime,
}

/// A node.
#[derive(SimpleObject, Debug, Clone)]
pub struct NodeRuntime {
    /// Its name.
    pub name: String,
    /// Whether it is ready.
    pub ready: bool,
    /// Whether new pods may be put on it.
    pub schedulable: bool,
    /// Its roles, such as `control-plane`.
    pub roles: Vec<String>,
    /// Its kubelet's version.
    pub version: Option<String>,
    /// CPU that pods may ask for, in thousandths of a core.
    pub cpu_millicores: Option<f64>,
    /// Memory that pods may ask for, in bytes.
    pub memory_bytes: Option<f64>,
    /// What is wrong with it, such as `MemoryPressure`.
    pub pressures: Vec<String>,
    /// Since when it is part of the cluster.
    pub created_at: Option<OffsetDateTime>,
}

impl App {
    /// The cluster that applications run on: the platform's, of all teams, so it is shown to administrators alone. A
    /// team's own clusters are rows of `clusters`.
    ///
    /// # Errors
    /// `unauthenticated`, `forbidden`; `unavailable` when the cluster is.
    pub async fn cluster_runtime(&self, actor: &Actor) -> Result<ClusterRuntime> {
        match actor {
            Actor::Admin(_) | Actor::System => {}
            Actor::User(_) => {
                return Err(Error::new(Code::Forbidden, "the cluster is the platform's: administrators see it"));
            }
            Actor::Anonymous => return Err(Error::new(Code::Unauthenticated, "sign in to see the cluster")),
        }
        let kubernetes = self.cluster()?;
        let (version, nodes) = tokio::try_join!(kubernetes.version(), kubernetes.nodes())?;
        let mut nodes: Vec<NodeRuntime> = nodes.iter().map(node).collect();
        nodes.sort_by(|one, other| one.name.cmp(&other.name));
        let ready = nodes.iter().filter(|node| node.ready && node.schedulable).count();
        Ok(ClusterRuntime {
            version,
            ready_nodes: i32::try_from(ready).unwrap_or(i32::MAX),
            nodes,
            observed_at: OffsetDateTime::now_utc(),
        })
    }
}

fn node(node: &Node) -> NodeRuntime {
    const ROLE: &str = "node-role.kubernetes.io/";
    let status = node.status.as_ref();
    let conditions = status.and_then(|status| status.conditions.as_deref()).unwrap_or_default();
    let holds = |kind: &str| conditions.iter().any(|condition| condition.type_ == kind && condition.status == "True");
    let allocatable = |resource: &str| amount(&status?.allocatable.as_ref()?.get(resource)?.0);
    let labels = node.metadata.labels.iter().flat_map(|labels| labels.keys());
    let pressures = conditions.iter().filter(|condition| condition.type_ != "Ready" && condition.status == "True");
    NodeRuntime {
        name: name(&node.metadata),
        ready: holds("Ready"),
        schedulable: node.spec.as_ref().and_then(|spec| spec.unschedulable) != Some(true),
        roles: labels.filter_map(|label| label.strip_prefix(ROLE)).map(str::to_owned).collect(),
        version: status.and_then(|status| Some(status.node_info.as_ref()?.kubelet_version.clone())),
        cpu_millicores: allocatable("cpu").map(|cores| cores * 1000.0),
        memory_bytes: allocatable("memory"),
        pressures: pressures.map(|condition| condition.type_.clone()).collect(),
        created_at: node.metadata.creation_timestamp.as_ref().and_then(at),
    }
}
