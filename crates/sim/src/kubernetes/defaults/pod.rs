//! Defaults of pods and pod templates (`pkg/apis/core/v1/defaults.go`).

use serde_json::{Value, json};

use super::{fill, object_value};
use crate::kubernetes::json::{default, items_mut, list, map, object, text};
use crate::kubernetes::typed::Quantity;

/// A pod: the template's defaults and those that only pods get.
pub(super) fn pod(value: &mut Value) {
    spec(object_value(value, &["spec"]));
    fill(value, &["spec"], "enableServiceLinks", true);
    let spec = object_value(value, &["spec"]);
    for group in ["initContainers", "containers"] {
        for container in items_mut(spec, group) {
            requests_from_limits(container);
        }
    }
}

/// A pod spec, in a pod or in a template.
pub(super) fn spec(spec: &mut Value) {
    for group in ["initContainers", "containers", "ephemeralContainers"] {
        items_mut(spec, group).iter_mut().for_each(container);
    }
    items_mut(spec, "volumes").iter_mut().for_each(volume);
    let account = text(spec, "/serviceAccountName").to_owned();
    let map = object(spec, &[]);
    default(map, "restartPolicy", "Always");
    default(map, "terminationGracePeriodSeconds", 30);
    default(map, "dnsPolicy", "ClusterFirst");
    default(map, "securityContext", json!({}));
    default(map, "schedulerName", "default-scheduler");
    if !account.is_empty() {
        default(map, "serviceAccount", account);
    }
}

fn container(container: &mut Value) {
    let image = text(container, "/image").to_owned();
    let map = object(container, &[]);
    default(map, "resources", json!({}));
    default(map, "terminationMessagePath", "/dev/termination-log");
    default(map, "terminationMessagePolicy", "File");
    default(map, "imagePullPolicy", if is_latest(&image) { "Always" } else { "IfNotPresent" });
    for port in items_mut(container, "ports") {
        default(object(port, &[]), "protocol", "TCP");
    }
    for env in items_mut(container, "env") {
        if let Some(Value::Object(field)) = env.pointer_mut("/valueFrom/fieldRef") {
            default(field, "apiVersion", "v1");
        }
    }
    for name in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if let Some(found) = container.get_mut(name) {
            probe(found);
        }
    }
    for hook in ["postStart", "preStop"] {
        if let Some(Value::Object(get)) = container.pointer_mut(&format!("/lifecycle/{hook}/httpGet")) {
            default(get, "path", "/");
            default(get, "scheme", "HTTP");
        }
    }
}

fn probe(probe: &mut Value) {
    let map = object(probe, &[]);
    default(map, "timeoutSeconds", 1);
    default(map, "periodSeconds", 10);
    default(map, "successThreshold", 1);
    default(map, "failureThreshold", 3);
    if let Some(Value::Object(get)) = probe.get_mut("httpGet") {
        default(get, "path", "/");
        default(get, "scheme", "HTTP");
    }
    if let Some(Value::Object(grpc)) = probe.get_mut("grpc") {
        default(grpc, "service", "");
    }
}

fn volume(volume: &mut Value) {
    let map = object(volume, &[]);
    if map.len() <= 1 {
        map.insert("emptyDir".to_owned(), json!({}));
    }
    for source in ["secret", "configMap", "downwardAPI", "projected"] {
        if let Some(Value::Object(found)) = map.get_mut(source) {
            default(found, "defaultMode", 420);
        }
    }
    if let Some(Value::Object(host)) = map.get_mut("hostPath") {
        default(host, "type", "");
    }
}

fn is_latest(image: &str) -> bool {
    let last = image.rsplit('/').next().unwrap_or(image);
    if last.contains('@') {
        return false;
    }
    last.split_once(':').is_none_or(|(_, tag)| tag == "latest")
}

fn requests_from_limits(container: &mut Value) {
    let Some(limits) = map(container, "/resources/limits").cloned() else { return };
    let requests = object(container, &["resources", "requests"]);
    for (name, amount) in limits {
        default(requests, &name, amount);
    }
}

/// The quality-of-service class of a pod.
pub(crate) fn qos_class(pod: &Value) -> &'static str {
    let containers: Vec<&Value> =
        list(pod, "/spec/containers").iter().chain(list(pod, "/spec/initContainers")).collect();
    let amount = |container: &Value, which: &str, name: &str| {
        container
            .pointer(&format!("/resources/{which}/{name}"))
            .and_then(Value::as_str)
            .and_then(Quantity::parse)
            .filter(|quantity| *quantity != Quantity::ZERO)
    };
    let names = ["cpu", "memory"];
    let none = containers.iter().all(|container| {
        names
            .iter()
            .all(|name| amount(container, "requests", name).is_none() && amount(container, "limits", name).is_none())
    });
    if none {
        return "BestEffort";
    }
    let guaranteed = containers.iter().all(|container| {
        names.iter().all(|name| match (amount(container, "limits", name), amount(container, "requests", name)) {
            (Some(limit), Some(request)) => limit.compare(request).is_eq(),
            (Some(_), None) => true,
            _ => false,
        })
    });
    if guaranteed { "Guaranteed" } else { "Burstable" }
}
