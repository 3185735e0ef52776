//! Validation of Gateways and HTTPRoutes, as the schemas of their custom resource definitions have it.

use serde_json::{Value, json};

use super::names;
use crate::kubernetes::json::{at, int, list, text};
use crate::kubernetes::status::Cause;

/// The faults of a Gateway.
pub(super) fn gateway(value: &Value, causes: &mut Vec<Cause>) {
    required(value, "spec", &["gatewayClassName"], causes);
    let listeners = list(value, "/spec/listeners");
    if listeners.is_empty() {
        causes.push(Cause::required("spec.listeners", ""));
    }
    for (index, listener) in listeners.iter().enumerate() {
        let field = format!("spec.listeners[{index}]");
        required_of(listener, &field, &["name", "port", "protocol"], causes);
        hostname(at(listener, "/hostname"), &format!("{field}.hostname"), causes);
        let from = at(listener, "/allowedRoutes/namespaces/from");
        if !matches!(from.as_str(), Some("All" | "Selector" | "Same" | "None")) {
            let supported = ["All", "Selector", "Same", "None"];
            causes.push(Cause::unsupported(format!("{field}.allowedRoutes.namespaces.from"), from, &supported));
        }
    }
}

/// The faults of an HTTPRoute.
pub(super) fn route(value: &Value, causes: &mut Vec<Cause>) {
    for (list_name, most) in [("parentRefs", 32), ("hostnames", 16), ("rules", 16)] {
        let count = list(value, &format!("/spec/{list_name}")).len();
        if count > most {
            let message = format!("Too many: {count}: must have at most {most} items");
            causes.push(Cause::too_long(format!("spec.{list_name}"), message));
        }
    }
    for (index, parent) in list(value, "/spec/parentRefs").iter().enumerate() {
        required_of(parent, &format!("spec.parentRefs[{index}]"), &["name"], causes);
    }
    for (index, host) in list(value, "/spec/hostnames").iter().enumerate() {
        hostname(host, &format!("spec.hostnames[{index}]"), causes);
    }
    for (index, rule) in list(value, "/spec/rules").iter().enumerate() {
        let field = format!("spec.rules[{index}]");
        for (place, found) in list(rule, "/matches").iter().enumerate() {
            path(at(found, "/path"), &format!("{field}.matches[{place}].path"), causes);
        }
        for (place, found) in list(rule, "/backendRefs").iter().enumerate() {
            backend(found, &format!("{field}.backendRefs[{place}]"), causes);
        }
    }
}

fn required(value: &Value, part: &str, names: &[&str], causes: &mut Vec<Cause>) {
    required_of(at(value, &format!("/{part}")), part, names, causes);
}

fn required_of(value: &Value, field: &str, names: &[&str], causes: &mut Vec<Cause>) {
    for name in names.iter().filter(|name| at(value, &format!("/{name}")).is_null()) {
        causes.push(Cause::required(format!("{field}.{name}"), ""));
    }
}

fn hostname(host: &Value, field: &str, causes: &mut Vec<Cause>) {
    let Some(name) = host.as_str() else { return };
    if !names::subdomain(name.strip_prefix("*.").unwrap_or(name)).is_empty() {
        let pattern = r"^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";
        causes.push(Cause::invalid(field, host, format!("{field} in body should match '{pattern}'")));
    }
}

fn path(path: &Value, field: &str, causes: &mut Vec<Cause>) {
    let kind = at(path, "/type");
    match kind.as_str() {
        Some("Exact" | "PathPrefix") if !text(path, "/value").starts_with('/') => {
            let detail = "value must be an absolute path and start with '/' when type one of ['Exact', 'PathPrefix']";
            causes.push(Cause::invalid(field, &json!("object"), detail));
        }
        Some("Exact" | "PathPrefix" | "RegularExpression") => {}
        _ => {
            let supported = ["Exact", "PathPrefix", "RegularExpression"];
            causes.push(Cause::unsupported(format!("{field}.type"), kind, &supported));
        }
    }
}

fn backend(backend: &Value, field: &str, causes: &mut Vec<Cause>) {
    required_of(backend, field, &["name"], causes);
    let service = text(backend, "/group").is_empty() && text(backend, "/kind") == "Service";
    if service && at(backend, "/port").is_null() {
        causes.push(Cause::invalid(field, &json!("object"), "Must have port for Service reference"));
    }
    let bounded = [("port", 1, 65_535), ("weight", 0, 1_000_000)];
    for (name, least, most) in bounded {
        let Some(number) = int(backend, &format!("/{name}")) else { continue };
        let field = format!("{field}.{name}");
        if number < least {
            let detail = format!("{field} in body should be greater than or equal to {least}");
            causes.push(Cause::invalid(field, &json!(number), detail));
        } else if number > most {
            let detail = format!("{field} in body should be less than or equal to {most}");
            causes.push(Cause::invalid(field, &json!(number), detail));
        }
    }
}
