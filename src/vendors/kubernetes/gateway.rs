//! The HTTPRoute of the Gateway API (`gateway.networking.k8s.io/v1`), which `k8s-openapi` has not: as much of it as a
//! route that leads one host to weighted Services has, and what gateways say of it.

use std::fmt;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, ObjectMeta};
use k8s_openapi::{Metadata, NamespaceResourceScope, Resource};
use serde::{Deserialize, Serialize};

use super::Client;
use crate::vendors::{Error, Result};

/// Leads requests for hosts to Services (`httproutes.gateway.networking.k8s.io`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HttpRoute {
    // The items of a list may leave out what the list says.
    #[serde(default = "api_version")]
    api_version: String,
    #[serde(default = "kind")]
    kind: String,
    /// Its name, labels and the rest.
    pub metadata: ObjectMeta,
    pub spec: HttpRouteSpec,
    /// What gateways say of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<HttpRouteStatus>,
}

fn api_version() -> String {
    HttpRoute::API_VERSION.to_owned()
}

fn kind() -> String {
    HttpRoute::KIND.to_owned()
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HttpRouteSpec {
    /// The Gateways that are to serve it.
    pub parent_refs: Vec<ParentRef>,
    /// The hosts that it is for.
    pub hostnames: Vec<String>,
    /// Where the requests go.
    pub rules: Vec<HttpRouteRule>,
}

/// A Gateway, by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParentRef {
    /// Its namespace; without one, the route's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    pub name: String,
}

/// Where some requests go. Without a match, all of them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HttpRouteRule {
    /// The Services, each with its share.
    pub backend_refs: Vec<BackendRef>,
}

/// A Service in the route's namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackendRef {
    pub name: String,
    pub port: u16,
    /// Its part of the sum of all weights.
    #[serde(default = "one")]
    pub weight: u32,
}

fn one() -> u32 {
    1
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct HttpRouteStatus {
    /// Each Gateway with what it says.
    pub parents: Vec<RouteParent>,
}

/// What the controller of a Gateway says of a route.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RouteParent {
    /// The Gateway.
    pub parent_ref: ParentRef,
    /// Who says it.
    pub controller_name: String,
    /// `Accepted`, `ResolvedRefs` and others.
    #[serde(default)]
    pub conditions: Vec<Condition>,
}

/// Why a route is not served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unserved {
    /// Whether a Gateway has said that it will not.
    pub refused: bool,
    /// In words.
    pub why: String,
}

impl fmt::Display for Unserved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

impl Resource for HttpRoute {
    const API_VERSION: &'static str = "gateway.networking.k8s.io/v1";
    const GROUP: &'static str = "gateway.networking.k8s.io";
    const KIND: &'static str = "HTTPRoute";
    const VERSION: &'static str = "v1";
    const URL_PATH_SEGMENT: &'static str = "httproutes";
    type Scope = NamespaceResourceScope;
}

impl Metadata for HttpRoute {
    type Ty = ObjectMeta;

    fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn metadata_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

impl HttpRoute {
    /// A route as it is applied.
    pub fn new(metadata: ObjectMeta, spec: HttpRouteSpec) -> Self {
        Self { api_version: api_version(), kind: kind(), metadata, spec, status: None }
    }

    /// Why its Gateways do not serve it as it is written now; none when they do. A condition counts for the generation
    /// that it was observed in (GEP-1364).
    pub fn unserved(&self) -> Option<Unserved> {
        let generation = self.metadata.generation;
        let asked = |parent: &&RouteParent| self.spec.parent_refs.iter().any(|asked| asked.is(&parent.parent_ref));
        let said: Vec<&RouteParent> = self.status.iter().flat_map(|it| &it.parents).filter(asked).collect();
        let condition = |kind: &str| {
            let all = said.iter().flat_map(|parent| &parent.conditions).filter(|condition| condition.type_ == kind);
            let now: Vec<&Condition> =
                all.filter(|it| it.observed_generation.is_none_or(|seen| Some(seen) >= generation)).collect();
            now.iter().copied().find(|it| it.status != "True").or(now.first().copied()).cloned()
        };
        let gateways: Vec<String> = self.spec.parent_refs.iter().map(ParentRef::shown).collect();
        let gateways = gateways.join(", ");
        let Some(accepted) = condition("Accepted") else {
            return Some(Unserved { refused: false, why: format!("the gateway {gateways} has not taken it up") });
        };
        let refused =
            [Some(accepted), condition("ResolvedRefs")].into_iter().flatten().find(|it| it.status != "True")?;
        let why = format!("the gateway {gateways} does not serve it ({}: {})", refused.reason, refused.message);
        Some(Unserved { refused: true, why })
    }
}

impl ParentRef {
    /// Whether what a controller speaks of is this one; it may leave the route's own namespace out.
    fn is(&self, other: &Self) -> bool {
        self.name == other.name && (other.namespace.is_none() || self.namespace == other.namespace)
    }

    fn shown(&self) -> String {
        self.namespace.iter().chain([&self.name]).cloned().collect::<Vec<_>>().join("/")
    }
}

impl Client {
    /// Whether the cluster has the Gateway API (`GET /apis/gateway.networking.k8s.io/v1`).
    pub async fn serves_routes(&self) -> Result<bool> {
        match self.within(self.inner.list_api_group_resources(HttpRoute::API_VERSION)).await {
            Ok(list) => Ok(list.resources.iter().any(|resource| resource.name == HttpRoute::URL_PATH_SEGMENT)),
            Err(Error::NotFound(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_route_is_served_when_its_gateway_says_so_of_what_it_says_now() {
        let mut route = json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
            "metadata": { "name": "api", "generation": 2 },
            "spec": { "parentRefs": [{ "group": "gateway.networking.k8s.io", "namespace": "edge", "name": "public" }] },
        });
        let unserved = |route: &serde_json::Value| {
            serde_json::from_value::<HttpRoute>(route.clone()).unwrap().unserved().map(|it| it.why).unwrap_or_default()
        };
        assert_eq!(unserved(&route), "the gateway edge/public has not taken it up");
        let condition = |kind: &str, status: &str, generation: i64| {
            json!({ "type": kind, "status": status, "reason": "Because", "message": "of that",
                "observedGeneration": generation, "lastTransitionTime": "2026-01-01T00:00:00Z" })
        };
        let mut say = |conditions: serde_json::Value| {
            route["status"] = json!({ "parents": [{ "parentRef": { "name": "public" }, "controllerName": "a/b",
                "conditions": conditions }] });
            unserved(&route)
        };
        assert_eq!(say(json!([condition("Accepted", "True", 1)])), "the gateway edge/public has not taken it up");
        assert_eq!(say(json!([condition("Accepted", "True", 2), condition("ResolvedRefs", "True", 2)])), "");
        let refused = "the gateway edge/public does not serve it (Because: of that)";
        assert_eq!(say(json!([condition("Accepted", "False", 2)])), refused);
        assert_eq!(say(json!([condition("Accepted", "True", 2), condition("ResolvedRefs", "False", 2)])), refused);
    }
}
