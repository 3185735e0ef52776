//! The objects of an application, as they are applied. Pure: a workload and a place in, manifests out.

use k8s_openapi::ByteString;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret, Service};
use k8s_openapi::api::networking::v1::Ingress;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::names::{self, Colour, Slot, Target};
use super::pods;
use super::secrets::Values;
use crate::domain::workload::{Autoscaling, Strategy, Workload};
use crate::domain::{Error, Result};
use crate::vendors::kubernetes::{BackendRef, HttpRoute, HttpRouteRule, HttpRouteSpec, ParentRef};

/// The port of every Service.
const PORT: u16 = 80;
/// Seconds within which the cluster gives up no rollout that makes no progress.
const LEAST_DEADLINE: u32 = 600;
/// Seconds by which the cluster's own deadline comes after ours.
const SLACK: u32 = 60;
/// The label by which the cluster holds pods of a namespace to a level of the Pod Security Standards.
const POD_SECURITY: &str = "pod-security.kubernetes.io/enforce";

pub(super) fn object<T: DeserializeOwned>(manifest: Value) -> Result<T> {
    serde_json::from_value(manifest).map_err(|source| Error::internal("build a manifest", source))
}

fn labels(target: &Target, more: &[(&str, &str)]) -> Value {
    let mut labels = json!({
        "app.kubernetes.io/name": target.workload,
        names::MANAGED_BY.0: names::MANAGED_BY.1,
        names::APPLICATION: target.application.to_string(),
    });
    for (key, value) in more {
        labels[*key] = json!(value);
    }
    labels
}

fn metadata(target: &Target, name: &str, more: &[(&str, &str)]) -> Value {
    json!({ "name": name, "namespace": target.namespace, "labels": labels(target, more) })
}

pub(super) fn namespace(target: &Target) -> Result<Namespace> {
    object(json!({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": { "name": target.namespace, "labels": {
            names::MANAGED_BY.0: names::MANAGED_BY.1,
            names::PROJECT: target.project.to_string(),
            names::ENVIRONMENT: target.environment,
            POD_SECURITY: "baseline",
        } },
    }))
}

/// The plain variables of a revision. Each revision has its own, so that pods of an older one keep theirs.
pub(super) fn config_map(target: &Target, workload: &Workload) -> Result<ConfigMap> {
    let revision = workload.revision.to_string();
    object(json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": metadata(target, &target.configuration(workload.revision), &[(names::REVISION, &revision)]),
        "data": workload.variables,
    }))
}

/// The variables of a revision that are secrets', under the name of its ConfigMap; without values, what is known of it
/// without opening any.
pub(super) fn secret(target: &Target, workload: &Workload, values: Option<&Values>) -> Result<Secret> {
    let revision = workload.revision.to_string();
    let mut metadata = metadata(target, &target.configuration(workload.revision), &[(names::REVISION, &revision)]);
    metadata["annotations"] = json!({ names::SECRET_VERSIONS: secret_versions(workload) });
    let mut secret: Secret =
        object(json!({ "apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque" }))?;
    let bytes = |value: &str| ByteString(value.as_bytes().to_vec());
    secret.data =
        values.map(|values| values.iter().map(|(name, value)| (name.clone(), bytes(value.expose()))).collect());
    Ok(secret)
}

/// A digest of which secrets a revision has, in which versions.
pub(super) fn secret_versions(workload: &Workload) -> String {
    let mut digest = Sha256::new();
    for (variable, secret) in &workload.secrets {
        digest.update(format!("{variable}={}@{}\n", secret.id, secret.version));
    }
    hex::encode(digest.finalize())
}

/// A Deployment in a slot with so many pods; `restarted` is the operation that last replaced its pods.
pub(super) fn deployment(
    target: &Target,
    workload: &Workload,
    slot: Slot,
    replicas: u32,
    restarted: Option<&str>,
) -> Result<Deployment> {
    let revision = workload.revision.to_string();
    let own = [(names::COLOUR, slot.colour().as_str()), (names::TRACK, slot.track())];
    let with_revision = [own.as_slice(), &[(names::REVISION, revision.as_str())]].concat();
    let strategy = match workload.strategy {
        Strategy::Recreate => json!({ "type": "Recreate" }),
        // A pod goes when another has come: the old revision serves until the new one does.
        _ => json!({ "type": "RollingUpdate", "rollingUpdate": { "maxUnavailable": 0, "maxSurge": "25%" } }),
    };
    let annotations = restarted.map_or_else(|| json!({}), |operation| json!({ names::RESTARTED: operation }));
    object(json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": metadata(target, &slot.name(target), &with_revision),
        "spec": {
            "replicas": replicas,
            "revisionHistoryLimit": 3,
            // Ours alone: one that another hand paused would wait for ever.
            "paused": false,
            "progressDeadlineSeconds": progress_deadline(workload),
            "strategy": strategy,
            "selector": { "matchLabels": {
                names::APPLICATION: target.application.to_string(),
                names::COLOUR: slot.colour().as_str(),
                names::TRACK: slot.track(),
            } },
            "template": {
                "metadata": { "labels": labels(target, &with_revision), "annotations": annotations },
                "spec": pods::spec(target, workload),
            },
        },
    }))
}

/// When the cluster itself gives a rollout up: later than we do, who say why.
fn progress_deadline(workload: &Workload) -> u32 {
    workload.settings.ready_seconds.unwrap_or(LEAST_DEADLINE).max(LEAST_DEADLINE).saturating_add(SLACK)
}

/// The Service, leading to the pods of a colour, or to those of its stable track alone. The port is named, so that each
/// pod's own number counts.
pub(super) fn service(target: &Target, workload: &Workload, colour: Colour, stable_alone: bool) -> Result<Service> {
    let track = stable_alone.then(|| Slot::Stable(colour).track());
    service_named(target, workload, &target.workload, colour, track)
}

/// The Service of the canary beside a colour, where requests are shared out between two Services.
pub(super) fn canary_service(target: &Target, workload: &Workload, colour: Colour) -> Result<Service> {
    let slot = Slot::Canary(colour);
    service_named(target, workload, &slot.name(target), colour, Some(slot.track()))
}

/// The Service of a colour that does not serve yet, for those who look at it first.
pub(super) fn preview_service(target: &Target, workload: &Workload, colour: Colour) -> Result<Service> {
    service_named(target, workload, &target.preview(), colour, None)
}

fn service_named(
    target: &Target,
    workload: &Workload,
    name: &str,
    colour: Colour,
    track: Option<&str>,
) -> Result<Service> {
    let revision = workload.revision.to_string();
    let mut selector = json!({ names::APPLICATION: target.application.to_string(), names::COLOUR: colour.as_str() });
    if let Some(track) = track {
        selector[names::TRACK] = json!(track);
    }
    object(json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": metadata(target, name, &[(names::REVISION, &revision)]),
        "spec": {
            "type": "ClusterIP",
            "sessionAffinity": "None",
            "internalTrafficPolicy": "Cluster",
            "selector": selector,
            "ports": [{ "name": "http", "port": PORT, "targetPort": "http", "protocol": "TCP" }],
        },
    }))
}

/// The route from the host name to the Service. Without a class the cluster's default serves it.
pub(super) fn ingress(target: &Target, workload: &Workload, host: &str, class: Option<&str>) -> Result<Ingress> {
    let mut spec = json!({ "rules": [{ "host": host, "http": { "paths": [{
        "path": "/", "pathType": "Prefix",
        "backend": { "service": { "name": target.workload, "port": { "name": "http" } } },
    }] } }] });
    if let Some(class) = class {
        spec["ingressClassName"] = json!(class);
    }
    let revision = workload.revision.to_string();
    object(json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
        "metadata": metadata(target, &target.workload, &[(names::REVISION, &revision)]),
        "spec": spec,
    }))
}

/// The route from the host name through a Gateway: so many percent of the requests to the canary's Service, the others to
/// the Service.
pub(super) fn route(
    target: &Target,
    workload: &Workload,
    host: &str,
    (namespace, gateway): (&str, &str),
    share: u32,
) -> Result<HttpRoute> {
    let revision = workload.revision.to_string();
    let backend = |name: &str, weight| BackendRef { name: name.to_owned(), port: PORT, weight };
    let mut backend_refs = vec![backend(&target.workload, 100 - share.min(100))];
    if share > 0 {
        backend_refs.push(backend(&Slot::Canary(Colour::default()).name(target), share));
    }
    let spec = HttpRouteSpec {
        parent_refs: vec![ParentRef { namespace: Some(namespace.to_owned()), name: gateway.to_owned() }],
        hostnames: vec![host.to_owned()],
        rules: vec![HttpRouteRule { backend_refs }],
    };
    Ok(HttpRoute::new(object(metadata(target, &target.workload, &[(names::REVISION, &revision)]))?, spec))
}

/// The autoscaler of the Deployment of a colour.
pub(super) fn autoscaler(target: &Target, scaling: &Autoscaling, slot: Slot) -> Result<HorizontalPodAutoscaler> {
    object(json!({
        "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
        "metadata": metadata(target, &target.workload, &[]),
        "spec": {
            "scaleTargetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": slot.name(target) },
            "minReplicas": scaling.min_replicas, "maxReplicas": scaling.max_replicas,
            "metrics": [{ "type": "Resource", "resource": {
                "name": "cpu", "target": { "type": "Utilization", "averageUtilization": scaling.cpu_percent },
            } }],
        },
    }))
}

/// At most one pod is taken away at a time when nodes are emptied.
pub(super) fn budget(target: &Target) -> Result<PodDisruptionBudget> {
    object(json!({
        "apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
        "metadata": metadata(target, &target.workload, &[]),
        "spec": {
            "maxUnavailable": 1,
            "selector": { "matchLabels": { names::APPLICATION: target.application.to_string() } },
        },
    }))
}

/// How many pods a Deployment is applied with: the autoscaler's choice is kept while it is within its bounds.
pub(super) fn replicas(workload: &Workload, current: Option<u32>) -> u32 {
    match &workload.settings.autoscaling {
        Some(scaling) => {
            let current = current.filter(|current| *current > 0).unwrap_or(workload.replicas);
            current.clamp(scaling.min_replicas, scaling.max_replicas)
        }
        None => workload.replicas,
    }
}
