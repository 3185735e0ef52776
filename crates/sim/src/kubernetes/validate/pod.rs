//! Validation of pods and pod templates (`ValidatePodSpec`).

use std::cmp::Ordering;
use std::collections::HashSet;

use serde_json::{Value, json};

use super::names;
use crate::kubernetes::json::{at, int, list, map, text};
use crate::kubernetes::status::Cause;
use crate::kubernetes::typed::Quantity;

/// The faults of a pod.
pub(super) fn pod(value: &Value, causes: &mut Vec<Cause>) {
    spec(at(value, "/spec"), "spec", causes);
    let policy = at(value, "/spec/restartPolicy");
    if !matches!(policy.as_str(), Some("Always" | "OnFailure" | "Never")) {
        causes.push(Cause::unsupported("spec.restartPolicy", policy, &["Always", "Never", "OnFailure"]));
    }
}

/// The faults of a pod spec at the path `field`.
pub(super) fn spec(spec: &Value, field: &str, causes: &mut Vec<Cause>) {
    let volumes: HashSet<&str> = list(spec, "/volumes").iter().map(|volume| text(volume, "/name")).collect();
    for (index, volume) in list(spec, "/volumes").iter().enumerate() {
        let name = text(volume, "/name");
        let path = format!("{field}.volumes[{index}].name");
        if name.is_empty() {
            causes.push(Cause::required(path, ""));
        } else {
            names::label(name).into_iter().for_each(|d| causes.push(Cause::invalid(&path, &json!(name), d)));
        }
    }
    if list(spec, "/containers").is_empty() {
        causes.push(Cause::required(format!("{field}.containers"), ""));
    }
    for group in ["containers", "initContainers"] {
        let mut seen = HashSet::new();
        for (index, container) in list(spec, &format!("/{group}")).iter().enumerate() {
            let path = format!("{field}.{group}[{index}]");
            let name = text(container, "/name");
            if name.is_empty() {
                causes.push(Cause::required(format!("{path}.name"), ""));
            } else {
                for detail in names::label(name) {
                    causes.push(Cause::invalid(format!("{path}.name"), &json!(name), detail));
                }
                if !seen.insert(name) {
                    causes.push(Cause::duplicate(format!("{path}.name"), &json!(name)));
                }
            }
            self::container(container, &path, &volumes, causes);
        }
    }
}

fn container(container: &Value, path: &str, volumes: &HashSet<&str>, causes: &mut Vec<Cause>) {
    if text(container, "/image").is_empty() {
        causes.push(Cause::required(format!("{path}.image"), ""));
    }
    for (index, port) in list(container, "/ports").iter().enumerate() {
        self::port(port, &format!("{path}.ports[{index}]"), causes);
    }
    for (index, env) in list(container, "/env").iter().enumerate() {
        let name = text(env, "/name");
        let path = format!("{path}.env[{index}].name");
        if name.is_empty() {
            causes.push(Cause::required(path, ""));
        } else if !name.chars().all(|c| (' '..='~').contains(&c) && c != '=') {
            let detail =
                "a valid environment variable name must consist only of printable ASCII characters other than '='";
            causes.push(Cause::invalid(path, &json!(name), detail));
        }
    }
    for (index, mount) in list(container, "/volumeMounts").iter().enumerate() {
        let name = text(mount, "/name");
        if name.is_empty() {
            causes.push(Cause::required(format!("{path}.volumeMounts[{index}].name"), ""));
        } else if !volumes.contains(name) {
            causes.push(Cause::not_found(format!("{path}.volumeMounts[{index}].name"), &json!(name)));
        }
        if text(mount, "/mountPath").is_empty() {
            causes.push(Cause::required(format!("{path}.volumeMounts[{index}].mountPath"), ""));
        }
    }
    for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
        let Some(found) = container.get(probe) else { continue };
        if !["exec", "httpGet", "tcpSocket", "grpc"].iter().any(|handler| found.get(*handler).is_some()) {
            causes.push(Cause::required(format!("{path}.{probe}"), "must specify a handler type"));
        }
    }
    let policy = at(container, "/imagePullPolicy");
    if !matches!(policy.as_str(), Some("Always" | "IfNotPresent" | "Never")) {
        let supported = ["Always", "IfNotPresent", "Never"];
        causes.push(Cause::unsupported(format!("{path}.imagePullPolicy"), policy, &supported));
    }
    resources(container, path, causes);
}

fn port(port: &Value, path: &str, causes: &mut Vec<Cause>) {
    let name = text(port, "/name");
    if !name.is_empty() {
        for detail in port_name(name) {
            causes.push(Cause::invalid(format!("{path}.name"), &json!(name), detail));
        }
    }
    let number = at(port, "/containerPort");
    match number.as_i64() {
        None | Some(0) => causes.push(Cause::required(format!("{path}.containerPort"), "")),
        Some(number) if !(1..=65_535).contains(&number) => causes.push(Cause::invalid(
            format!("{path}.containerPort"),
            &json!(number),
            "must be between 1 and 65535, inclusive",
        )),
        Some(_) => {}
    }
}

/// What is wrong with the name of a port (`IsValidPortName`).
pub(super) fn port_name(name: &str) -> Vec<&'static str> {
    let mut wrong = Vec::new();
    if name.len() > 15 {
        wrong.push("must be no more than 15 characters");
    }
    if !name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-') {
        wrong.push("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)");
    }
    if !name.chars().any(|c| c.is_ascii_lowercase()) {
        wrong.push("must contain at least one letter (a-z)");
    }
    if name.contains("--") {
        wrong.push("must not contain consecutive hyphens");
    }
    if name.starts_with('-') || name.ends_with('-') {
        wrong.push("must not begin or end with a hyphen");
    }
    wrong
}

fn resources(container: &Value, path: &str, causes: &mut Vec<Cause>) {
    let limits = map(container, "/resources/limits");
    for (name, request) in map(container, "/resources/requests").into_iter().flatten() {
        let Some(asked) = request.as_str().and_then(Quantity::parse) else { continue };
        if asked.negative() {
            let detail = "must be greater than or equal to 0";
            causes.push(Cause::invalid(format!("{path}.resources.requests[{name}]"), request, detail));
        }
        let limit = limits.and_then(|limits| limits.get(name)).and_then(Value::as_str).and_then(Quantity::parse);
        if let Some(limit) = limit.filter(|limit| asked.compare(*limit) == Ordering::Greater) {
            let detail = format!("must be less than or equal to {name} limit of {limit}");
            causes.push(Cause::invalid(format!("{path}.resources.requests"), request, detail));
        }
    }
}

/// The faults of a change: nearly all of a pod's spec is fixed.
pub(super) fn kept(live: &Value, value: &Value, causes: &mut Vec<Cause>) {
    let frozen = |object: &Value| {
        let mut spec = at(object, "/spec").clone();
        for group in ["containers", "initContainers"] {
            for container in crate::kubernetes::json::items_mut(&mut spec, group) {
                crate::kubernetes::json::remove(container, &["image"]);
            }
        }
        for name in ["activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds", "nodeName"] {
            crate::kubernetes::json::remove(&mut spec, &[name]);
        }
        spec
    };
    let bound = text(live, "/spec/nodeName");
    if frozen(live) != frozen(value) || (!bound.is_empty() && bound != text(value, "/spec/nodeName")) {
        causes.push(Cause::forbidden(
            "spec",
            "pod updates may not change fields other than `spec.containers[*].image`,\
             `spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to \
             existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was \
             previously negative)",
        ));
    }
    if int(value, "/spec/activeDeadlineSeconds").is_some_and(|seconds| seconds < 1) {
        let value = at(value, "/spec/activeDeadlineSeconds");
        causes.push(Cause::invalid("spec.activeDeadlineSeconds", value, "must be between 1 and 2147483647, inclusive"));
    }
}
