//! The pods of an application. Every field is written that the API server would otherwise fill in when the object is made
//! and keep from then on: a revision is the same whatever was there before it.

use serde_json::{Value, json};

use super::names::{self, Target};
use crate::domain::workload::{Health, Security, Workload};

/// The spec of the pods of a revision.
pub(super) fn spec(target: &Target, workload: &Workload) -> Value {
    let settings = &workload.settings;
    let mut spec = json!({
        "automountServiceAccountToken": false,
        // Variables of others' Services are none of the application's.
        "enableServiceLinks": false,
        "restartPolicy": "Always",
        "dnsPolicy": "ClusterFirst",
        "schedulerName": "default-scheduler",
        // The time in which it still answers counts too.
        "terminationGracePeriodSeconds": settings.drain_seconds + settings.grace_seconds,
        "securityContext": { "seccompProfile": { "type": "RuntimeDefault" } },
        "containers": [container(target, workload)],
    });
    if settings.security == Security::Restricted {
        spec["securityContext"]["runAsNonRoot"] = json!(true);
    }
    spec
}

fn container(target: &Target, workload: &Workload) -> Value {
    let configuration = target.configuration(workload.revision);
    let mut sources = vec![json!({ "configMapRef": { "name": configuration } })];
    if !workload.secrets.is_empty() {
        sources.push(json!({ "secretRef": { "name": configuration } }));
    }
    let settings = &workload.settings;
    let mut container = json!({
        "name": names::CONTAINER,
        "image": workload.image,
        "imagePullPolicy": if workload.image.is_latest() { "Always" } else { "IfNotPresent" },
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "ports": [{ "name": "http", "containerPort": workload.port, "protocol": "TCP" }],
        "env": [{ "name": "PORT", "value": workload.port.to_string() }],
        "envFrom": sources,
        "resources": workload.resources,
        "securityContext": { "allowPrivilegeEscalation": false },
    });
    if settings.security == Security::Restricted {
        container["securityContext"]["capabilities"] = json!({ "drop": ["ALL"] });
    }
    // A variable of the application's own comes first.
    if workload.variables.contains_key("PORT") || workload.secrets.contains_key("PORT") {
        container["env"] = json!([]);
    }
    for (key, words) in [("command", &settings.command), ("args", &settings.args)] {
        if !words.is_empty() {
            container[key] = words.iter().map(|word| literal(word)).collect();
        }
    }
    if settings.drain_seconds > 0 {
        // It is told to end only when nobody sends requests to it any more: endpoints are taken away while it is being
        // stopped, not before.
        container["lifecycle"] = json!({ "preStop": { "sleep": { "seconds": settings.drain_seconds } } });
    }
    match &settings.health {
        Some(health) => {
            container["readinessProbe"] = probe(health, health.failure_threshold);
            // What is slow is taken out of service long before it is killed.
            container["livenessProbe"] = probe(health, health.failure_threshold.saturating_mul(4));
        }
        None => {
            container["readinessProbe"] = json!({
                "tcpSocket": { "port": "http" },
                "periodSeconds": 5, "timeoutSeconds": 1, "successThreshold": 1, "failureThreshold": 3,
            });
        }
    }
    container
}

fn probe(health: &Health, threshold: u32) -> Value {
    let mut probe = json!({
        "httpGet": { "path": health.path, "port": "http", "scheme": "HTTP" },
        "periodSeconds": health.period_seconds, "timeoutSeconds": health.timeout_seconds,
        "successThreshold": 1, "failureThreshold": threshold,
    });
    // The cluster keeps no zero.
    if health.initial_delay_seconds > 0 {
        probe["initialDelaySeconds"] = json!(health.initial_delay_seconds);
    }
    probe
}

/// A word that the cluster hands on as it is: it takes `$(NAME)` for a variable, and `$$` for a dollar.
fn literal(word: &str) -> String {
    word.replace('$', "$$")
}
