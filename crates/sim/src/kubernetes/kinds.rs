//! The resources that the simulator serves, in one table.

use std::ops::Deref;

use k8s_openapi::api::{
    apps::v1 as apps, autoscaling::v2 as autoscaling, batch::v1 as batch, coordination::v1 as coordination,
    core::v1 as core, discovery::v1 as discovery, events::v1 as events, networking::v1 as networking,
    policy::v1 as policy, rbac::v1 as rbac, storage::v1 as storage,
};
use serde_json::Value;

use super::gateway;
use super::typed::{Decoded, check};

/// What the simulator knows of one resource of the API.
pub(crate) struct Kind {
    pub(crate) group: &'static str,
    pub(crate) version: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) plural: &'static str,
    pub(crate) singular: &'static str,
    pub(crate) short: &'static [&'static str],
    pub(crate) categories: &'static [&'static str],
    pub(crate) namespaced: bool,
    /// Whether `/status` is served and the main resource ignores `status`.
    pub(crate) status: bool,
    /// Whether `/scale` is served.
    pub(crate) scale: bool,
    /// Whether `metadata.generation` counts changes of `spec`.
    pub(crate) generation: bool,
    /// Whether DELETE answers the object (and not a Status) even if nothing holds it.
    pub(crate) delete_returns_object: bool,
    /// Decodes as the typed API does and says what it would refuse.
    pub(crate) check: fn(&Value) -> Decoded,
}

impl Kind {
    /// `v1` or `apps/v1`.
    pub(crate) fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.to_owned() } else { format!("{}/{}", self.group, self.version) }
    }

    /// `configmaps` or `deployments.apps`, as messages name a resource.
    pub(crate) fn qualified(&self) -> String {
        if self.group.is_empty() { self.plural.to_owned() } else { format!("{}.{}", self.plural, self.group) }
    }
}

/// A resource, by its place in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct KindId(usize);

impl Deref for KindId {
    type Target = Kind;

    fn deref(&self) -> &Kind {
        &TABLE[self.0]
    }
}

impl KindId {
    /// The entry itself, for text that must outlive the id.
    pub(crate) fn entry(self) -> &'static Kind {
        &TABLE[self.0]
    }
}

/// Every resource, in the order of the table.
pub(crate) fn all() -> impl Iterator<Item = KindId> {
    (0..TABLE.len()).map(KindId)
}

/// The resource of a group, version and plural name.
pub(crate) fn find(group: &str, version: &str, plural: &str) -> Option<KindId> {
    all().find(|kind| kind.group == group && kind.version == version && kind.plural == plural)
}

/// The resource of an apiVersion and a kind, as owner references name it.
pub(crate) fn of(api_version: &str, kind: &str) -> Option<KindId> {
    all().find(|known| known.kind == kind && known.api_version() == api_version)
}

/// The resource of a plural name and group, as the journal names it.
pub(crate) fn qualified(name: &str) -> Option<KindId> {
    all().find(|kind| kind.qualified() == name)
}

const BASE: Kind = Kind {
    group: "",
    version: "v1",
    kind: "",
    plural: "",
    singular: "",
    short: &[],
    categories: &[],
    namespaced: true,
    status: false,
    scale: false,
    generation: false,
    delete_returns_object: false,
    check: check::<Value>,
};

const ALL: &[&str] = &["all"];

pub(crate) const NAMESPACES: KindId = KindId(0);
pub(crate) const PODS: KindId = KindId(1);
pub(crate) const SERVICES: KindId = KindId(2);
pub(crate) const SECRETS: KindId = KindId(3);
pub(crate) const CONFIGMAPS: KindId = KindId(4);
pub(crate) const SERVICEACCOUNTS: KindId = KindId(5);
pub(crate) const PVCS: KindId = KindId(6);
pub(crate) const PVS: KindId = KindId(7);
pub(crate) const QUOTAS: KindId = KindId(8);
pub(crate) const LIMITRANGES: KindId = KindId(9);
pub(crate) const EVENTS: KindId = KindId(10);
pub(crate) const NODES: KindId = KindId(11);
pub(crate) const ENDPOINTS: KindId = KindId(12);
pub(crate) const DEPLOYMENTS: KindId = KindId(13);
pub(crate) const REPLICASETS: KindId = KindId(14);
pub(crate) const STATEFULSETS: KindId = KindId(15);
pub(crate) const DAEMONSETS: KindId = KindId(16);
pub(crate) const JOBS: KindId = KindId(17);
pub(crate) const CRONJOBS: KindId = KindId(18);
pub(crate) const INGRESSES: KindId = KindId(19);
pub(crate) const INGRESSCLASSES: KindId = KindId(20);
pub(crate) const NETWORKPOLICIES: KindId = KindId(21);
pub(crate) const HPAS: KindId = KindId(22);
pub(crate) const PDBS: KindId = KindId(23);
pub(crate) const STORAGECLASSES: KindId = KindId(24);
pub(crate) const ENDPOINTSLICES: KindId = KindId(26);
pub(crate) const GATEWAYS: KindId = KindId(32);
pub(crate) const HTTPROUTES: KindId = KindId(33);

/// The table. Its first entries are named by the constants above (a test holds that).
static TABLE: &[Kind] = &[
    Kind {
        kind: "Namespace",
        plural: "namespaces",
        singular: "namespace",
        short: &["ns"],
        namespaced: false,
        status: true,
        delete_returns_object: true,
        check: check::<core::Namespace>,
        ..BASE
    },
    Kind {
        kind: "Pod",
        plural: "pods",
        singular: "pod",
        short: &["po"],
        categories: ALL,
        status: true,
        generation: true,
        delete_returns_object: true,
        check: check::<core::Pod>,
        ..BASE
    },
    Kind {
        kind: "Service",
        plural: "services",
        singular: "service",
        short: &["svc"],
        categories: ALL,
        status: true,
        delete_returns_object: true,
        check: check::<core::Service>,
        ..BASE
    },
    Kind { kind: "Secret", plural: "secrets", singular: "secret", check: check::<core::Secret>, ..BASE },
    Kind {
        kind: "ConfigMap",
        plural: "configmaps",
        singular: "configmap",
        short: &["cm"],
        check: check::<core::ConfigMap>,
        ..BASE
    },
    Kind {
        kind: "ServiceAccount",
        plural: "serviceaccounts",
        singular: "serviceaccount",
        short: &["sa"],
        delete_returns_object: true,
        check: check::<core::ServiceAccount>,
        ..BASE
    },
    Kind {
        kind: "PersistentVolumeClaim",
        plural: "persistentvolumeclaims",
        singular: "persistentvolumeclaim",
        short: &["pvc"],
        status: true,
        delete_returns_object: true,
        check: check::<core::PersistentVolumeClaim>,
        ..BASE
    },
    Kind {
        kind: "PersistentVolume",
        plural: "persistentvolumes",
        singular: "persistentvolume",
        short: &["pv"],
        namespaced: false,
        status: true,
        delete_returns_object: true,
        check: check::<core::PersistentVolume>,
        ..BASE
    },
    Kind {
        kind: "ResourceQuota",
        plural: "resourcequotas",
        singular: "resourcequota",
        short: &["quota"],
        status: true,
        delete_returns_object: true,
        check: check::<core::ResourceQuota>,
        ..BASE
    },
    Kind {
        kind: "LimitRange",
        plural: "limitranges",
        singular: "limitrange",
        short: &["limits"],
        check: check::<core::LimitRange>,
        ..BASE
    },
    Kind { kind: "Event", plural: "events", singular: "event", short: &["ev"], check: check::<core::Event>, ..BASE },
    Kind {
        kind: "Node",
        plural: "nodes",
        singular: "node",
        short: &["no"],
        namespaced: false,
        status: true,
        check: check::<core::Node>,
        ..BASE
    },
    Kind {
        kind: "Endpoints",
        plural: "endpoints",
        singular: "endpoints",
        short: &["ep"],
        check: check::<core::Endpoints>,
        ..BASE
    },
    Kind {
        group: "apps",
        kind: "Deployment",
        plural: "deployments",
        singular: "deployment",
        short: &["deploy"],
        categories: ALL,
        status: true,
        scale: true,
        generation: true,
        check: check::<apps::Deployment>,
        ..BASE
    },
    Kind {
        group: "apps",
        kind: "ReplicaSet",
        plural: "replicasets",
        singular: "replicaset",
        short: &["rs"],
        categories: ALL,
        status: true,
        scale: true,
        generation: true,
        check: check::<apps::ReplicaSet>,
        ..BASE
    },
    Kind {
        group: "apps",
        kind: "StatefulSet",
        plural: "statefulsets",
        singular: "statefulset",
        short: &["sts"],
        categories: ALL,
        status: true,
        scale: true,
        generation: true,
        check: check::<apps::StatefulSet>,
        ..BASE
    },
    Kind {
        group: "apps",
        kind: "DaemonSet",
        plural: "daemonsets",
        singular: "daemonset",
        short: &["ds"],
        categories: ALL,
        status: true,
        generation: true,
        check: check::<apps::DaemonSet>,
        ..BASE
    },
    Kind {
        group: "batch",
        kind: "Job",
        plural: "jobs",
        singular: "job",
        categories: ALL,
        status: true,
        generation: true,
        check: check::<batch::Job>,
        ..BASE
    },
    Kind {
        group: "batch",
        kind: "CronJob",
        plural: "cronjobs",
        singular: "cronjob",
        short: &["cj"],
        categories: ALL,
        status: true,
        generation: true,
        check: check::<batch::CronJob>,
        ..BASE
    },
    Kind {
        group: "networking.k8s.io",
        kind: "Ingress",
        plural: "ingresses",
        singular: "ingress",
        short: &["ing"],
        status: true,
        generation: true,
        check: check::<networking::Ingress>,
        ..BASE
    },
    Kind {
        group: "networking.k8s.io",
        kind: "IngressClass",
        plural: "ingressclasses",
        singular: "ingressclass",
        namespaced: false,
        generation: true,
        check: check::<networking::IngressClass>,
        ..BASE
    },
    Kind {
        group: "networking.k8s.io",
        kind: "NetworkPolicy",
        plural: "networkpolicies",
        singular: "networkpolicy",
        short: &["netpol"],
        generation: true,
        check: check::<networking::NetworkPolicy>,
        ..BASE
    },
    Kind {
        group: "autoscaling",
        version: "v2",
        kind: "HorizontalPodAutoscaler",
        plural: "horizontalpodautoscalers",
        singular: "horizontalpodautoscaler",
        short: &["hpa"],
        categories: ALL,
        status: true,
        check: check::<autoscaling::HorizontalPodAutoscaler>,
        ..BASE
    },
    Kind {
        group: "policy",
        kind: "PodDisruptionBudget",
        plural: "poddisruptionbudgets",
        singular: "poddisruptionbudget",
        short: &["pdb"],
        status: true,
        generation: true,
        check: check::<policy::PodDisruptionBudget>,
        ..BASE
    },
    Kind {
        group: "storage.k8s.io",
        kind: "StorageClass",
        plural: "storageclasses",
        singular: "storageclass",
        short: &["sc"],
        namespaced: false,
        delete_returns_object: true,
        check: check::<storage::StorageClass>,
        ..BASE
    },
    Kind {
        group: "coordination.k8s.io",
        kind: "Lease",
        plural: "leases",
        singular: "lease",
        check: check::<coordination::Lease>,
        ..BASE
    },
    Kind {
        group: "discovery.k8s.io",
        kind: "EndpointSlice",
        plural: "endpointslices",
        singular: "endpointslice",
        generation: true,
        check: check::<discovery::EndpointSlice>,
        ..BASE
    },
    Kind {
        group: "events.k8s.io",
        kind: "Event",
        plural: "events",
        singular: "event",
        short: &["ev"],
        check: check::<events::Event>,
        ..BASE
    },
    Kind {
        group: "rbac.authorization.k8s.io",
        kind: "Role",
        plural: "roles",
        singular: "role",
        check: check::<rbac::Role>,
        ..BASE
    },
    Kind {
        group: "rbac.authorization.k8s.io",
        kind: "RoleBinding",
        plural: "rolebindings",
        singular: "rolebinding",
        check: check::<rbac::RoleBinding>,
        ..BASE
    },
    Kind {
        group: "rbac.authorization.k8s.io",
        kind: "ClusterRole",
        plural: "clusterroles",
        singular: "clusterrole",
        namespaced: false,
        check: check::<rbac::ClusterRole>,
        ..BASE
    },
    Kind {
        group: "rbac.authorization.k8s.io",
        kind: "ClusterRoleBinding",
        plural: "clusterrolebindings",
        singular: "clusterrolebinding",
        namespaced: false,
        check: check::<rbac::ClusterRoleBinding>,
        ..BASE
    },
    Kind {
        group: gateway::GROUP,
        kind: "Gateway",
        plural: "gateways",
        singular: "gateway",
        short: &["gtw"],
        categories: &["gateway-api"],
        status: true,
        generation: true,
        check: check::<gateway::Gateway>,
        ..BASE
    },
    Kind {
        group: gateway::GROUP,
        kind: "HTTPRoute",
        plural: "httproutes",
        singular: "httproute",
        categories: &["gateway-api"],
        status: true,
        generation: true,
        check: check::<gateway::HttpRoute>,
        ..BASE
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_constants_name_their_kinds() {
        let named = [
            (NAMESPACES, "namespaces"),
            (PODS, "pods"),
            (SERVICES, "services"),
            (SECRETS, "secrets"),
            (CONFIGMAPS, "configmaps"),
            (SERVICEACCOUNTS, "serviceaccounts"),
            (PVCS, "persistentvolumeclaims"),
            (PVS, "persistentvolumes"),
            (QUOTAS, "resourcequotas"),
            (LIMITRANGES, "limitranges"),
            (EVENTS, "events"),
            (NODES, "nodes"),
            (ENDPOINTS, "endpoints"),
            (DEPLOYMENTS, "deployments.apps"),
            (REPLICASETS, "replicasets.apps"),
            (STATEFULSETS, "statefulsets.apps"),
            (DAEMONSETS, "daemonsets.apps"),
            (JOBS, "jobs.batch"),
            (CRONJOBS, "cronjobs.batch"),
            (INGRESSES, "ingresses.networking.k8s.io"),
            (INGRESSCLASSES, "ingressclasses.networking.k8s.io"),
            (NETWORKPOLICIES, "networkpolicies.networking.k8s.io"),
            (HPAS, "horizontalpodautoscalers.autoscaling"),
            (PDBS, "poddisruptionbudgets.policy"),
            (STORAGECLASSES, "storageclasses.storage.k8s.io"),
            (ENDPOINTSLICES, "endpointslices.discovery.k8s.io"),
            (GATEWAYS, "gateways.gateway.networking.k8s.io"),
            (HTTPROUTES, "httproutes.gateway.networking.k8s.io"),
        ];
        for (id, name) in named {
            assert_eq!(id.qualified(), name);
        }
    }
}
