//! Whether ready stores still answer. A store that does not keeps its status: an alert and a line in its event log say
//! so, and say when it answers again.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;

use super::findings::{Changes, Finding, Kind, reconcile};
use crate::app::{App, Provisioning};
use crate::db::stores::{self, Store};
use crate::domain::Result;
use crate::vendors::kubernetes::readiness;
use crate::workflow::flows::store::{SUBJECT, names, trouble, visit};

/// Stores that are looked at at once.
const AT_ONCE: usize = 8;

const NOT_ANSWERING: Kind = Kind {
    title: "A store does not answer",
    severity: "critical",
    subject_type: SUBJECT,
    logged: Some([("unhealthy", "The store does not answer"), ("healthy", "The store answers again")]),
};

/// One pass.
///
/// # Errors
/// `unavailable` when the database or the cluster is: then nothing is said of any store.
pub async fn check(app: &App) -> Result<Changes> {
    let Some(provisioning) = &app.provisioning else { return Ok(Changes::default()) };
    let ready = stores::ready(app.db.pool()).await?;
    // A cluster that does not answer is not the fault of the stores.
    provisioning.kubernetes.version().await?;
    let mut findings = Vec::new();
    for some in ready.chunks(AT_ONCE) {
        let looks = some.iter().map(|store| look(provisioning, store));
        for (store, seen) in some.iter().zip(futures::future::join_all(looks).await) {
            if let Some(detail) = seen? {
                findings.push(Finding { team: store.team_id, subject: store.id, detail });
            }
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
    metrics::gauge!("northstack_stores_not_answering").set(findings.len() as f64);
    reconcile(app, &NOT_ANSWERING, &findings).await
}

/// What is wrong with a store; nothing when it answers.
async fn look(provisioning: &Provisioning, store: &Store) -> Result<Option<String>> {
    let kubernetes = &provisioning.kubernetes;
    let namespace = store.store_id.as_str();
    match kubernetes.namespace(namespace).await? {
        None => return Ok(Some("its namespace is gone".to_owned())),
        Some(found) if found.metadata.deletion_timestamp.is_some() => {
            return Ok(Some("its namespace is being deleted".to_owned()));
        }
        Some(_) => {}
    }
    for name in [names::MYSQL, names::WOOCOMMERCE] {
        let Some(deployment) = kubernetes.get::<Deployment>(namespace, name).await? else {
            return Ok(Some(format!("its deployment {name} is gone")));
        };
        let pods: Vec<Pod> = kubernetes.list(namespace, &format!("app={name}")).await?;
        let seen = readiness(&deployment, &pods);
        if !seen.complete() {
            let reason = seen.reason.map(|reason| format!(": {reason}")).unwrap_or_default();
            return Ok(Some(format!("{name} has {} of {} pods ready{reason}", seen.ready, seen.wanted)));
        }
    }
    let answer = visit(kubernetes, namespace, &store.url, "/").await?;
    Ok(trouble(&answer).map(|trouble| format!("its storefront {trouble}")))
}
