//! Why a container ended: from what its node says of its last run, and from the events about it.

use k8s_openapi::api::core::v1::{ContainerStateTerminated, ContainerStatus, Event, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::said::{cause, said};

/// Why a container ended, in words, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ending {
    /// `it used more memory than its limit of 64Mi and was killed (OOMKilled, exit code 137)`.
    pub(super) text: String,
    /// The same without the cluster's own words, where those are long.
    pub(super) short: String,
    pub(super) advice: &'static str,
    /// Whether it did not begin at all.
    pub(super) not_started: bool,
}

/// How a container's last run ended: the one that is over now, else the one before this.
pub(super) fn last_run(container: &ContainerStatus) -> Option<&ContainerStateTerminated> {
    let over =
        |state: Option<&'_ k8s_openapi::api::core::v1::ContainerState>| state.is_some_and(|it| it.terminated.is_some());
    let state = if over(container.state.as_ref()) { &container.state } else { &container.last_state };
    state.as_ref()?.terminated.as_ref()
}

/// Why that was.
pub(super) fn ending(pod: &Pod, container: &str, run: &ContainerStateTerminated, events: &[Event]) -> Ending {
    let (reason, code) = (run.reason.as_deref().unwrap_or_default(), run.exit_code);
    let made = |text: String, advice| Ending { short: text.clone(), text, advice, not_started: false };
    if reason == "OOMKilled" {
        let limit = memory_limit(pod, container).map(|limit| format!(" of {limit}")).unwrap_or_default();
        let text = format!("it used more memory than its limit{limit} and was killed (OOMKilled, exit code {code})");
        return made(text, "Give it more memory, or see what takes so much");
    }
    let message = run.message.as_deref().unwrap_or_default().trim();
    if matches!(reason, "StartError" | "ContainerCannotRun") {
        return Ending {
            text: format!("it could not be started ({reason}: {})", said(message)),
            short: format!("it could not be started ({reason}: {})", cause(message)),
            advice: "Check its command, its variables and its secrets",
            not_started: true,
        };
    }
    if let Some(probe) = probe(pod, container, run, events) {
        let text = format!("{probe} (exit code {code})");
        return made(text, "Check that its health check's path answers in time, or allow it longer");
    }
    let how = match code {
        0 => "it ended by itself with exit code 0, and is to run for good".to_owned(),
        126 => "its command cannot be executed (exit code 126)".to_owned(),
        127 => "its command was not found (exit code 127)".to_owned(),
        134 => "it aborted (exit code 134)".to_owned(),
        137 => "it was killed (exit code 137)".to_owned(),
        139 => "it crashed by a wrong access to memory (exit code 139)".to_owned(),
        143 => "it was asked to end and did (exit code 143)".to_owned(),
        code => format!("it ended with exit code {code}"),
    };
    let named = if matches!(reason, "" | "Error" | "Completed") { String::new() } else { format!(", {reason}") };
    let last = if message.is_empty() { String::new() } else { format!(": {}", said(message)) };
    let advice = match code {
        0 => "Let its command stay in the foreground; read its logs",
        _ => "Read its logs, and deploy a repaired image or roll back",
    };
    Ending { text: format!("{how}{named}{last}"), short: format!("{how}{named}"), advice, not_started: false }
}

fn memory_limit(pod: &Pod, container: &str) -> Option<String> {
    let spec = pod.spec.as_ref()?;
    let mut all = spec.containers.iter().chain(spec.init_containers.iter().flatten());
    let limits = all.find(|it| it.name == container)?.resources.as_ref()?.limits.as_ref()?;
    limits.get("memory").map(|limit| limit.0.clone())
}

/// Whether the node ended that run because a probe failed: only its events tell.
fn probe(pod: &Pod, container: &str, run: &ContainerStateTerminated, events: &[Event]) -> Option<String> {
    let part = format!("{{{container}}}");
    let about = |event: &&Event| {
        event.involved_object.uid == pod.metadata.uid
            && event.involved_object.field_path.as_ref().is_none_or(|path| path.ends_with(&part))
            && since(event.last_timestamp.as_ref(), run.started_at.as_ref())
    };
    let messages = |reason: &'static str| {
        events
            .iter()
            .rev()
            .filter(about)
            .filter(move |event| event.reason.as_deref() == Some(reason))
            .filter_map(|event| event.message.as_deref())
    };
    let kind = ["liveness", "startup"]
        .into_iter()
        .find(|kind| messages("Killing").any(|message| message.contains(&format!("failed {kind} probe"))))?;
    let begins = format!("{kind} probe failed");
    let failed = messages("Unhealthy").find(|message| message.to_lowercase().starts_with(&begins));
    let why =
        failed.and_then(|message| message.split_once(": ")).map(|(_, why)| said(why)).filter(|why| !why.is_empty());
    Some(format!(
        "its {kind} probe failed{}, and it was killed",
        why.map(|why| format!(" ({why})")).unwrap_or_default()
    ))
}

/// Whether something was later than the beginning of a run, as far as that is known (a run that never began has 1970).
fn since(event: Option<&Time>, start: Option<&Time>) -> bool {
    match (event, start) {
        (Some(event), Some(start)) => event.0 >= start.0,
        _ => true,
    }
}
