//! The Gateway API where it is installed: what is filled in, refused and answered.

use kube::api::{Api, DynamicObject, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Client, Discovery};
use northstack::sim::kubernetes::{Simulator, SimulatorOptions};
use serde_json::{Value, json};

use super::support::{client, cluster, eventually, options};

const GROUP: &str = "gateway.networking.k8s.io";

fn api(client: &Client, kind: &str, namespace: &str) -> Api<DynamicObject> {
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(GROUP, "v1", kind));
    Api::namespaced_with(client.clone(), namespace, &resource)
}

fn object(kind: &str, name: &str, spec: Value) -> DynamicObject {
    let object =
        json!({ "apiVersion": format!("{GROUP}/v1"), "kind": kind, "metadata": { "name": name }, "spec": spec });
    serde_json::from_value(object).unwrap()
}

async fn installed() -> (Simulator, Client) {
    let simulator = Simulator::start(SimulatorOptions { gateway_api: true, ..options() }).await.unwrap();
    let client = client(&simulator).await;
    (simulator, client)
}

async fn has_routes(client: &Client) -> bool {
    Discovery::new(client.clone()).run().await.unwrap().groups().any(|group| group.name() == GROUP)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_gateway_api_is_there_where_it_is_installed() {
    let (simulator, plain) = cluster().await;
    assert!(!has_routes(&plain).await);
    let missing = api(&plain, "HTTPRoute", "default").get("api").await.unwrap_err();
    assert!(matches!(&missing, kube::Error::Api(status) if status.code == 404), "{missing}");
    simulator.shutdown().await;
    let (simulator, client) = installed().await;
    assert!(has_routes(&client).await);
    assert!(api(&client, "HTTPRoute", "default").get_opt("api").await.unwrap().is_none());
    simulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_is_completed_and_what_is_wrong_is_refused() {
    let (simulator, client) = installed().await;
    let routes = api(&client, "HTTPRoute", "default");
    let spec = json!({ "parentRefs": [{ "name": "public" }], "hostnames": ["a.example.com"],
        "rules": [{ "backendRefs": [{ "name": "api", "port": 80 }] }] });
    let params = PatchParams::apply("test").validation_strict();
    let apply = async |spec: &Value| {
        routes.patch("api", &params, &Patch::Apply(object("HTTPRoute", "api", spec.clone()))).await
    };
    let made = apply(&spec).await.unwrap();
    assert_eq!(
        made.data["spec"],
        json!({
            "parentRefs": [{ "name": "public", "group": GROUP, "kind": "Gateway" }], "hostnames": ["a.example.com"],
            "rules": [{
                "backendRefs": [{ "name": "api", "port": 80, "group": "", "kind": "Service", "weight": 1 }],
                "matches": [{ "path": { "type": "PathPrefix", "value": "/" } }],
            }],
        })
    );
    let again = apply(&spec).await.unwrap();
    assert_eq!(again.metadata.resource_version, made.metadata.resource_version, "the same again changes nothing");

    for (at, wrong, said) in [
        ("/rules/0/backendRefs/0/port", Value::Null, "Must have port for Service reference"),
        ("/rules/0/backendRefs/0/weight", json!(-1), "weight in body should be greater than or equal to 0"),
        ("/rules/0/backendRefs/0/weight", json!(1_000_001), "weight in body should be less than or equal to 1000000"),
        ("/rules/0/backendRefs/0/name", Value::Null, "spec.rules[0].backendRefs[0].name: Required value"),
        ("/rules/0/backendRefs/0/wait", json!(1), ".spec.rules[0].backendRefs[0].wait: field not declared in schema"),
        ("/parentRefs/0/name", Value::Null, "spec.parentRefs[0].name: Required value"),
        ("/hostnames/0", json!("A.example.com"), "spec.hostnames[0] in body should match"),
    ] {
        let mut spec = spec.clone();
        let (place, key) = at.rsplit_once('/').unwrap();
        match spec.pointer_mut(place).unwrap() {
            Value::Array(items) => items[0] = wrong,
            map => map[key] = wrong,
        }
        let refused = apply(&spec).await.unwrap_err();
        assert!(refused.to_string().contains(said), "{at}: {refused}");
    }
    simulator.shutdown().await;
}

/// A condition that a Gateway's controller gave a route, as status and reason.
async fn said(routes: &Api<DynamicObject>, name: &str, kind: &str, reason: &str) -> String {
    eventually(reason, async || {
        let route = routes.get(name).await.unwrap();
        let conditions = route.data.pointer("/status/parents/0/conditions")?.as_array()?.clone();
        let found =
            conditions.into_iter().find(|condition| condition["type"] == kind && condition["reason"] == reason)?;
        assert_eq!(found["observedGeneration"].as_i64(), route.metadata.generation);
        Some(found["status"].as_str()?.to_owned())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_says_which_routes_it_takes() {
    let (simulator, client) = installed().await;
    let namespaces: Api<k8s_openapi::api::core::v1::Namespace> = Api::all(client.clone());
    let edge = serde_json::from_value(json!({ "metadata": { "name": "edge" } })).unwrap();
    namespaces.create(&PostParams::default(), &edge).await.unwrap();
    let gateways = api(&client, "Gateway", "edge");
    let listener = json!({ "name": "http", "port": 80, "protocol": "HTTP", "hostname": "*.example.com" });
    let gateway =
        |listener: &Value| object("Gateway", "public", json!({ "gatewayClassName": "any", "listeners": [listener] }));
    let nameless = object("Gateway", "public", json!({ "gatewayClassName": "any", "listeners": [{ "name": "http" }] }));
    let refused = gateways.create(&PostParams::default(), &nameless).await.unwrap_err();
    assert!(refused.to_string().contains("spec.listeners[0].port: Required value"), "{refused}");
    gateways.create(&PostParams::default(), &gateway(&listener)).await.unwrap();

    let routes = api(&client, "HTTPRoute", "default");
    let route = |host: &str| {
        let spec = json!({ "parentRefs": [{ "namespace": "edge", "name": "public" }], "hostnames": [host],
            "rules": [{ "backendRefs": [{ "name": "api", "port": 80 }] }] });
        object("HTTPRoute", "api", spec)
    };
    let apply = async |host: &str| {
        routes.patch("api", &PatchParams::apply("test").force(), &Patch::Apply(route(host))).await.unwrap()
    };
    apply("a.example.com").await;
    // By default a listener takes routes of its own namespace alone.
    assert_eq!(said(&routes, "api", "Accepted", "NotAllowedByListeners").await, "False");
    let mut open = listener.clone();
    open["allowedRoutes"] = json!({ "namespaces": { "from": "All" } });
    let params = PatchParams::apply("test").force();
    gateways.patch("public", &params, &Patch::Apply(gateway(&open))).await.unwrap();
    assert_eq!(said(&routes, "api", "Accepted", "Accepted").await, "True");
    assert_eq!(said(&routes, "api", "ResolvedRefs", "BackendNotFound").await, "False");
    let attached = eventually("the gateway counts its routes", async || {
        let gateway = gateways.get("public").await.unwrap();
        gateway.data.pointer("/status/listeners/0/attachedRoutes")?.as_i64().filter(|count| *count == 1)
    });
    assert_eq!(attached.await, 1);

    let service = json!({ "metadata": { "name": "api" }, "spec": { "ports": [{ "port": 80 }] } });
    let services: Api<k8s_openapi::api::core::v1::Service> = Api::namespaced(client.clone(), "default");
    services.create(&PostParams::default(), &serde_json::from_value(service).unwrap()).await.unwrap();
    assert_eq!(said(&routes, "api", "ResolvedRefs", "ResolvedRefs").await, "True");
    apply("a.example.org").await;
    assert_eq!(said(&routes, "api", "Accepted", "NoMatchingListenerHostname").await, "False");
    simulator.shutdown().await;
}
