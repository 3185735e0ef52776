//! What a network that knows NetworkPolicies lets through. Allowed by both ends: what a pod may send, and what the pod
//! that is asked may receive. Not simulated: a policy of a kind that the API does not have.

use std::net::IpAddr;

use serde_json::{Value, json};

use super::json::{at, int, list, map, text};
use super::kinds;
use super::storage::State;

/// Who is at the other end.
enum Peer<'a> {
    Pod { namespace: &'a str, pod: &'a Value },
    Address(IpAddr),
}

/// Whether a pod reaches a TCP port of another.
pub(crate) fn reaches(state: &State, from: (&str, &Value), to: (&str, &Value), port: i64) -> bool {
    let (sender, receiver) = (Peer::Pod { namespace: from.0, pod: from.1 }, Peer::Pod { namespace: to.0, pod: to.1 });
    lets(state, from, "Egress", &receiver, "TCP", port) && lets(state, to, "Ingress", &sender, "TCP", port)
}

/// Whether a pod finds names out (from a DNS server as most clusters have it) and fetches what it finds over HTTPS.
pub(crate) fn reaches_internet(state: &State, namespace: &str, pod: &Value) -> bool {
    let dns = json!({ "metadata": { "labels": { "k8s-app": "kube-dns" } }, "status": { "podIP": "10.42.0.2" } });
    let dns = Peer::Pod { namespace: "kube-system", pod: &dns };
    // wordpress.org
    let outside = Peer::Address(IpAddr::from([198, 143, 164, 252]));
    lets(state, (namespace, pod), "Egress", &dns, "UDP", 53)
        && lets(state, (namespace, pod), "Egress", &outside, "TCP", 443)
}

/// Whether the policies that select a pod let it talk with a peer: those of the direction, if there are any.
fn lets(
    state: &State,
    (namespace, pod): (&str, &Value),
    way: &str,
    peer: &Peer<'_>,
    protocol: &str,
    port: i64,
) -> bool {
    let labels = at(pod, "/metadata/labels");
    let mut policies = state
        .list(kinds::NETWORKPOLICIES, namespace)
        .filter(|(_, policy)| selects(at(policy, "/spec/podSelector"), labels))
        .filter(|(_, policy)| list(policy, "/spec/policyTypes").iter().any(|kind| kind == way))
        .peekable();
    if policies.peek().is_none() {
        return true;
    }
    let (rules, peers) = if way == "Ingress" { ("/spec/ingress", "/from") } else { ("/spec/egress", "/to") };
    policies.any(|(_, policy)| {
        list(policy, rules).iter().any(|rule| {
            let (ports, peers) = (list(rule, "/ports"), list(rule, peers));
            (ports.is_empty() || ports.iter().any(|known| is_port(known, protocol, port)))
                && (peers.is_empty() || peers.iter().any(|known| is_peer(state, namespace, known, peer)))
        })
    })
}

fn is_port(known: &Value, protocol: &str, port: i64) -> bool {
    let same = text(known, "/protocol") == protocol;
    match (int(known, "/port"), int(known, "/endPort")) {
        (Some(first), Some(last)) => same && (first..=last).contains(&port),
        (Some(number), None) => same && number == port,
        // By name: the pods of stores name theirs otherwise.
        (None, _) => same && at(known, "/port").is_null(),
    }
}

fn is_peer(state: &State, own: &str, known: &Value, peer: &Peer<'_>) -> bool {
    let block = at(known, "/ipBlock");
    if !block.is_null() {
        let address = match peer {
            Peer::Address(address) => Some(*address),
            Peer::Pod { pod, .. } => text(pod, "/status/podIP").parse().ok(),
        };
        let within = |network: &str| address.is_some_and(|address| holds(network, address));
        return within(text(block, "/cidr")) && !list(block, "/except").iter().filter_map(Value::as_str).any(within);
    }
    let Peer::Pod { namespace, pod } = peer else { return false };
    let (pods, namespaces) = (at(known, "/podSelector"), at(known, "/namespaceSelector"));
    let placed = if namespaces.is_null() {
        *namespace == own
    } else {
        let found = state.find(kinds::NAMESPACES, "", namespace);
        selects(namespaces, found.map_or(&Value::Null, |found| at(found, "/metadata/labels")))
    };
    placed && (pods.is_null() || selects(pods, at(pod, "/metadata/labels")))
}

/// Whether a label selector selects; an empty one selects all.
fn selects(selector: &Value, labels: &Value) -> bool {
    let value = |key: &str| labels.get(key).and_then(Value::as_str);
    let equal = map(selector, "/matchLabels").into_iter().flatten().all(|(key, wanted)| value(key) == wanted.as_str());
    equal
        && list(selector, "/matchExpressions").iter().all(|wanted| {
            let known = value(text(wanted, "/key"));
            let among = known.is_some_and(|known| list(wanted, "/values").iter().any(|value| value == known));
            match text(wanted, "/operator") {
                "In" => among,
                "NotIn" => !among,
                "Exists" => known.is_some(),
                _ => known.is_none(),
            }
        })
}

/// Whether a network such as `10.0.0.0/8` holds an address.
fn holds(network: &str, address: IpAddr) -> bool {
    let Some((base, length)) = network.split_once('/') else { return false };
    let (Ok(base), Ok(length)) = (base.parse::<IpAddr>(), length.parse::<u32>()) else { return false };
    match (base, address) {
        (IpAddr::V4(base), IpAddr::V4(address)) => {
            let rest = 32_u32.saturating_sub(length);
            base.to_bits().checked_shr(rest).unwrap_or(0) == address.to_bits().checked_shr(rest).unwrap_or(0)
        }
        (IpAddr::V6(base), IpAddr::V6(address)) => {
            let rest = 128_u32.saturating_sub(length);
            base.to_bits().checked_shr(rest).unwrap_or(0) == address.to_bits().checked_shr(rest).unwrap_or(0)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_holds_its_addresses() {
        let at = |text: &str| text.parse::<IpAddr>().expect("address");
        assert!(holds("0.0.0.0/0", at("1.2.3.4")) && holds("10.0.0.0/8", at("10.255.0.1")));
        assert!(!holds("10.0.0.0/8", at("11.0.0.1")) && !holds("::/0", at("1.2.3.4")));
        assert!(holds("fc00::/7", at("fd00::1")) && holds("169.254.169.254/32", at("169.254.169.254")));
    }

    #[test]
    fn a_selector_without_words_selects_all() {
        let labels = json!({ "app": "web" });
        assert!(selects(&json!({}), &labels));
        assert!(selects(&json!({ "matchLabels": { "app": "web" } }), &labels));
        assert!(!selects(&json!({ "matchLabels": { "app": "db" } }), &labels));
        assert!(selects(
            &json!({ "matchExpressions": [{ "key": "app", "operator": "In", "values": ["web"] }] }),
            &labels
        ));
        assert!(!selects(&json!({ "matchExpressions": [{ "key": "app", "operator": "DoesNotExist" }] }), &labels));
    }
}
