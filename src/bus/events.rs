//! From a row change, as Hasura's event triggers tell it, to an event.

use serde::Deserialize;
use serde_json::{Map, Value, json};
use time::format_description::well_known::{Iso8601, Rfc3339};
use time::{OffsetDateTime, PrimitiveDateTime};
use uuid::Uuid;

use super::{Bus, Event, Metadata, Published, Subject, told};
use crate::domain::{Error, Result};

/// The body of an event-trigger delivery (Hasura v2, payload at top level).
#[derive(Debug, Clone, Deserialize)]
pub struct Trigger {
    /// The event's id, the same for every retry.
    pub id: Uuid,
    /// When the row changed; UTC, with or without an offset.
    pub created_at: String,
    pub table: Table,
    pub event: Change,
}

/// A table's name.
#[derive(Debug, Clone, Deserialize)]
pub struct Table {
    pub schema: String,
    /// The name within the schema.
    pub name: String,
}

/// A row change.
#[derive(Debug, Clone, Deserialize)]
pub struct Change {
    /// `INSERT`, `UPDATE`, `DELETE` or `MANUAL`.
    pub op: String,
    /// The row before and after.
    pub data: Rows,
    /// Session variables of whoever changed it.
    #[serde(default)]
    pub session_variables: Option<Map<String, Value>>,
    /// The trace in which it changed.
    #[serde(default)]
    pub trace_context: Option<Map<String, Value>>,
}

/// A row before and after.
#[derive(Debug, Clone, Deserialize)]
pub struct Rows {
    /// Before; none for an insert.
    #[serde(default)]
    pub old: Option<Map<String, Value>>,
    /// After; none for a delete.
    #[serde(default)]
    pub new: Option<Map<String, Value>>,
}

impl Bus {
    /// Publishes the event of a row change. Called again with the same delivery it changes nothing.
    ///
    /// # Errors
    /// `invalid-input` for a body that is not understood (trying again will not help), `unavailable` when the
    /// event bus does not answer (Hasura delivers again).
    pub async fn publish_trigger(&self, trigger: &Trigger) -> Result<Published> {
        let (subject, event) = event(trigger)?;
        self.publish(&subject, &event).await
    }
}

/// The event of a row change, and where it is published.
pub fn event(trigger: &Trigger) -> Result<(Subject, Event)> {
    let rows = &trigger.event.data;
    let row = rows.new.as_ref().or(rows.old.as_ref());
    let row = row.ok_or_else(|| Error::invalid("event.data", "must hold the row before or after the change"))?;
    let subject = subject(&trigger.table.name, &Changed { rows, row, op: &trigger.event.op })?;
    let session = |name: &str| {
        let value = trigger.event.session_variables.as_ref()?.get(name)?;
        value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
    };
    let trace_id = trigger.event.trace_context.as_ref().and_then(|trace| text(trace, "trace_id"));
    let correlation_id = text(row, "correlation_id")
        .or_else(|| session("x-hasura-correlation-id"))
        .or_else(|| trace_id.clone())
        .unwrap_or_else(|| trigger.id.to_string());
    let mut data = Map::new();
    data.insert("table".to_owned(), json!(trigger.table.name));
    data.insert("operation".to_owned(), json!(trigger.event.op));
    let table = trigger.table.name.as_str();
    let mut told = row.clone();
    told::publish(table, &mut told);
    data.insert("row".to_owned(), Value::Object(told));
    if let (Some(old), Some(new)) = (&rows.old, &rows.new) {
        let changed = old.iter().filter(|(column, value)| new.get(*column) != Some(*value));
        let mut previous: Map<String, Value> = changed.map(|(column, value)| (column.clone(), value.clone())).collect();
        told::publish(table, &mut previous);
        data.insert("previous".to_owned(), Value::Object(previous));
    }
    told::fit(&mut data);
    let user_id = session("x-hasura-user-id").and_then(|id| id.parse().ok());
    let event = Event {
        id: trigger.id,
        kind: subject.kind().to_owned(),
        source: "northstack".to_owned(),
        subject: subject.as_str().to_owned(),
        timestamp: timestamp(&trigger.created_at)?,
        data,
        metadata: Metadata { correlation_id, causation_id: None, user_id, trace_id },
    };
    Ok((subject, event))
}

struct Changed<'a> {
    rows: &'a Rows,
    row: &'a Map<String, Value>,
    op: &'a str,
}

impl Changed<'_> {
    fn text(&self, column: &str) -> String {
        text(self.row, column).unwrap_or_default()
    }

    /// The word for what happened: `created`, `deleted`, the new status, or `updated`.
    fn action(&self) -> String {
        let changed = |column: &str| match (&self.rows.old, &self.rows.new) {
            (Some(old), Some(new)) => old.get(column) != new.get(column),
            _ => false,
        };
        let soft_deleted = changed("deleted_at") && text(self.row, "deleted_at").is_some();
        match self.op {
            "INSERT" => "created".to_owned(),
            "DELETE" => "deleted".to_owned(),
            _ if soft_deleted => "deleted".to_owned(),
            _ if changed("status") => self.text("status"),
            _ => "updated".to_owned(),
        }
    }
}

fn subject(table: &str, change: &Changed<'_>) -> Result<Subject> {
    let action = change.action();
    let id = change.text("id");
    Ok(match table {
        "applications" => Subject::new("application", &[&action], &id),
        "stores" => Subject::new("store", &[&action], &id),
        "clusters" => Subject::new("cluster", &[&action], &id),
        "alerts" => Subject::new("alert", &[&action], &id),
        // Who watches an application watches all its deployments: they go under its id.
        "deployments" => {
            let action = if action == "deploying" { "started" } else { action.as_str() };
            Subject::new("deployment", &[action], &change.text("application_id"))
        }
        "builds" => Subject::new("build", &[&action], &change.text("application_id")),
        // An operation is part of its subject's life.
        "operations" => {
            let domain = match change.text("subject_type").as_str() {
                "store" => "store",
                "cluster" => "cluster",
                "deployment" => "deployment",
                "build" => "build",
                _ => "application",
            };
            Subject::new(domain, &["operation", &action], &change.text("subject_id"))
        }
        "audit_logs" => {
            let entity = Some(change.text("resource_id")).filter(|id| !id.is_empty());
            let entity = entity.unwrap_or_else(|| change.text("actor_id"));
            Subject::new("audit", &[&change.text("resource_type"), &change.text("action")], &entity)
        }
        _ => return Err(Error::invalid("table.name", format!("changes of the table `{table}` are not published"))),
    })
}

fn text(row: &Map<String, Value>, column: &str) -> Option<String> {
    match row.get(column)? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Hasura writes UTC without an offset.
fn timestamp(text: &str) -> Result<OffsetDateTime> {
    OffsetDateTime::parse(text, &Rfc3339)
        .or_else(|_| PrimitiveDateTime::parse(text, &Iso8601::DEFAULT).map(PrimitiveDateTime::assume_utc))
        .map_err(|source| Error::invalid("created_at", "must be a time such as 2026-01-31T12:00:00Z").caused_by(source))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trigger(table: &str, op: &str, old: Value, new: Value) -> Trigger {
        serde_json::from_value(json!({
            "id": "0923f4b4-2489-4330-8ef0-bfccf22470e8",
            "created_at": "2026-11-21T21:02:59.418862",
            "delivery_info": { "current_retry": 0, "max_retries": 2 },
            "trigger": { "name": "changed" },
            "table": { "schema": "public", "name": table },
            "event": {
                "op": op,
                "data": { "old": old, "new": new },
                "session_variables": { "x-hasura-role": "user", "x-hasura-user-id": "20000000-0000-4000-8000-000000000003" },
                "trace_context": { "trace_id": "e8d8ed8c731d8d7717e3a242d8dcdd1c", "span_id": "2cc48cce24f2e45b" }
            }
        }))
        .unwrap()
    }

    fn published(table: &str, op: &str, old: Value, new: Value) -> String {
        event(&trigger(table, op, old, new)).unwrap().0.as_str().to_owned()
    }

    #[test]
    fn row_changes_have_the_subjects_that_the_convention_names() {
        let (queued, deploying) = (
            json!({"id": "d", "application_id": "app-123", "status": "queued"}),
            json!({"id": "d", "application_id": "app-123", "status": "deploying"}),
        );
        assert_eq!(published("deployments", "UPDATE", queued.clone(), deploying), "deployment.started.app-123");
        assert_eq!(published("deployments", "INSERT", Value::Null, queued), "deployment.created.app-123");
        let (provisioning, ready) =
            (json!({"id": "s", "status": "provisioning"}), json!({"id": "s", "status": "ready"}));
        assert_eq!(published("stores", "UPDATE", provisioning, ready.clone()), "store.ready.s");
        assert_eq!(
            published("stores", "UPDATE", ready.clone(), json!({"id": "s", "status": "ready", "url": "x"})),
            "store.updated.s"
        );
        assert_eq!(
            published(
                "applications",
                "UPDATE",
                json!({"id": "a", "deleted_at": null}),
                json!({"id": "a", "deleted_at": "2026-01-01"})
            ),
            "application.deleted.a"
        );
        let operation = json!({"id": "o", "subject_type": "store", "subject_id": "s", "status": "queued"});
        assert_eq!(published("operations", "INSERT", Value::Null, operation), "store.operation.created.s");
        let audit =
            json!({"id": "l", "resource_type": "user", "action": "login", "resource_id": null, "actor_id": "user-789"});
        assert_eq!(published("audit_logs", "INSERT", Value::Null, audit), "audit.user.login.user-789");
        assert_eq!(published("clusters", "DELETE", json!({"id": "c"}), Value::Null), "cluster.deleted.c");
    }

    #[test]
    fn every_published_subject_has_a_stream() {
        for table in
            ["applications", "stores", "clusters", "alerts", "deployments", "builds", "operations", "audit_logs"]
        {
            let row = json!({"id": "1", "application_id": "2", "subject_type": "database", "subject_id": "3"});
            let subject = published(table, "INSERT", Value::Null, row);
            assert_eq!(super::super::streams::matching(&subject).count(), 1, "{subject}");
        }
    }

    #[test]
    fn the_event_is_the_same_for_every_retry_and_knows_where_it_belongs() {
        let row = json!({"id": "s", "status": "ready", "correlation_id": "request-7"});
        let old = json!({"id": "s", "status": "provisioning", "correlation_id": "request-7"});
        let delivery = trigger("stores", "UPDATE", old, row);
        let (_, first) = event(&delivery).unwrap();
        assert_eq!(event(&delivery).unwrap().1, first);
        assert_eq!(first.id, delivery.id);
        assert_eq!(first.kind, "store.ready");
        assert_eq!(first.timestamp.to_string(), "2026-11-21 21:02:59.418862 +00:00:00");
        assert_eq!(first.metadata.correlation_id, "request-7");
        assert_eq!(first.metadata.user_id.unwrap().to_string(), "20000000-0000-4000-8000-000000000003");
        assert_eq!(first.data["previous"], json!({"status": "provisioning"}));
        let untold = trigger("stores", "INSERT", Value::Null, json!({"id": "s"}));
        assert_eq!(event(&untold).unwrap().1.metadata.correlation_id, "e8d8ed8c731d8d7717e3a242d8dcdd1c");
    }

    #[test]
    fn what_is_not_understood_is_refused_by_name() {
        let unknown = event(&trigger("secrets", "INSERT", Value::Null, json!({"id": 1}))).unwrap_err();
        assert_eq!(unknown.field(), Some("table.name"));
        let empty = event(&trigger("stores", "UPDATE", Value::Null, Value::Null)).unwrap_err();
        assert_eq!(empty.field(), Some("event.data"));
        let mut late = trigger("stores", "INSERT", Value::Null, json!({"id": "s"}));
        late.created_at = "yesterday".into();
        assert_eq!(event(&late).unwrap_err().field(), Some("created_at"));
    }
}
