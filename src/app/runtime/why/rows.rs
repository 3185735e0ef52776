//! What the rows say: the application, its newest deployment, the operation behind it, and the step at which that is.

use super::{Cause, Fact, Observed};

pub(super) fn facts(observed: &Observed) -> Vec<Fact> {
    let mut facts = vec![application(observed)];
    facts.extend(deployment(observed));
    facts.extend(operation(observed));
    facts.extend(step(observed));
    facts
}

fn application(observed: &Observed) -> Fact {
    let row = &observed.application;
    let fact = |ok| Fact::new("applications", &row.name, ok, format!("its status is {}", row.status), row.updated_at);
    let name = &row.name;
    match row.status.as_str() {
        "running" => fact(true),
        "created" if observed.deployment.is_none() => {
            fact(false).advising(Cause::Wish, format!("{name} was never deployed. Deploy it."))
        }
        "stopped" => fact(false).advising(Cause::Wish, format!("{name} was stopped on request. Start it.")),
        "deleting" => fact(false).advising(Cause::Wish, format!("{name} is being deleted.")),
        "degraded" => fact(false).advising(
            Cause::Effect,
            format!("{name} is served by an earlier revision, because the newest one failed. Deploy a repaired one."),
        ),
        _ => fact(false),
    }
}

fn deployment(observed: &Observed) -> Option<Fact> {
    let row = observed.deployment.as_ref()?;
    let image = row.image.as_deref().map(|image| format!(" of {image}")).unwrap_or_default();
    let why = row.error.as_deref().map(|error| format!(": {error}")).unwrap_or_default();
    let passed_over = serves_another(observed, &row.status);
    let other = if passed_over { "; an earlier revision serves" } else { "" };
    let evidence = format!("revision {}{image} is {}{why}{other}", row.revision, row.status);
    let ok = row.status == "running" || passed_over;
    let fact = Fact::new("deployments", format!("revision {}", row.revision), ok, evidence, row.updated_at);
    Some(match row.status.as_str() {
        "paused" => {
            fact.advising(Cause::Wish, format!("Revision {} waits for a person. Promote it or abort it.", row.revision))
        }
        "failed" => {
            let why = row.error.as_deref().unwrap_or("no reason was given");
            let advice = format!("Revision {} failed: {why}. Deploy a repaired one, or roll back.", row.revision);
            fact.advising(Cause::Operation, advice)
        }
        "cancelled" | "rolled_back" | "superseded" if !passed_over => {
            fact.advising(Cause::Effect, format!("Revision {} is {}. Deploy again.", row.revision, row.status))
        }
        _ => fact,
    })
}

/// Whether what has this status was given up, and the application runs nevertheless.
fn serves_another(observed: &Observed, status: &str) -> bool {
    observed.application.status == "running" && matches!(status, "cancelled" | "rolled_back" | "superseded")
}

fn operation(observed: &Observed) -> Option<Fact> {
    let row = observed.operation.as_ref()?;
    let mut evidence = format!("{} is {}", row.kind, row.status);
    if row.direction == "undo" {
        evidence.push_str(" while it is taken back");
    }
    if row.lane_blocked && row.status == "queued" {
        let what = row.waits_for.as_deref().unwrap_or("another operation on the application");
        evidence.push_str(&format!("; it waits for {what}"));
    }
    for text in [&row.error_message, &row.stuck_reason].into_iter().flatten() {
        evidence.push_str(&format!(": {text}"));
    }
    let ok = row.status == "succeeded" || serves_another(observed, &row.status);
    let fact = Fact::new("operations", row.id.to_string(), ok, evidence, row.updated_at);
    Some(match row.status.as_str() {
        "queued" if row.lane_blocked => {
            let what = row.waits_for.as_deref().unwrap_or("an earlier operation on the application");
            fact.advising(Cause::Effect, format!("{} waits for {what}.", row.kind))
        }
        "queued" => fact.advising(
            Cause::Operation,
            format!("The operation {} waits for a worker. If it stays so, see whether a worker runs.", row.kind),
        ),
        "failed" if row.direction == "undo" => {
            let why = row.stuck_reason.as_deref().or(row.error_message.as_deref()).unwrap_or("no reason was given");
            fact.advising(Cause::Operation, format!("What was begun could not be taken back: {why}. Retry {}.", row.id))
        }
        "failed" => {
            let why = row.error_message.as_deref().unwrap_or("no reason was given");
            fact.advising(Cause::Effect, format!("{} failed: {why}. Retry it, or cancel it.", row.kind))
        }
        _ => fact,
    })
}

fn step(observed: &Observed) -> Option<Fact> {
    let row = observed.step.as_ref()?;
    let title = if row.title.is_empty() { &row.name } else { &row.title };
    let detail = row.detail.as_deref().filter(|detail| !detail.is_empty());
    let detail = detail.map(|detail| format!(": {detail}")).unwrap_or_default();
    let times = if row.attempt > 1 { format!(" (attempt {})", row.attempt) } else { String::new() };
    let evidence = format!("{title} is {}{times}{detail}", row.status);
    let fact = Fact::new("operation_steps", &row.name, false, evidence, row.updated_at);
    Some(fact.advising(Cause::Effect, format!("The step \"{title}\" is {}{detail}.", row.status)))
}
