//! Endpoints of Services, and addresses of Ingresses.

use std::sync::Arc;

use serde_json::{Value, json};

use super::World;
use super::replicaset::{is_active, is_ready, owned_by, reference};
use crate::kubernetes::clock;
use crate::kubernetes::json::{at, int, list, map, matches, set, text};
use crate::kubernetes::kinds;
use crate::kubernetes::storage::Key;

const STAMP: &str = "endpoints.kubernetes.io/last-change-trigger-time";
const HEADLESS: &str = "service.kubernetes.io/headless";

/// Keeps EndpointSlices and Endpoints, and gives Ingresses their address.
pub(super) fn reconcile(world: &mut World<'_>) {
    for (_, service) in world.objects(kinds::SERVICES) {
        let selects = map(&service, "/spec/selector").is_some_and(|selector| !selector.is_empty());
        if selects && text(&service, "/spec/type") != "ExternalName" {
            slice(world, &service);
        }
    }
    // Endpoints are named after their Service, and go with it.
    for (key, _) in world.objects(kinds::ENDPOINTS) {
        if world.state.find(kinds::SERVICES, &key.namespace, &key.name).is_none() {
            world.delete(&key);
        }
    }
    for (key, ingress) in world.objects(kinds::INGRESSES) {
        address(world, &key, &ingress);
    }
}

fn slice(world: &mut World<'_>, service: &Arc<Value>) {
    let selector = map(service, "/spec/selector");
    let pods: Vec<Arc<Value>> = world
        .objects(kinds::PODS)
        .into_iter()
        .map(|(_, pod)| pod)
        .filter(|pod| matches(selector, map(pod, "/metadata/labels")) && !text(pod, "/status/podIP").is_empty())
        .filter(|pod| !matches!(text(pod, "/status/phase"), "Succeeded" | "Failed"))
        .collect();
    endpoints_of(world, service, &pods);
    let ready = pods.iter().filter(|pod| is_ready(pod) && is_active(pod));
    let ready = ready.map(|pod| text(pod, "/metadata/name").to_owned()).collect();
    world.cluster.plane.tell(world.namespace, text(service, "/metadata/name"), ready);
    // A slice without pods has neither endpoints nor ports.
    let (endpoints, ports) = if pods.is_empty() {
        (Value::Null, Value::Null)
    } else {
        (pods.iter().map(|pod| endpoint(pod)).collect(), ports(service, &pods))
    };
    let name = text(service, "/metadata/name").to_owned();
    let existing = world.objects(kinds::ENDPOINTSLICES).into_iter().find(|(_, slice)| owned_by(slice, service));
    match existing {
        Some((key, slice)) => {
            let mut next = (*slice).clone();
            set(&mut next, &["endpoints"], endpoints);
            set(&mut next, &["ports"], ports);
            if at(&next, "/endpoints") != at(&slice, "/endpoints") || at(&next, "/ports") != at(&slice, "/ports") {
                set(&mut next, &["metadata", "annotations", STAMP], clock::now());
                let generation = int(&slice, "/metadata/generation").unwrap_or(1) + 1;
                set(&mut next, &["metadata", "generation"], generation);
                world.put(&key, next);
            }
        }
        None => {
            let mut labels = json!({
                "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
                "kubernetes.io/service-name": name,
            });
            if text(service, "/spec/clusterIP") == "None" {
                set(&mut labels, &[HEADLESS], "");
            }
            let made = world.create(
                kinds::ENDPOINTSLICES,
                json!({
                    "metadata": {
                        "generateName": format!("{name}-"),
                        "labels": labels,
                        "annotations": {STAMP: clock::now()},
                        "ownerReferences": reference(service),
                    },
                    "addressType": "IPv4", "endpoints": endpoints, "ports": ports,
                }),
            );
            let key = Key::new(kinds::ENDPOINTSLICES, world.namespace, &name);
            world.report(&key, made);
        }
    }
}

/// The older Endpoints object of a Service.
fn endpoints_of(world: &mut World<'_>, service: &Value, pods: &[Arc<Value>]) {
    let name = text(service, "/metadata/name").to_owned();
    let key = Key::new(kinds::ENDPOINTS, world.namespace, &name);
    let address = |pod: &Value| {
        json!({
            "ip": text(pod, "/status/podIP"), "nodeName": text(pod, "/spec/nodeName"),
            "targetRef": {
                "kind": "Pod", "namespace": text(pod, "/metadata/namespace"), "name": text(pod, "/metadata/name"),
                "uid": text(pod, "/metadata/uid"),
            },
        })
    };
    let (ready, unready): (Vec<&Arc<Value>>, Vec<&Arc<Value>>) =
        pods.iter().partition(|pod| is_ready(pod) && is_active(pod));
    let mut subset = json!({});
    for (list, group) in [("addresses", ready), ("notReadyAddresses", unready)] {
        if !group.is_empty() {
            set(&mut subset, &[list], group.iter().map(|pod| address(pod)).collect::<Vec<_>>());
        }
    }
    set(&mut subset, &["ports"], ports(service, pods));
    let mut labels = json!({"endpoints.kubernetes.io/managed-by": "endpoint-controller"});
    if text(service, "/spec/clusterIP") == "None" {
        set(&mut labels, &[HEADLESS], "");
    }
    let mut wanted = json!({"metadata": {"name": name, "labels": labels, "annotations": {STAMP: clock::now()}}});
    if !pods.is_empty() {
        set(&mut wanted, &["subsets"], json!([subset]));
    }
    match world.state.get(&key).cloned() {
        None => {
            let made = world.create(kinds::ENDPOINTS, wanted);
            world.report(&key, made);
        }
        Some(live) if at(&live, "/subsets") != at(&wanted, "/subsets") => {
            let mut next = (*live).clone();
            set(&mut next, &["subsets"], at(&wanted, "/subsets").clone());
            set(&mut next, &["metadata", "annotations", STAMP], clock::now());
            world.put(&key, next);
        }
        Some(_) => {}
    }
}

fn endpoint(pod: &Value) -> Value {
    let ready = is_ready(pod) && is_active(pod);
    let ending = !at(pod, "/metadata/deletionTimestamp").is_null();
    json!({
        "addresses": [text(pod, "/status/podIP")],
        "conditions": {"ready": ready, "serving": is_ready(pod), "terminating": ending},
        "targetRef": {
            "kind": "Pod", "namespace": text(pod, "/metadata/namespace"), "name": text(pod, "/metadata/name"),
            "uid": text(pod, "/metadata/uid"),
        },
        "nodeName": text(pod, "/spec/nodeName"),
    })
}

fn ports(service: &Value, pods: &[Arc<Value>]) -> Value {
    let resolved: Vec<Value> = list(service, "/spec/ports")
        .iter()
        .filter_map(|port| {
            let number = match at(port, "/targetPort") {
                Value::Number(number) => number.as_i64(),
                Value::String(name) => pods.iter().find_map(|pod| named_port(pod, name)),
                _ => int(port, "/port"),
            }?;
            let name = text(port, "/name");
            Some(json!({"name": name, "protocol": text(port, "/protocol"), "port": number}))
        })
        .collect();
    Value::Array(resolved)
}

fn named_port(pod: &Value, name: &str) -> Option<i64> {
    list(pod, "/spec/containers")
        .iter()
        .flat_map(|container| list(container, "/ports"))
        .find(|port| text(port, "/name") == name)
        .and_then(|port| int(port, "/containerPort"))
}

fn address(world: &mut World<'_>, key: &Key, ingress: &Value) {
    let class = match text(ingress, "/spec/ingressClassName") {
        "" => text(ingress, "/metadata/annotations/kubernetes.io~1ingress.class"),
        class => class,
    };
    let served = world.state.find(kinds::INGRESSCLASSES, "", class).is_some();
    if !served || !list(ingress, "/status/loadBalancer/ingress").is_empty() {
        return;
    }
    let uid = text(ingress, "/metadata/uid").to_owned();
    if world.due(&uid, "ingress", world.cluster.timing.ingress) {
        let status = json!({"loadBalancer": {"ingress": [{"ip": "127.0.0.1"}]}});
        world.put_status(key, ingress.clone(), status, "nginx-ingress-controller");
    }
}
