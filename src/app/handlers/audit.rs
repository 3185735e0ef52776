//! Audit events: what others than our own tables tell of acts is kept in the hash chain.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::app::App;
use crate::bus::{Event, Subject};
use crate::db::{Audit, audit, event_effects, teams};
use crate::domain::{Actor, Error, Result};

/// `audit.<resource>.<action>.<id>`. An event of our own `audit_logs` tells of what is kept already.
pub(super) async fn handle(app: &App, event: &Event) -> Result<()> {
    if event.data.contains_key("table") {
        return Ok(());
    }
    let words: Vec<&str> = event.kind.split('.').collect();
    let ["audit", resource, action @ ..] = words.as_slice() else {
        return Err(Error::invalid("type", "an audit event is `audit.<resource>.<action>`"));
    };
    if action.is_empty() {
        return Err(Error::invalid("type", "an audit event names the action: `audit.<resource>.<action>`"));
    }
    let action = action.join(".");
    let entity = Subject::parse(&event.subject)?.entity();
    // Who is named by something else than one of our ids is kept by name.
    let id: Uuid = entity.parse().unwrap_or(Uuid::nil());
    let team = event.data.get("team_id").and_then(Value::as_str).and_then(|team| team.parse().ok());
    let team = match team {
        Some(team) if teams::exists(app.db.pool(), team).await? => Some(team),
        _ => None,
    };
    let details = &json!({
        "eventId": event.id, "source": event.source, "entity": entity, "occurredAt": event.timestamp.to_string(),
        "data": event.data,
    });
    let actor = event.metadata.user_id.map_or(Actor::System, Actor::User);
    let by = Audit { actor, correlation_id: Some(event.metadata.correlation_id.clone()) };
    app.db
        .transaction(&by, async |mut tx| {
            if event_effects::first_time(&mut tx, "audit", event.id).await? {
                audit::append(&mut tx, team, &action, resource, id, details).await?;
            }
            Ok(())
        })
        .await
}
