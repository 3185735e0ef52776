//! What keeps the namespaces of applications and previews apart: who may reach whose pods, and how much of the cluster
//! one namespace may have.

use k8s_openapi::api::core::v1::{LimitRange, ResourceQuota};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use serde_json::{Value, json};

use super::manifests::object;
use super::names::{MANAGED_BY, PROJECT, Target};
use crate::config;
use crate::domain::Result;
use crate::vendors::kubernetes::Client;

/// The name of each of these objects.
const NAME: &str = "northstack";

/// Applies all of it in a namespace.
pub(super) async fn apply(kubernetes: &Client, settings: &config::Applications, target: &Target) -> Result<()> {
    let namespace = target.namespace.as_str();
    kubernetes.apply(namespace, &policy(settings, target)?).await?;
    kubernetes.apply(namespace, &limits(target)?).await?;
    kubernetes.apply(namespace, &quota(settings, target)?).await?;
    Ok(())
}

fn metadata(target: &Target) -> Value {
    json!({ "name": NAME, "namespace": target.namespace, "labels": {
        MANAGED_BY.0: MANAGED_BY.1,
        PROJECT: target.project.to_string(),
    } })
}

/// Pods are reached from their own namespace and from those that are no tenant's, such as the ingress controller's. They
/// reach their own namespace, name servers, and what is not among the networks that are denied.
fn policy(settings: &config::Applications, target: &Target) -> Result<NetworkPolicy> {
    let no_tenant = json!({ "namespaceSelector": { "matchExpressions": [
        { "key": MANAGED_BY.0, "operator": "NotIn", "values": [MANAGED_BY.1] },
    ] } });
    let name_servers = json!({
        // The second is where a node has a name server of its own.
        "to": [
            { "namespaceSelector": { "matchLabels": { "kubernetes.io/metadata.name": "kube-system" } } },
            { "ipBlock": { "cidr": "169.254.20.10/32" } },
        ],
        "ports": [{ "port": 53, "protocol": "UDP" }, { "port": 53, "protocol": "TCP" }],
    });
    let denied = |six: bool| settings.denied_networks.iter().filter(move |network| network.contains(':') == six);
    let outside: Vec<Value> = [("0.0.0.0/0", false), ("::/0", true)]
        .into_iter()
        .map(|(all, six)| json!({ "ipBlock": { "cidr": all, "except": denied(six).collect::<Vec<_>>() } }))
        .collect();
    object(json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": metadata(target),
        "spec": {
            "podSelector": {},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{ "from": [{ "podSelector": {} }, no_tenant] }],
            "egress": [{ "to": [{ "podSelector": {} }] }, name_servers, { "to": outside }],
        },
    }))
}

/// What all pods of the namespace may ask for together. Nothing in it opens a port of the nodes or a balancer of its own.
fn quota(settings: &config::Applications, target: &Target) -> Result<ResourceQuota> {
    let config::Applications { namespace_pods, namespace_cpu, namespace_memory, .. } = settings;
    object(json!({
        "apiVersion": "v1", "kind": "ResourceQuota",
        "metadata": metadata(target),
        "spec": { "hard": {
            "pods": namespace_pods.to_string(), "requests.cpu": namespace_cpu, "requests.memory": namespace_memory,
            "services.loadbalancers": "0", "services.nodeports": "0",
        } },
    }))
}

/// What a pod asks for that says nothing: the quota takes no others.
fn limits(target: &Target) -> Result<LimitRange> {
    object(json!({
        "apiVersion": "v1", "kind": "LimitRange",
        "metadata": metadata(target),
        "spec": { "limits": [{ "type": "Container", "defaultRequest": { "cpu": "50m", "memory": "64Mi" } }] },
    }))
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn other_tenants_and_denied_networks_are_not_reached() {
        let target = Target {
            application: Uuid::nil(),
            project: Uuid::nil(),
            environment: "production".to_owned(),
            namespace: "n".to_owned(),
            workload: "api".to_owned(),
        };
        let policy = serde_json::to_value(policy(&config::Applications::default(), &target).unwrap()).unwrap();
        let from = &policy["spec"]["ingress"][0]["from"];
        assert_eq!(from[1]["namespaceSelector"]["matchExpressions"][0]["operator"], "NotIn");
        let blocks = policy["spec"]["egress"][2]["to"].as_array().unwrap();
        let except = |place: usize| blocks[place]["ipBlock"]["except"].as_array().unwrap().clone();
        assert!(except(0).contains(&json!("169.254.0.0/16")) && except(0).contains(&json!("10.0.0.0/8")));
        assert!(except(1).iter().all(|network| network.as_str().unwrap().contains(':')));
        let quota = serde_json::to_value(quota(&config::Applications::default(), &target).unwrap()).unwrap();
        assert_eq!(quota["spec"]["hard"]["services.loadbalancers"], "0");
    }
}
