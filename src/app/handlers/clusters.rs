//! Cluster events: what vendors tell becomes the row's status, and what is wrong with a cluster an alert.
//!
//! A change of the row itself (`table` in the data) raises or resolves alerts. An event of a vendor carries the status
//! in its data, or as the last word of its type: `cluster.degraded`.

use std::str::FromStr;

use serde_json::Value;
use uuid::Uuid;

use super::changed;
use crate::app::App;
use crate::bus::{Event, Subject};
use crate::db::alerts::{self, Raise};
use crate::db::event_effects::{self, Cluster};
use crate::db::{Audit, PgTx};
use crate::domain::{ClusterStatus, Result};

const DEGRADED: &str = "A cluster is degraded";
const FAILED: &str = "A cluster has failed";

pub(super) async fn handle(app: &App, event: &Event) -> Result<()> {
    let audit = &Audit::system(Some(event.metadata.correlation_id.clone()));
    if let Some(id) = changed(event, "clusters", "id") {
        return app.db.transaction(audit, async |mut tx| alert(&mut tx, id).await).await;
    }
    if event.data.contains_key("table") {
        return Ok(());
    }
    let (Some(id), Some(status)) = (subject_id(event), told_status(event)) else { return Ok(()) };
    let error = event.data.get("error").or_else(|| event.data.get("message")).and_then(Value::as_str);
    app.db
        .transaction(audit, async |mut tx| {
            let consumer = "clusters";
            if !event_effects::first_time(&mut tx, consumer, event.id).await? {
                return Ok(());
            }
            let Some(cluster) = event_effects::lock_cluster(&mut tx, id).await? else { return Ok(()) };
            let now = ClusterStatus::from_str(&cluster.status).ok();
            if now.is_some_and(|now| now.may_become(status)) {
                event_effects::set_cluster_status(&mut tx, id, status.as_str(), error).await?;
                alert(&mut tx, id).await?;
            } else {
                tracing::info!(%id, from = cluster.status, to = status.as_str(), "cluster_status_not_taken");
            }
            Ok(())
        })
        .await
}

fn subject_id(event: &Event) -> Option<Uuid> {
    Subject::parse(&event.subject).ok()?.entity().parse().ok()
}

/// The status that a vendor's event tells of, if it is one.
fn told_status(event: &Event) -> Option<ClusterStatus> {
    let named = event.data.get("status").and_then(Value::as_str);
    let word = named.or_else(|| event.kind.rsplit('.').next())?;
    ClusterStatus::from_str(word).ok()
}

/// Raises and resolves alerts by what the row says now.
async fn alert(tx: &mut PgTx, id: Uuid) -> Result<()> {
    let Some(cluster) = event_effects::lock_cluster(tx, id).await? else { return Ok(()) };
    let Cluster { team_id, name, status, error } = cluster;
    for (title, word, severity) in [(DEGRADED, "degraded", "warning"), (FAILED, "failed", "critical")] {
        if status == word {
            let detail = format!("{name}: {}", error.as_deref().unwrap_or("no reason was given"));
            let raise = Raise { team_id, severity, title, detail: &detail, subject_type: "cluster", subject_id: id };
            alerts::raise(tx, &raise).await?;
        } else {
            alerts::resolve(tx, "cluster", id, title).await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};

    use super::*;

    #[test]
    fn a_vendors_word_is_a_status_or_nothing() {
        let told = |action: &[&str], data: Value| {
            let data: Map<String, Value> = serde_json::from_value(data).unwrap();
            told_status(&Event::now(&Subject::new("cluster", action, "c"), data, "x"))
        };
        assert_eq!(told(&["degraded"], json!({})), Some(ClusterStatus::Degraded));
        assert_eq!(told(&["changed"], json!({ "status": "ready" })), Some(ClusterStatus::Ready));
        assert_eq!(told(&["node", "added"], json!({})), None);
        assert_eq!(told(&["changed"], json!({ "status": "on fire" })), None);
    }
}
