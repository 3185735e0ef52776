//! Drift: what of running applications is not in the cluster as their revision says. It is found by a watch as it
//! happens and by a pass over everything now and then, reported, and put right where the application says so: by an
//! operation in the application's lane, whose end is waited for.

mod queue;
mod seen;
mod watch;

use std::time::Duration;

use backon::{ExponentialBuilder, Retryable as _};
use futures::future::join_all;
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use super::findings::{Changes, Finding, Kind, reconcile, reconcile_among};
use super::repair::{self, Begun, Repair};
use crate::app::{App, Provisioning};
use crate::db::{Audit, settled};
use crate::domain::{Error, Result};
use crate::workflow::flows::application::SUBJECT;
use crate::workflow::flows::application::drift::heal::{HEAL, Heal, Healed};
use crate::workflow::flows::application::drift::{self as cluster, Seat};

pub use watch::Watch;

/// Applications that are put right at once.
const AT_ONCE: usize = 4;
/// Differences that are told of one application.
const MOST: usize = 6;
/// Applications whose rows are read at once.
const ROWS: usize = 1_000;

const DRIFTED: Kind = Kind {
    title: "An application is not as it was deployed",
    severity: "warning",
    subject_type: SUBJECT,
    logged: None,
};

/// What a look at applications found and did.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Drift {
    /// Applications that were looked at.
    pub looked_at: usize,
    /// Those that were not as they are to be.
    pub drifted: Vec<Uuid>,
    /// Those of them that were put right.
    pub healed: Vec<Uuid>,
    /// Those that are to be put right and could not be.
    pub left: Vec<Uuid>,
    /// Alerts.
    pub alerts: Changes,
}

/// One pass over all applications. Nothing is written where everything is as it is to be.
///
/// # Errors
/// `unavailable` when the database or the cluster is: then nothing is said of any application.
pub async fn check(app: &App) -> Result<Drift> {
    let Some(provisioning) = &app.provisioning else { return Ok(Drift::default()) };
    let candidates = settled::candidates(app.db.pool()).await?;
    let mut rows = Vec::with_capacity(candidates.len());
    for some in candidates.chunks(ROWS) {
        rows.extend(settled::of(app.db.pool(), some).await?);
    }
    let seats = cluster::everywhere(&provisioning.kubernetes, &provisioning.applications, rows).await?;
    let (mut drift, findings) = settle(app, provisioning, seats).await;
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
    metrics::gauge!("northstack_applications_drifted").set(drift.drifted.len() as f64);
    drift.alerts = told(|| reconcile(app, &DRIFTED, &findings)).await?;
    Ok(drift)
}

/// The same for some applications alone. Nothing is said of those that are not settled.
///
/// # Errors
/// As [`check`].
pub async fn check_some(app: &App, applications: &[Uuid]) -> Result<Drift> {
    let Some(provisioning) = &app.provisioning else { return Ok(Drift::default()) };
    let rows = settled::of(app.db.pool(), applications).await?;
    if rows.is_empty() {
        return Ok(Drift::default());
    }
    let seats = cluster::one_by_one(&provisioning.kubernetes, &provisioning.applications, rows).await?;
    let looked_at: Vec<Uuid> = seats.iter().map(|seat| seat.id).collect();
    let (mut drift, findings) = settle(app, provisioning, seats).await;
    drift.alerts = told(|| reconcile_among(app, &DRIFTED, &looked_at, &findings)).await?;
    Ok(drift)
}

/// Tells of what a look found, again for a while where the database does not answer: what was put right meanwhile would be
/// found well by the next look, and nobody would hear of the change.
async fn told<F: Future<Output = Result<Changes>>>(tell: impl FnMut() -> F) -> Result<Changes> {
    let pauses = ExponentialBuilder::default().with_max_delay(Duration::from_secs(10)).with_max_times(10).with_jitter();
    tell.retry(pauses).when(Error::retryable).await
}

/// Puts right what may be, and says what is to be reported.
async fn settle(app: &App, provisioning: &Provisioning, mut seats: Vec<Seat>) -> (Drift, Vec<Finding>) {
    let mut drift = Drift { looked_at: seats.len(), ..Drift::default() };
    seats.retain(|seat| !seat.differences.is_empty());
    let mut outcomes: Vec<(Outcome, Finding)> = Vec::with_capacity(seats.len());
    for some in seats.chunks(AT_ONCE) {
        outcomes.extend(join_all(some.iter().map(|seat| treat(app, provisioning, seat))).await);
    }
    let of = |wanted: Outcome| {
        let some = outcomes.iter().filter(|(outcome, _)| *outcome == wanted);
        some.map(|(_, finding)| finding.subject).collect()
    };
    (drift.healed, drift.left) = (of(Outcome::Healed), of(Outcome::Left));
    let findings: Vec<Finding> = outcomes.into_iter().map(|(_, finding)| finding).collect();
    drift.drifted = findings.iter().map(|finding| finding.subject).collect();
    (drift, findings)
}

/// What was done to an application that was not as it is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// It was put right.
    Healed,
    /// It could not be.
    Left,
    /// It does not ask for more than to be told of.
    Told,
}

async fn treat(app: &App, provisioning: &Provisioning, seat: &Seat) -> (Outcome, Finding) {
    let mut told: Vec<&str> = seat.differences.iter().take(MOST).map(String::as_str).collect();
    let (outcome, end) = if seat.heal {
        let healed = heal(app, provisioning, seat).await;
        healed.unwrap_or_else(|error| (Outcome::Left, format!("it could not be put right: {}", error.message())))
    } else {
        (Outcome::Told, String::new())
    };
    told.extend((!end.is_empty()).then_some(end.as_str()));
    let detail = told.join("; ");
    tracing::warn!(application = %seat.id, healed = outcome == Outcome::Healed, "application_drifted");
    (outcome, Finding { team: seat.team, subject: seat.id, detail })
}

/// Lets an operation put an application right, and says what came of it.
async fn heal(app: &App, provisioning: &Provisioning, seat: &Seat) -> Result<(Outcome, String)> {
    let busy = || (Outcome::Left, "something is being done to it".to_owned());
    let input =
        Heal { target: seat.target.clone(), revision: seat.workload.revision, differences: seat.differences.clone() };
    let begun = app
        .db
        .transaction(&Audit::system(Some(HEAL.to_owned())), async |mut tx| {
            if !settled::hold(&mut tx, seat.id, seat.workload.revision).await? {
                return Ok(None);
            }
            let repair = Repair { kind: HEAL, team: seat.team, application: seat.id, input: &input };
            repair::begin(&mut tx, provisioning, repair).await.map(Some)
        })
        .await?;
    let ended = match begun {
        None => return Ok(busy()),
        Some(Begun::Resting(words)) => Err(words),
        Some(Begun::Operation(operation)) => {
            provisioning.nudge.send(HEAL);
            repair::ended(app, operation).await?
        }
    };
    Ok(match ended {
        Ok(ended) if ended.output.as_ref().is_some_and(healed) => (Outcome::Healed, "it was put right".to_owned()),
        // It was superseded, or left the application to somebody else.
        Ok(_) => busy(),
        Err(words) => (Outcome::Left, format!("it could not be put right: {words}")),
    })
}

fn healed(output: &Value) -> bool {
    Healed::deserialize(output).is_ok_and(|Healed { verify }| verify.healed)
}
