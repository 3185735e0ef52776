//! Who reaches a store's pods, and whom they reach: nobody but whom these NetworkPolicies name. A cluster whose network
//! knows no policies lets all pass.

use k8s_openapi::api::networking::v1::NetworkPolicy;
use serde_json::{Value, json};

use super::manifests::{metadata, object};
use super::names;
use crate::domain::Result;

/// The policies of a store's namespace. `closed` are the networks that are not the Internet.
pub(super) fn policies(store: &str, closed: &[String]) -> Result<Vec<NetworkPolicy>> {
    let site = json!({ "podSelector": { "matchLabels": { "app": names::WOOCOMMERCE } } });
    let database = json!({ "podSelector": { "matchLabels": { "app": names::MYSQL } } });
    let mysql = json!([{ "protocol": "TCP", "port": 3306 }]);
    [
        // Every pod of the namespace; what follows is let through besides.
        policy(store, "default-deny", json!({ "podSelector": {}, "policyTypes": ["Ingress", "Egress"] })),
        policy(
            store,
            names::MYSQL,
            json!({
                "podSelector": { "matchLabels": { "app": names::MYSQL } },
                "policyTypes": ["Ingress"],
                "ingress": [{ "from": [site], "ports": mysql }],
            }),
        ),
        policy(
            store,
            names::WOOCOMMERCE,
            json!({
                "podSelector": { "matchLabels": { "app": names::WOOCOMMERCE } },
                "policyTypes": ["Ingress", "Egress"],
                // A shop is public. Its visitors come from the ingress controller, which may be in any namespace or on a
                // node's own network, and the API server, which asks whether it answers, has no pod at all.
                "ingress": [{ "ports": [{ "protocol": "TCP", "port": 80 }] }],
                "egress": [
                    { "to": [database], "ports": mysql },
                    // Where the cluster's DNS is differs by distribution, and some answer on a node's own address.
                    { "ports": [{ "protocol": "UDP", "port": 53 }, { "protocol": "TCP", "port": 53 }] },
                    // Plugins, themes, payments.
                    { "to": internet(closed) },
                ],
            }),
        ),
    ]
    .into_iter()
    .collect()
}

fn policy(store: &str, name: &str, spec: Value) -> Result<NetworkPolicy> {
    object(json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": metadata(store, name, names::APP),
        "spec": spec,
    }))
}

/// Everything but the closed networks, by both versions of the protocol.
fn internet(closed: &[String]) -> Value {
    let except = |six: bool| closed.iter().filter(|network| network.contains(':') == six).collect::<Vec<_>>();
    json!([
        { "ipBlock": { "cidr": "0.0.0.0/0", "except": except(false) } },
        { "ipBlock": { "cidr": "::/0", "except": except(true) } },
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_metadata_address_and_private_networks_are_closed() {
        let closed = crate::config::Stores::default().closed_networks;
        let policies = policies("store-abcdefgh", &closed).expect("policies");
        let names: Vec<_> = policies.iter().filter_map(|policy| policy.metadata.name.as_deref()).collect();
        assert_eq!(names, ["default-deny", "mysql", "woocommerce"]);
        let text = serde_json::to_string(&policies).expect("serialises");
        for network in ["169.254.0.0/16", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"] {
            assert!(text.contains(network), "{network} in {text}");
        }
        let denied = policies.first().and_then(|policy| policy.spec.as_ref()).expect("a first policy");
        assert!(denied.ingress.is_none() && denied.egress.is_none());
    }
}
