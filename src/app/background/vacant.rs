//! Namespaces of applications in which no application is any more. They are reported, never removed: another
//! installation may share the cluster, and nothing is deleted because something is unclear.

use std::collections::{BTreeMap, HashMap, HashSet};

use uuid::Uuid;

use super::findings::{Finding, Kind, reconcile};
use crate::app::App;
use crate::db::settled;
use crate::domain::Result;
use crate::workflow::flows::application::names::{MANAGED_BY, PROJECT};

const VACANT: Kind = Kind {
    title: "A namespace without applications is still there",
    severity: "warning",
    subject_type: "project",
    logged: None,
};

/// One pass: the namespaces, in order, that carry our labels, are not on their way out, and have no inhabitant.
///
/// # Errors
/// `unavailable` when the database or the cluster is.
pub async fn find(app: &App) -> Result<Vec<String>> {
    let Some(provisioning) = &app.provisioning else { return Ok(Vec::new()) };
    let selector = format!("{PROJECT},{}={}", MANAGED_BY.0, MANAGED_BY.1);
    let namespaces = provisioning.kubernetes.namespaces(&selector).await?;
    let standing = namespaces.into_iter().filter(|namespace| namespace.metadata.deletion_timestamp.is_none());
    let projects: BTreeMap<String, Option<Uuid>> = standing
        .filter_map(|namespace| {
            let project = namespace.metadata.labels.as_ref().and_then(|labels| labels.get(PROJECT)?.parse().ok());
            Some((namespace.metadata.name?, project))
        })
        .collect();
    // Read after the cluster was: an application's row knows its namespace before it is made.
    let names: Vec<String> = projects.keys().cloned().collect();
    let inhabited: HashSet<String> = settled::inhabited(app.db.pool(), &names).await?.into_iter().collect();
    let vacant: Vec<String> = names.into_iter().filter(|name| !inhabited.contains(name)).collect();
    for namespace in &vacant {
        tracing::warn!(namespace, "namespace_vacant");
    }
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
    metrics::gauge!("northstack_vacant_namespaces").set(vacant.len() as f64);
    let mut by_project: BTreeMap<Uuid, Vec<&str>> = BTreeMap::new();
    for name in &vacant {
        if let Some(Some(project)) = projects.get(name) {
            by_project.entry(*project).or_default().push(name);
        }
    }
    let known: Vec<Uuid> = by_project.keys().copied().collect();
    let teams: HashMap<Uuid, Uuid> = settled::teams_of_projects(app.db.pool(), &known).await?.into_iter().collect();
    let finding = |(project, names): (Uuid, Vec<&str>)| {
        let detail = format!("{}; delete it in the cluster if nobody needs it", names.join(", "));
        teams.get(&project).map(|team| Finding { team: *team, subject: project, detail })
    };
    let findings: Vec<Finding> = by_project.into_iter().filter_map(finding).collect();
    reconcile(app, &VACANT, &findings).await?;
    Ok(vacant)
}
