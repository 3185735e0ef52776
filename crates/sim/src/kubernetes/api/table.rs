//! The `Table` form of lists, as `kubectl get` asks for it: name and age of each object.

use serde_json::{Value, json};

use super::respond::partial;
use crate::kubernetes::clock;
use crate::kubernetes::json::{int, list, text};
use crate::kubernetes::kinds::{self, KindId};

/// A table of objects of one kind.
pub(super) fn of(kind: KindId, objects: &[&Value], version: &Value) -> Value {
    let columns = columns(kind);
    let definitions: Vec<Value> = columns
        .iter()
        .map(|(name, _)| {
            let format = if *name == "Name" { "name" } else { "" };
            json!({"name": name, "type": "string", "format": format, "description": "", "priority": 0})
        })
        .collect();
    let rows: Vec<Value> = objects
        .iter()
        .map(|object| {
            let cells: Vec<Value> = columns.iter().map(|(_, cell)| json!(cell(object))).collect();
            json!({"cells": cells, "object": partial(object)})
        })
        .collect();
    json!({
        "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": {"resourceVersion": version},
        "columnDefinitions": definitions, "rows": rows,
    })
}

type Cell = fn(&Value) -> String;

fn columns(kind: KindId) -> Vec<(&'static str, Cell)> {
    let name: (&'static str, Cell) = ("Name", |object| text(object, "/metadata/name").to_owned());
    let age: (&'static str, Cell) = ("Age", |object| age(text(object, "/metadata/creationTimestamp")));
    let mut columns = vec![name];
    match kind {
        kinds::PODS => {
            columns.push(("Ready", |pod| {
                let statuses = list(pod, "/status/containerStatuses");
                let ready = statuses.iter().filter(|status| status.get("ready") == Some(&json!(true))).count();
                format!("{ready}/{}", list(pod, "/spec/containers").len())
            }));
            columns.push(("Status", pod_status));
            columns.push(("Restarts", |pod| {
                let statuses = list(pod, "/status/containerStatuses");
                statuses.iter().filter_map(|status| int(status, "/restartCount")).sum::<i64>().to_string()
            }));
        }
        kinds::DEPLOYMENTS => {
            columns.push(("Ready", |object| {
                let count = |pointer| int(object, pointer).unwrap_or(0);
                format!("{}/{}", count("/status/readyReplicas"), count("/spec/replicas"))
            }));
            columns.push(("Up-to-date", |object| int(object, "/status/updatedReplicas").unwrap_or(0).to_string()));
            columns.push(("Available", |object| int(object, "/status/availableReplicas").unwrap_or(0).to_string()));
        }
        kinds::NAMESPACES | kinds::PVCS => {
            columns.push(("Status", |object| text(object, "/status/phase").to_owned()));
        }
        kinds::SERVICES => {
            columns.push(("Type", |object| text(object, "/spec/type").to_owned()));
            columns.push(("Cluster-IP", |object| text(object, "/spec/clusterIP").to_owned()));
        }
        _ => {}
    }
    columns.push(age);
    columns
}

fn pod_status(pod: &Value) -> String {
    if pod.pointer("/metadata/deletionTimestamp").is_some() {
        return "Terminating".to_owned();
    }
    let waiting = list(pod, "/status/containerStatuses")
        .iter()
        .map(|status| text(status, "/state/waiting/reason"))
        .find(|reason| !reason.is_empty());
    waiting.unwrap_or_else(|| text(pod, "/status/phase")).to_owned()
}

fn age(created: &str) -> String {
    let seconds = clock::seconds_since(created).unwrap_or(0.0).max(0.0) as u64;
    match seconds {
        0..120 => format!("{seconds}s"),
        120..7200 => format!("{}m", seconds / 60),
        7200..172_800 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}
