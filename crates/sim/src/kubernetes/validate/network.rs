//! Validation of Services and Ingresses.

use serde_json::{Value, json};

use super::{names, pod};
use crate::kubernetes::json::{at, int, list, text};
use crate::kubernetes::status::Cause;

const PORT_RANGE: &str = "must be between 1 and 65535, inclusive";

/// The faults of a Service.
pub(super) fn service(value: &Value, causes: &mut Vec<Cause>) {
    let ports = list(value, "/spec/ports");
    let kind = text(value, "/spec/type");
    let headless = text(value, "/spec/clusterIP") == "None";
    if ports.is_empty() && kind != "ExternalName" && !headless {
        causes.push(Cause::required("spec.ports", ""));
    }
    for (index, port) in ports.iter().enumerate() {
        let path = format!("spec.ports[{index}]");
        let name = text(port, "/name");
        if name.is_empty() && ports.len() > 1 {
            causes.push(Cause::required(format!("{path}.name"), ""));
        } else if !name.is_empty() {
            for detail in names::label(name) {
                causes.push(Cause::invalid(format!("{path}.name"), &json!(name), detail));
            }
        }
        let number = at(port, "/port");
        if !number.as_i64().is_some_and(|number| (1..=65_535).contains(&number)) {
            let shown = if number.is_null() { json!(0) } else { number.clone() };
            causes.push(Cause::invalid(format!("{path}.port"), &shown, PORT_RANGE));
        }
        match at(port, "/targetPort") {
            Value::Number(number) if !number.as_i64().is_some_and(|number| (1..=65_535).contains(&number)) => {
                causes.push(Cause::invalid(format!("{path}.targetPort"), &json!(number), PORT_RANGE));
            }
            Value::String(name) => {
                for detail in pod::port_name(name) {
                    causes.push(Cause::invalid(format!("{path}.targetPort"), &json!(name), detail));
                }
            }
            _ => {}
        }
    }
    if !matches!(kind, "ClusterIP" | "NodePort" | "LoadBalancer" | "ExternalName") {
        let supported = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
        causes.push(Cause::unsupported("spec.type", at(value, "/spec/type"), &supported));
    }
    if kind == "ExternalName" && text(value, "/spec/externalName").is_empty() {
        causes.push(Cause::required("spec.externalName", ""));
    }
}

/// An address, once given, is fixed.
pub(super) fn service_kept(live: &Value, value: &Value, causes: &mut Vec<Cause>) {
    let (old, new) = (text(live, "/spec/clusterIP"), text(value, "/spec/clusterIP"));
    if !old.is_empty() && !new.is_empty() && old != new {
        let shown = at(value, "/spec/clusterIPs");
        causes.push(Cause::invalid("spec.clusterIPs[0]", shown, "may not change once set"));
    }
}

/// The faults of an Ingress.
pub(super) fn ingress(value: &Value, causes: &mut Vec<Cause>) {
    let annotated = !at(value, "/metadata/annotations/kubernetes.io~1ingress.class").is_null();
    if annotated && !at(value, "/spec/ingressClassName").is_null() {
        let shown = at(value, "/metadata/annotations/kubernetes.io~1ingress.class");
        causes.push(Cause::invalid(
            "annotations.kubernetes.io/ingress.class",
            shown,
            "can not be set when the class field is also set",
        ));
    }
    let rules = list(value, "/spec/rules");
    if rules.is_empty() && at(value, "/spec/defaultBackend").is_null() {
        let detail = "either `defaultBackend` or `rules` must be specified";
        causes.push(Cause::invalid("spec", &Value::Null, detail));
    }
    for (index, rule) in rules.iter().enumerate() {
        let host = text(rule, "/host");
        let plain = host.strip_prefix("*.").unwrap_or(host);
        if !host.is_empty() {
            for detail in names::subdomain(plain) {
                causes.push(Cause::invalid(format!("spec.rules[{index}].host"), &json!(host), detail));
            }
        }
        if let Some(http) = rule.get("http") {
            if list(http, "/paths").is_empty() {
                causes.push(Cause::required(format!("spec.rules[{index}].http.paths"), ""));
            }
            for (place, path) in list(http, "/paths").iter().enumerate() {
                self::path(path, &format!("spec.rules[{index}].http.paths[{place}]"), causes);
            }
        }
    }
    if let Some(backend) = value.pointer("/spec/defaultBackend") {
        self::backend(backend, "spec.defaultBackend", causes);
    }
}

fn path(path: &Value, field: &str, causes: &mut Vec<Cause>) {
    let kind = at(path, "/pathType");
    match kind.as_str() {
        Some("Exact" | "Prefix") => {
            if !text(path, "/path").starts_with('/') {
                causes.push(Cause::invalid(format!("{field}.path"), at(path, "/path"), "must be an absolute path"));
            }
        }
        Some("ImplementationSpecific") => {}
        None => causes.push(Cause::required(format!("{field}.pathType"), "pathType must be specified")),
        Some(_) => {
            let supported = ["Exact", "ImplementationSpecific", "Prefix"];
            causes.push(Cause::unsupported(format!("{field}.pathType"), kind, &supported));
        }
    }
    backend(at(path, "/backend"), &format!("{field}.backend"), causes);
}

fn backend(backend: &Value, field: &str, causes: &mut Vec<Cause>) {
    if backend.get("resource").is_some() {
        return;
    }
    if text(backend, "/service/name").is_empty() {
        causes.push(Cause::required(format!("{field}.service.name"), ""));
    }
    let named = !text(backend, "/service/port/name").is_empty();
    match int(backend, "/service/port/number") {
        None | Some(0) if !named => {
            causes.push(Cause::required(field, "port name or number is required"));
        }
        Some(number) if !named && !(1..=65_535).contains(&number) => {
            causes.push(Cause::invalid(format!("{field}.service.port.number"), &json!(number), PORT_RANGE));
        }
        _ => {}
    }
}
