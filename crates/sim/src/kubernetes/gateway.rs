//! The Gateway API (`gateway.networking.k8s.io/v1`) as its custom resource definitions have it, and which backend of a
//! route is next. It is served where [`SimulatorOptions`](super::SimulatorOptions) say that it is installed.

#![expect(dead_code, reason = "the types only judge what clients send")]

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, LabelSelector, ObjectMeta};
use serde::Deserialize;
use serde_json::Value;

/// The group of the API.
pub(crate) const GROUP: &str = "gateway.networking.k8s.io";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Gateway {
    api_version: Option<String>,
    kind: Option<String>,
    metadata: Option<ObjectMeta>,
    spec: Option<GatewaySpec>,
    status: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GatewaySpec {
    gateway_class_name: Option<String>,
    listeners: Option<Vec<Listener>>,
    addresses: Option<Value>,
    infrastructure: Option<Value>,
    allowed_listeners: Option<Value>,
    tls: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Listener {
    name: Option<String>,
    hostname: Option<String>,
    port: Option<i32>,
    protocol: Option<String>,
    tls: Option<Value>,
    allowed_routes: Option<AllowedRoutes>,
}

#[derive(Deserialize)]
struct AllowedRoutes {
    namespaces: Option<RouteNamespaces>,
    kinds: Option<Value>,
}

#[derive(Deserialize)]
struct RouteNamespaces {
    from: Option<String>,
    selector: Option<LabelSelector>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HttpRoute {
    api_version: Option<String>,
    kind: Option<String>,
    metadata: Option<ObjectMeta>,
    spec: Option<HttpRouteSpec>,
    status: Option<HttpRouteStatus>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HttpRouteSpec {
    parent_refs: Option<Vec<ParentRef>>,
    hostnames: Option<Vec<String>>,
    rules: Option<Vec<HttpRouteRule>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ParentRef {
    group: Option<String>,
    kind: Option<String>,
    namespace: Option<String>,
    name: Option<String>,
    section_name: Option<String>,
    port: Option<i32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HttpRouteRule {
    name: Option<String>,
    matches: Option<Vec<HttpRouteMatch>>,
    filters: Option<Value>,
    backend_refs: Option<Vec<BackendRef>>,
    timeouts: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HttpRouteMatch {
    path: Option<PathMatch>,
    headers: Option<Value>,
    query_params: Option<Value>,
    method: Option<String>,
}

#[derive(Deserialize)]
struct PathMatch {
    #[serde(rename = "type")]
    kind: Option<String>,
    value: Option<String>,
}

#[derive(Deserialize)]
struct BackendRef {
    group: Option<String>,
    kind: Option<String>,
    namespace: Option<String>,
    name: Option<String>,
    port: Option<i32>,
    weight: Option<i32>,
    filters: Option<Value>,
}

#[derive(Deserialize)]
struct HttpRouteStatus {
    parents: Option<Vec<RouteParent>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RouteParent {
    parent_ref: Option<ParentRef>,
    controller_name: Option<String>,
    conditions: Option<Vec<Condition>>,
}

/// Whose turn it is behind each rule of a route: smooth weighted round robin, so that after as many requests as the sum
/// of the weights each backend has had exactly its share of them.
#[derive(Default)]
pub(crate) struct Turns {
    rules: Mutex<HashMap<(String, usize), Turn>>,
}

struct Turn {
    generation: i64,
    current: Vec<i64>,
}

impl Turns {
    /// The place of the next backend of a rule, by their weights; none when they are all zero. A route that has changed
    /// begins anew.
    pub(crate) fn next(&self, route: &str, generation: i64, rule: usize, weights: &[i64]) -> Option<usize> {
        let total: i64 = weights.iter().sum();
        if total <= 0 {
            return None;
        }
        let mut rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = || Turn { generation, current: vec![0; weights.len()] };
        let turn = rules.entry((route.to_owned(), rule)).or_insert_with(fresh);
        if turn.generation != generation {
            *turn = fresh();
        }
        for (current, weight) in turn.current.iter_mut().zip(weights) {
            *current += weight;
        }
        let (place, most) = turn.current.iter_mut().enumerate().rev().max_by_key(|(_, current)| **current)?;
        *most -= total;
        Some(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_backend_has_its_share_of_the_turns() {
        let turns = Turns::default();
        let mut count = [0; 2];
        for _ in 0..400 {
            count[turns.next("a", 1, 0, &[80, 20]).unwrap()] += 1;
        }
        assert_eq!(count, [320, 80]);
        let five: Vec<usize> = (0..5).map(|_| turns.next("a", 2, 0, &[80, 20]).unwrap()).collect();
        assert_eq!(five.iter().filter(|place| **place == 1).count(), 1, "{five:?}");
        assert_eq!(turns.next("b", 1, 0, &[0, 1]), Some(1));
        assert_eq!(turns.next("b", 1, 1, &[0, 0]), None);
    }
}
