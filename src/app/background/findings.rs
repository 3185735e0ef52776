//! From what a pass found to alerts: raised once, resolved when it is found no more, and written in between only when
//! there is something else to say.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use crate::app::App;
use crate::db::alerts::{self, Raise};
use crate::db::stores::{self, Severity};
use crate::db::{Audit, PgTx};
use crate::domain::Result;
use crate::workflow::flows::store::SUBJECT;

/// A kind of finding.
#[derive(Debug)]
pub(super) struct Kind {
    /// The alert's title; it tells the kinds apart.
    pub title: &'static str,
    /// `warning` or `critical`.
    pub severity: &'static str,
    /// What the findings are about.
    pub subject_type: &'static str,
    /// The lines of a store's event log when it begins and when it is over: (event type, message).
    pub logged: Option<[(&'static str, &'static str); 2]>,
}

/// One subject with something wrong.
#[derive(Debug, Clone)]
pub(super) struct Finding {
    /// The subject's team.
    pub team: Uuid,
    pub subject: Uuid,
    pub detail: String,
}

/// What a pass changed.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Changes {
    /// Subjects about which an alert was raised.
    pub raised: Vec<Uuid>,
    /// Subjects whose alert was resolved.
    pub resolved: Vec<Uuid>,
}

/// Makes the unresolved alerts of a kind those of the findings.
pub(super) async fn reconcile(app: &App, kind: &Kind, findings: &[Finding]) -> Result<Changes> {
    settle(app, kind, findings, |_| true).await
}

/// The same for some subjects alone: nothing is said of others.
pub(super) async fn reconcile_among(
    app: &App,
    kind: &Kind,
    subjects: &[Uuid],
    findings: &[Finding],
) -> Result<Changes> {
    settle(app, kind, findings, |subject| subjects.contains(subject)).await
}

async fn settle(app: &App, kind: &Kind, findings: &[Finding], concerned: impl Fn(&Uuid) -> bool) -> Result<Changes> {
    let open = alerts::unresolved(app.db.pool(), kind.subject_type, kind.title).await?;
    let open: HashMap<Uuid, String> = open.into_iter().filter(|(subject, _)| concerned(subject)).collect();
    let found: HashSet<Uuid> = findings.iter().map(|finding| finding.subject).collect();
    let new: Vec<&Finding> = findings.iter().filter(|finding| !open.contains_key(&finding.subject)).collect();
    let other = |finding: &&Finding| open.get(&finding.subject).is_some_and(|detail| *detail != finding.detail);
    let changed: Vec<&Finding> = findings.iter().filter(other).collect();
    let over: Vec<Uuid> = open.keys().filter(|subject| !found.contains(*subject)).copied().collect();
    if new.is_empty() && over.is_empty() && changed.is_empty() {
        return Ok(Changes::default());
    }
    app.db
        .transaction(&Audit::system(None), async |mut tx| {
            let mut changes = Changes::default();
            for finding in &new {
                if raise(&mut tx, kind, finding).await? {
                    changes.raised.push(finding.subject);
                }
            }
            for finding in &changed {
                alerts::tell(&mut tx, kind.subject_type, finding.subject, kind.title, &finding.detail).await?;
            }
            for subject in &over {
                if resolve(&mut tx, kind, *subject).await? {
                    changes.resolved.push(*subject);
                }
            }
            Ok(changes)
        })
        .await
}

async fn raise(tx: &mut PgTx, kind: &Kind, finding: &Finding) -> Result<bool> {
    let alert = Raise {
        team_id: finding.team,
        severity: kind.severity,
        title: kind.title,
        detail: &finding.detail,
        subject_type: kind.subject_type,
        subject_id: finding.subject,
    };
    let raised = alerts::raise(tx, &alert).await?;
    if raised && let Some([(event, message), _]) = kind.logged.filter(|_| kind.subject_type == SUBJECT) {
        let message = format!("{message}: {}", finding.detail);
        stores::log(tx, finding.subject, event, &message, Severity::Warning).await?;
    }
    Ok(raised)
}

async fn resolve(tx: &mut PgTx, kind: &Kind, subject: Uuid) -> Result<bool> {
    let resolved = alerts::resolve(tx, kind.subject_type, subject, kind.title).await?;
    if resolved && let Some([_, (event, message)]) = kind.logged.filter(|_| kind.subject_type == SUBJECT) {
        stores::log(tx, subject, event, message, Severity::Info).await?;
    }
    Ok(resolved)
}
