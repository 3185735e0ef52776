//! Whether applications that are to serve do so. One that does not for some time is `degraded` and has an alert; it is
//! `running` again when it serves again, unless its newest deployment has failed.

use std::collections::HashMap;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use time::OffsetDateTime;
use uuid::Uuid;

use super::findings::{Changes, Finding, Kind, reconcile};
use crate::app::{App, Provisioning};
use crate::db::Audit;
use crate::db::settled::{self, Serving};
use crate::domain::{ApplicationStatus, Result};
use crate::vendors::kubernetes::{diagnose, rolled_out};
use crate::workflow::flows::application::SUBJECT;
use crate::workflow::flows::application::names::APPLICATION;

const NOT_SERVING: Kind = Kind {
    title: "An application does not serve as it should",
    severity: "critical",
    subject_type: SUBJECT,
    logged: None,
};

/// One pass. Nothing is written where nothing has changed.
///
/// # Errors
/// `unavailable` when the database or the cluster is: then nothing is said of any application.
pub async fn check(app: &App) -> Result<Changes> {
    let Some(provisioning) = &app.provisioning else { return Ok(Changes::default()) };
    let serving = settled::serving(app.db.pool()).await?;
    let mut deployments: HashMap<(String, String), Vec<Deployment>> = HashMap::new();
    let sort = |deployment: Deployment| {
        let application = deployment.labels().get(APPLICATION).cloned().unwrap_or_default();
        deployments.entry((deployment.namespace().unwrap_or_default(), application)).or_default().push(deployment);
    };
    provisioning.kubernetes.pages(APPLICATION, sort).await?;
    let since = settled::now(app.db.pool()).await? - app.config.get().worker.unhealthy_after;
    let mut findings = Vec::new();
    for application in &serving {
        let own = deployments.get(&(application.namespace.clone(), application.id.to_string()));
        let own = own.map(Vec::as_slice).unwrap_or_default();
        if let Some(detail) = trouble(provisioning, application, own, since).await? {
            findings.push(Finding { team: application.team_id, subject: application.id, detail });
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
    metrics::gauge!("northstack_applications_not_serving").set(findings.len() as f64);
    let changes = reconcile(app, &NOT_SERVING, &findings).await?;
    move_on(app, &serving, &findings).await?;
    Ok(changes)
}

/// What is wrong with an application; nothing when it serves, or when it has not for a moment only.
async fn trouble(
    provisioning: &Provisioning,
    application: &Serving,
    deployments: &[Deployment],
    since: OffsetDateTime,
) -> Result<Option<String>> {
    if deployments.is_empty() {
        return Ok(Some("nothing of it is in the cluster".to_owned()));
    }
    let Some(deployment) = deployments.iter().find(|deployment| !well(deployment, since)) else { return Ok(None) };
    let selector = deployment.spec.selector.match_labels.iter().flatten();
    let selector: Vec<String> = selector.map(|(key, value)| format!("{key}={value}")).collect();
    let pods: Vec<Pod> = provisioning.kubernetes.list(&application.namespace, &selector.join(",")).await?;
    let seen = rolled_out(deployment);
    let events = provisioning.kubernetes.events(&application.namespace).await?;
    let why = diagnose(deployment, &pods, &events).map(|why| format!(": {}", why.text)).unwrap_or_default();
    Ok(Some(format!("{} has {} of {} pods ready{why}", deployment.name_any(), seen.ready, seen.wanted)))
}

/// Whether a Deployment has its pods, or has lacked some only since then.
fn well(deployment: &Deployment, earliest: OffsetDateTime) -> bool {
    if rolled_out(deployment).complete {
        return true;
    }
    let conditions = deployment.status.iter().flat_map(|status| status.conditions.iter().flatten());
    let mut since = conditions
        .filter(|it| (it.type_.as_deref(), it.status.as_deref()) == (Some("Available"), Some("False")))
        .filter_map(|condition| condition.last_transition_time.as_ref())
        .filter_map(|time| OffsetDateTime::from_unix_timestamp_nanos(time.0.as_nanosecond()).ok());
    since.all(|since| since > earliest)
}

/// Gives the applications the status that was observed.
async fn move_on(app: &App, serving: &[Serving], findings: &[Finding]) -> Result<()> {
    use ApplicationStatus::{Degraded, Running};
    let ill = |application: &&Serving| findings.iter().any(|finding| finding.subject == application.id);
    let ids = |pick: &dyn Fn(&&Serving) -> bool| -> Vec<Uuid> {
        serving.iter().filter(pick).map(|application| application.id).collect()
    };
    let fallen = ids(&|application| application.status == Running && ill(application));
    let risen = ids(&|application| application.status == Degraded && application.newest_serves && !ill(application));
    // One statement a transaction: it ends with the audit chains locked, which come after the rows for everybody.
    for (ids, from, to) in [(&fallen, Running, Degraded), (&risen, Degraded, Running)] {
        if !ids.is_empty() {
            let by = &Audit::system(None);
            app.db.transaction(by, async |mut tx| settled::move_from(&mut tx, ids, from, to).await).await?;
        }
    }
    Ok(())
}
