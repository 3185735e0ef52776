//! Which columns of a changed row an event tells of: those that role `user` may read of the table, so that whoever sees
//! events sees no more than whoever reads rows. A test holds the lists against the permissions in `hasura/metadata`.

use serde_json::{Map, Value};

/// Most bytes of one event's data: the bus takes no message over 1 MiB.
const MOST: usize = 512 * 1024;

/// Readable columns by table.
pub const READABLE: [(&str, &[&str]); 8] = [
    (
        "applications",
        &[
            "id",
            "project_id",
            "cluster_id",
            "name",
            "environment",
            "repository",
            "branch",
            "build_pack",
            "image",
            "port",
            "replicas",
            "resources",
            "strategy",
            "status",
            "url",
            "heal_drift",
            "settings",
            "namespace",
            "workload",
            "created_at",
            "updated_at",
        ],
    ),
    (
        "audit_logs",
        &[
            "id",
            "chain_position",
            "team_id",
            "actor_id",
            "actor_role",
            "action",
            "resource_type",
            "resource_id",
            "before",
            "after",
            "details",
            "correlation_id",
            "created_at",
            "updated_at",
        ],
    ),
    (
        "clusters",
        &[
            "id",
            "team_id",
            "name",
            "provider",
            "version",
            "status",
            "node_count",
            "region",
            "endpoint",
            "error",
            "settings",
            "created_at",
            "updated_at",
        ],
    ),
    (
        "deployments",
        &[
            "id",
            "application_id",
            "build_id",
            "operation_id",
            "revision",
            "status",
            "strategy",
            "image",
            "commit_sha",
            "progress",
            "error",
            "restored_revision",
            "requested_by",
            "started_at",
            "finished_at",
            "created_at",
            "updated_at",
        ],
    ),
    (
        "operations",
        &[
            "id",
            "kind",
            "status",
            "team_id",
            "subject_type",
            "subject_id",
            "requested_by",
            "error_code",
            "error_message",
            "stuck_reason",
            "correlation_id",
            "direction",
            "lane",
            "lane_blocked",
            "superseded_by",
            "cancel_requested_at",
            "started_at",
            "finished_at",
            "created_at",
            "updated_at",
        ],
    ),
    (
        "stores",
        &[
            "id",
            "team_id",
            "store_id",
            "name",
            "type",
            "status",
            "namespace",
            "url",
            "admin_url",
            "error",
            "requested_by",
            "ready_at",
            "created_at",
            "updated_at",
        ],
    ),
    (
        "alerts",
        &[
            "id",
            "team_id",
            "severity",
            "title",
            "detail",
            "subject_type",
            "subject_id",
            "acknowledged_at",
            "acknowledged_by",
            "resolved_at",
            "created_at",
            "updated_at",
        ],
    ),
    (
        "builds",
        &[
            "id",
            "application_id",
            "operation_id",
            "status",
            "commit_sha",
            "branch",
            "image",
            "vendor",
            "error",
            "started_at",
            "finished_at",
            "created_at",
            "updated_at",
        ],
    ),
];

/// What the bus is told beside that, and nobody else: the handlers of events look for the mark on a row that is to go,
/// and the audit trail is compared with its hashes.
const OF_THE_BUS: [(&str, &[&str]); 2] = [("applications", &["deleted_at"]), ("audit_logs", &["chain_id", "hash"])];

fn of<'a>(lists: &[(&str, &'a [&'a str])], table: &str) -> &'a [&'a str] {
    match lists.iter().find(|(name, _)| *name == table) {
        Some((_, columns)) => columns,
        None => &[],
    }
}

/// Leaves what the bus is told of a row.
pub(super) fn publish(table: &str, row: &mut Map<String, Value>) {
    let (readable, more) = (of(&READABLE, table), of(&OF_THE_BUS, table));
    row.retain(|column, _| readable.contains(&column.as_str()) || more.contains(&column.as_str()));
}

/// Leaves what may be read of an event: what those see who read the log of events, follow it or replay it.
pub fn show(data: &mut Map<String, Value>) {
    let Some(table) = data.get("table").and_then(Value::as_str).map(str::to_owned) else { return };
    let readable = of(&READABLE, &table);
    for part in ["row", "previous"] {
        if let Some(row) = data.get_mut(part).and_then(Value::as_object_mut) {
            row.retain(|column, _| readable.contains(&column.as_str()));
        }
    }
}

/// Leaves out the largest columns of an event that is larger than the bus takes, and says which those were.
pub(super) fn fit(data: &mut Map<String, Value>) {
    let size = |value: &Value| value.to_string().len();
    let mut whole = data.values().map(size).sum::<usize>();
    let mut omitted = Vec::new();
    while whole > MOST {
        let largest = ["row", "previous"]
            .into_iter()
            .filter_map(|part| Some((part, data.get(part)?.as_object()?)))
            .flat_map(|(part, row)| row.iter().map(move |(column, value)| (size(value), part, column.clone())))
            .max();
        let Some((bytes, part, column)) = largest else { break };
        if let Some(row) = data.get_mut(part).and_then(Value::as_object_mut) {
            row.remove(&column);
        }
        whole = whole.saturating_sub(bytes);
        omitted.push(Value::String(format!("{part}.{column}")));
    }
    if !omitted.is_empty() {
        data.insert("omitted".to_owned(), Value::Array(omitted));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn data(value: Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap_or_default()
    }

    #[test]
    fn nobody_is_shown_a_column_that_is_not_readable() {
        let mut event = data(json!({ "table": "operations", "operation": "UPDATE",
            "row": { "id": "o", "status": "running", "input": { "secret": 1 }, "lease_holder": "vm/1" },
            "previous": { "status": "queued", "generation": 1 } }));
        show(&mut event);
        assert_eq!(event["row"], json!({ "id": "o", "status": "running" }));
        assert_eq!(event["previous"], json!({ "status": "queued" }));
        let mut unknown = data(json!({ "table": "secrets", "row": { "id": 1, "ciphertext": "x" } }));
        show(&mut unknown);
        assert_eq!(unknown["row"], json!({}));
        let mut told = data(json!({ "source": "argocd", "row": { "any": 1 } }));
        show(&mut told);
        assert_eq!(told["row"], json!({ "any": 1 }), "what is no row change is not ours to cut");
    }

    #[test]
    fn what_the_bus_does_not_take_is_left_out_and_named() {
        let mut event = data(json!({ "table": "audit_logs",
            "row": { "id": "a", "hash": "h", "before": "x".repeat(900_000), "after": "y".repeat(900_000) } }));
        fit(&mut event);
        assert_eq!(event["row"], json!({ "id": "a", "hash": "h" }));
        assert_eq!(event["omitted"].as_array().map(Vec::len), Some(2));
        let mut small = data(json!({ "row": { "id": "a" } }));
        fit(&mut small);
        assert_eq!(small.get("omitted"), None);
    }
}
