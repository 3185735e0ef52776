//! Namespaces of stores that are not there any more. They are reported, never removed: another installation may share
//! the cluster, and nothing is deleted because something is unclear.

use std::collections::HashMap;

use super::findings::{Finding, Kind, reconcile};
use crate::app::App;
use crate::db::stores;
use crate::domain::{Result, StoreStatus};
use crate::workflow::flows::store::{SUBJECT, names};

const LEFT_BEHIND: Kind = Kind {
    title: "The namespace of a deleted store is still there",
    severity: "warning",
    subject_type: SUBJECT,
    logged: None,
};

/// One pass: the namespaces, in order, that carry our labels, are not on their way out, and belong to no live store.
/// The team of a deleted store gets an alert; a namespace that no store ever had is in the log and the metric only.
///
/// # Errors
/// `unavailable` when the database or the cluster is.
pub async fn find(app: &App) -> Result<Vec<String>> {
    let Some(provisioning) = &app.provisioning else { return Ok(Vec::new()) };
    let labels = format!("app={},app.kubernetes.io/managed-by=northstack", names::APP);
    let namespaces = provisioning.kubernetes.namespaces(&labels).await?;
    let names: Vec<String> = namespaces
        .into_iter()
        .filter(|namespace| namespace.metadata.deletion_timestamp.is_none())
        .filter_map(|namespace| namespace.metadata.name)
        .collect();
    // Read after the cluster was: a store's row is there before its namespace.
    let known = stores::of_namespaces(app.db.pool(), &names).await?;
    let known: HashMap<&str, _> = known.iter().map(|store| (store.store_id.as_str(), store)).collect();
    let live = |name: &String| known.get(name.as_str()).is_some_and(|store| store.status != StoreStatus::Deleted);
    let orphans: Vec<String> = names.into_iter().filter(|name| !live(name)).collect();
    for namespace in &orphans {
        tracing::warn!(namespace, "namespace_orphaned");
    }
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
    metrics::gauge!("northstack_orphaned_namespaces").set(orphans.len() as f64);
    let findings: Vec<Finding> = orphans
        .iter()
        .filter_map(|name| known.get(name.as_str()))
        .map(|store| Finding {
            team: store.team_id,
            subject: store.id,
            detail: format!("{} of {:?}; delete it in the cluster if nobody needs it", store.store_id, store.name),
        })
        .collect();
    reconcile(app, &LEFT_BEHIND, &findings).await?;
    Ok(orphans)
}
