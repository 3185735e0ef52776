//! What the rows say: the application, its newest deployment, the operation behind it, and the step at which that is.

use super::words::{self, sentence};
use super::{Cause, Fact, Observed};
use crate::domain::{ApplicationStatus, DeploymentStatus, Direction, OperationStatus, StepStatus};

pub(super) fn facts(observed: &Observed) -> Vec<Fact> {
    let mut facts = vec![application(observed)];
    facts.extend(deployment(observed));
    facts.extend(operation(observed));
    facts.extend(step(observed));
    facts
}

fn application(observed: &Observed) -> Fact {
    let row = &observed.application;
    let fact = |ok, words: &str| Fact::new("Application", &row.name, ok, words, row.updated_at);
    let (name, words) = (&row.name, words::application(row.status));
    let newest_runs = observed.deployment.as_ref().is_some_and(|newest| newest.status == DeploymentStatus::Running);
    match row.status {
        ApplicationStatus::Running => fact(true, words),
        ApplicationStatus::Created if observed.deployment.is_none() => {
            fact(false, words).advising(Cause::Wish, format!("{name} was never deployed. Deploy it."))
        }
        ApplicationStatus::Created => fact(false, "no revision of it serves yet"),
        ApplicationStatus::Stopped => {
            fact(false, words).advising(Cause::Wish, format!("{name} was stopped on request. Start it."))
        }
        ApplicationStatus::Deleting => fact(false, words).advising(Cause::Wish, format!("{name} is being deleted.")),
        ApplicationStatus::Degraded if newest_runs => {
            fact(false, "it is degraded: fewer of its pods serve than are to")
                .advising(Cause::Effect, format!("Fewer pods of {name} serve than are to."))
        }
        ApplicationStatus::Degraded => fact(false, "it is degraded: an earlier revision serves").advising(
            Cause::Effect,
            format!("{name} is served by an earlier revision, because the newest one failed. Deploy a repaired one."),
        ),
        ApplicationStatus::Deploying | ApplicationStatus::Failed | ApplicationStatus::Deleted => fact(false, words),
    }
}

fn deployment(observed: &Observed) -> Option<Fact> {
    let row = observed.deployment.as_ref()?;
    let image = row.image.as_deref().map(|image| format!(" of {image}")).unwrap_or_default();
    let passed_over = serves_another(observed, row.status);
    let other = if passed_over { "; an earlier revision serves" } else { "" };
    let evidence = format!("revision {}{image} {}{other}", row.revision, words::revision(row.status));
    let ok = row.status == DeploymentStatus::Running || passed_over;
    let fact = Fact::new("Revision", row.revision.to_string(), ok, evidence, row.updated_at)
        .quoting(row.error.as_deref().map(|error| without_revision(error, row.revision)));
    let name = &observed.application.name;
    Some(match row.status {
        DeploymentStatus::Paused => {
            let ways = ways_on(name);
            fact.advising(
                Cause::Wish,
                format!("Revision {} waits for a person. Promote it or abort it: {ways}.", row.revision),
            )
        }
        DeploymentStatus::Failed => {
            let why = row.error.as_deref().unwrap_or("no reason was given");
            let why = without_revision(why, row.revision);
            let ways = format!("Deploy a repaired one, or give this one up (`northstack abort {name}`)");
            fact.advising(Cause::Operation, format!("Revision {} failed: {why}. {ways}.", row.revision))
        }
        DeploymentStatus::Cancelled | DeploymentStatus::RolledBack | DeploymentStatus::Superseded if !passed_over => {
            let words = words::revision(row.status);
            fact.advising(Cause::Effect, format!("Revision {} {words}. Deploy again.", row.revision))
        }
        _ => fact,
    })
}

/// An error names its revision, and so does the sentence around it.
fn without_revision(error: &str, revision: i32) -> &str {
    error.strip_prefix(&format!("revision {revision} ")).unwrap_or(error)
}

fn ways_on(application: &str) -> String {
    format!("`northstack promote {application}`, or `northstack abort {application}`")
}

/// Whether a revision of this status was given up, and the application runs nevertheless.
fn serves_another(observed: &Observed, status: DeploymentStatus) -> bool {
    use DeploymentStatus::{Cancelled, RolledBack, Superseded};
    observed.application.status == ApplicationStatus::Running && matches!(status, Cancelled | RolledBack | Superseded)
}

fn operation(observed: &Observed) -> Option<Fact> {
    let row = observed.operation.as_ref()?;
    let undoing = row.direction == Direction::Undo;
    let kind = words::kind(&row.kind);
    let mut evidence = format!("{kind} {}", words::operation(row.status, row.direction));
    let waits = row.status == OperationStatus::Queued && row.lane_blocked;
    let whom = row.waits_for.as_deref().unwrap_or("another operation on the application");
    if waits {
        evidence.push_str(&format!("; it waits for {whom}"));
    }
    // How it went is told by the revision; once is enough.
    let told = [&row.error_message, &row.stuck_reason].into_iter().flatten().map(String::as_str).collect::<Vec<_>>();
    let told = (!told.is_empty()).then(|| told.join(": "));
    let given_up = row.status == OperationStatus::Cancelled;
    let ok = row.status == OperationStatus::Succeeded
        || given_up && observed.application.status == ApplicationStatus::Running;
    let fact = Fact::new("Operation", row.id.to_string(), ok, evidence, row.updated_at).quoting(told.as_deref());
    let why = row.error_message.as_deref().unwrap_or("no reason was given");
    Some(match row.status {
        OperationStatus::Queued if waits => {
            fact.advising(Cause::Operation, format!("{} waits for {whom}.", sentence(kind)))
        }
        OperationStatus::Queued => fact.advising(
            Cause::Operation,
            format!("{} waits for a worker. If it stays so, see whether a worker runs.", sentence(kind)),
        ),
        OperationStatus::Failed if undoing => {
            let why = row.stuck_reason.as_deref().unwrap_or(why);
            let again = format!("`northstack operations retry {}`", row.id);
            fact.advising(
                Cause::Operation,
                format!("What was begun could not be taken back: {why}. Try again: {again}."),
            )
        }
        OperationStatus::Failed => {
            let (again, end) = (
                format!("`northstack operations retry {}`", row.id),
                format!("`northstack operations cancel {}`", row.id),
            );
            let kind = sentence(kind);
            fact.advising(Cause::Effect, format!("{kind} failed: {why}. Retry it ({again}), or cancel it ({end})."))
        }
        _ => fact,
    })
}

/// The step at which an operation is that has not come to its end, or that failed. One that was given up has none: what
/// failed of it is past.
fn step(observed: &Observed) -> Option<Fact> {
    let operation = observed.operation.as_ref()?;
    if matches!(operation.status, OperationStatus::Cancelled | OperationStatus::Succeeded) {
        return None;
    }
    let row = observed.step.as_ref()?;
    let title = if row.title.is_empty() { &row.name } else { &row.title };
    let detail = row.detail.as_deref().filter(|detail| !detail.is_empty());
    let times = if row.attempt > 1 { format!(" (attempt {})", row.attempt) } else { String::new() };
    let words = words::step(row.status);
    let fact = Fact::new("Step", title, false, format!("{words}{times}"), row.updated_at).quoting(detail);
    let detail = detail.map(|detail| format!(": {detail}")).unwrap_or_default();
    let begin = match row.status {
        StepStatus::Failed => format!("The step \"{title}\" failed"),
        StepStatus::Undoing => format!("The step \"{title}\" is being taken back"),
        StepStatus::UndoFailed => format!("The step \"{title}\" could not be taken back"),
        _ => format!("It is at \"{title}\""),
    };
    Some(fact.advising(Cause::Effect, format!("{begin}{detail}.")))
}
