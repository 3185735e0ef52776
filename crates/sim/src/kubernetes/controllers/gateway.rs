//! A controller of the Gateway API: which Gateways take which routes, and what they say of it. It serves every class.

use std::sync::Arc;

use serde_json::{Value, json};

use super::World;
use crate::kubernetes::clock;
use crate::kubernetes::gateway::GROUP;
use crate::kubernetes::json::{at, int, list, map, matches, text};
use crate::kubernetes::kinds;
use crate::kubernetes::storage::{Key, State};

/// The name under which it speaks.
const CONTROLLER: &str = "northstack.dev/simulator";

/// Keeps the status of HTTPRoutes, and of the Gateways that may serve them.
pub(super) fn reconcile(world: &mut World<'_>) {
    for (key, route) in world.objects(kinds::HTTPROUTES) {
        answer(world, &key, &route);
    }
    let gateways: Vec<(Key, Arc<Value>)> =
        world.state.list(kinds::GATEWAYS, "").map(|(key, gateway)| (key.clone(), gateway.clone())).collect();
    for (key, gateway) in gateways {
        program(world, &key, &gateway);
    }
}

/// What every Gateway that a route names says of it.
fn answer(world: &mut World<'_>, key: &Key, route: &Value) {
    let (uid, generation) = (text(route, "/metadata/uid").to_owned(), int(route, "/metadata/generation"));
    let seen = list(route, "/status/parents").iter().flat_map(|parent| list(parent, "/conditions"));
    let seen: Vec<Option<i64>> = seen.map(|condition| int(condition, "/observedGeneration")).collect();
    if !seen.is_empty() && seen.iter().all(|seen| *seen == generation) {
        world.restart(&uid, "route");
    } else if !world.due(&uid, "route", world.cluster.timing.ingress) {
        return;
    }
    let resolved = resolved(world.state, &key.namespace, route);
    let mut parents = Vec::new();
    for parent in list(route, "/spec/parentRefs") {
        let Some(gateway) = gateway_of(world.state, &key.namespace, parent) else { continue };
        let accepted = accepted(world.state, &key.namespace, route, parent, gateway);
        let before = list(route, "/status/parents").iter().find(|before| at(before, "/parentRef") == parent);
        let before = before.map(|before| list(before, "/conditions")).unwrap_or_default();
        let conditions =
            [condition(route, before, "Accepted", &accepted), condition(route, before, "ResolvedRefs", &resolved)];
        parents.push(json!({"parentRef": parent, "controllerName": CONTROLLER, "conditions": conditions}));
    }
    if !parents.is_empty() || !list(route, "/status/parents").is_empty() {
        world.put_status(key, route.clone(), json!({"parents": parents}), "gateway-controller");
    }
}

/// The Gateway that a reference names.
pub(crate) fn gateway_of<'a>(state: &'a State, namespace: &str, parent: &Value) -> Option<&'a Arc<Value>> {
    if text(parent, "/group") != GROUP || text(parent, "/kind") != "Gateway" {
        return None;
    }
    let namespace = Some(text(parent, "/namespace")).filter(|own| !own.is_empty()).unwrap_or(namespace);
    state.find(kinds::GATEWAYS, namespace, text(parent, "/name"))
}

/// Whether something is so, by which reason, and in which words.
type Verdict = (bool, &'static str, String);

fn accepted(state: &State, namespace: &str, route: &Value, parent: &Value, gateway: &Value) -> Verdict {
    let named = |listener: &&Value| {
        let (section, port) = (text(parent, "/sectionName"), int(parent, "/port"));
        (section.is_empty() || section == text(listener, "/name"))
            && (port.is_none() || port == int(listener, "/port"))
            && matches!(text(listener, "/protocol"), "HTTP" | "HTTPS")
    };
    let listeners: Vec<&Value> = list(gateway, "/spec/listeners").iter().filter(named).collect();
    if listeners.is_empty() {
        return (false, "NoMatchingParent", "no listener of the gateway is the one that is named".to_owned());
    }
    let open: Vec<&Value> =
        listeners.into_iter().filter(|listener| allows(state, gateway, listener, namespace)).collect();
    if open.is_empty() {
        let message = format!("no listener takes routes from the namespace {namespace}");
        return (false, "NotAllowedByListeners", message);
    }
    let hosts = list(route, "/spec/hostnames");
    let meets = |listener: &&Value| {
        let own = text(listener, "/hostname");
        own.is_empty()
            || hosts.is_empty()
            || hosts.iter().filter_map(Value::as_str).any(|host| covers(own, host) || covers(host, own))
    };
    if !open.iter().any(meets) {
        return (false, "NoMatchingListenerHostname", "no listener has a hostname of the route".to_owned());
    }
    (true, "Accepted", "the route was taken up".to_owned())
}

/// Whether a host name, perhaps with a wildcard before it, is or covers another.
pub(crate) fn covers(pattern: &str, host: &str) -> bool {
    match pattern.strip_prefix('*') {
        Some(suffix) => host.len() > suffix.len() && host.ends_with(suffix),
        None => pattern.eq_ignore_ascii_case(host),
    }
}

fn allows(state: &State, gateway: &Value, listener: &Value, namespace: &str) -> bool {
    match text(listener, "/allowedRoutes/namespaces/from") {
        "All" => true,
        "Selector" => state.find(kinds::NAMESPACES, "", namespace).is_some_and(|found| {
            matches(map(listener, "/allowedRoutes/namespaces/selector/matchLabels"), map(found, "/metadata/labels"))
        }),
        "Same" => text(gateway, "/metadata/namespace") == namespace,
        _ => false,
    }
}

/// Whether every backend is a Service that is there.
fn resolved(state: &State, namespace: &str, route: &Value) -> Verdict {
    for backend in list(route, "/spec/rules").iter().flat_map(|rule| list(rule, "/backendRefs")) {
        let name = text(backend, "/name");
        if !text(backend, "/group").is_empty() || text(backend, "/kind") != "Service" {
            return (false, "InvalidKind", format!("{name} is no Service"));
        }
        if !matches!(text(backend, "/namespace"), own if own.is_empty() || own == namespace) {
            return (false, "RefNotPermitted", format!("{name} is in another namespace"));
        }
        if state.find(kinds::SERVICES, namespace, name).is_none() {
            return (false, "BackendNotFound", format!("the service {name} is not there"));
        }
    }
    (true, "ResolvedRefs", "every backend is there".to_owned())
}

/// A condition of an object, with the time of its last change.
fn condition(object: &Value, before: &[Value], kind: &str, (holds, reason, message): &Verdict) -> Value {
    let status = if *holds { "True" } else { "False" };
    let same = before.iter().find(|it| text(it, "/type") == kind && text(it, "/status") == status);
    let since = same.map_or_else(clock::now, |same| text(same, "/lastTransitionTime").to_owned());
    json!({
        "type": kind, "status": status, "reason": reason, "message": message,
        "observedGeneration": at(object, "/metadata/generation"), "lastTransitionTime": since,
    })
}

/// A Gateway is served at once; its listeners count the routes that were taken up.
fn program(world: &mut World<'_>, key: &Key, gateway: &Value) {
    let yes = |reason| (true, reason, String::new());
    let before = list(gateway, "/status/conditions");
    let attached = world.state.list(kinds::HTTPROUTES, "").filter(|(place, route)| {
        list(route, "/status/parents").iter().any(|said| {
            let here = gateway_of(world.state, &place.namespace, at(said, "/parentRef"));
            let taken = |it: &Value| text(it, "/type") == "Accepted" && text(it, "/status") == "True";
            here.is_some_and(|here| text(here, "/metadata/uid") == text(gateway, "/metadata/uid"))
                && list(said, "/conditions").iter().any(taken)
        })
    });
    let attached = attached.count();
    let listeners: Vec<Value> = list(gateway, "/spec/listeners")
        .iter()
        .map(|listener| {
            let name = text(listener, "/name");
            let before = list(gateway, "/status/listeners").iter().find(|before| text(before, "/name") == name);
            let before = before.map(|before| list(before, "/conditions")).unwrap_or_default();
            let conditions = [
                condition(gateway, before, "Accepted", &yes("Accepted")),
                condition(gateway, before, "Programmed", &yes("Programmed")),
                condition(gateway, before, "ResolvedRefs", &yes("ResolvedRefs")),
            ];
            json!({
                "name": name, "attachedRoutes": attached, "conditions": conditions,
                "supportedKinds": [{"group": GROUP, "kind": "HTTPRoute"}],
            })
        })
        .collect();
    let status = json!({
        "addresses": [{"type": "IPAddress", "value": "127.0.0.1"}],
        "conditions": [
            condition(gateway, before, "Accepted", &yes("Accepted")),
            condition(gateway, before, "Programmed", &yes("Programmed")),
        ],
        "listeners": listeners,
    });
    world.put_status(key, gateway.clone(), status, "gateway-controller");
}
