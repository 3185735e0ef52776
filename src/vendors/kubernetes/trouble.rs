//! What keeps pods from being ready: from their status, their containers' and, where they were read, their events.

use k8s_openapi::api::core::v1::{ContainerStatus, Event, Pod};

use super::ended::{Ending, ending, last_run};
use super::said::{cause, said};

/// How long a crash explains that a container that runs again is not ready.
const AFTER_A_CRASH: i64 = 600;

/// What keeps a Deployment from being ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// It asks for what there cannot be, such as an image by a name that is none.
    Hopeless,
    /// An image cannot be pulled.
    Image,
    /// A container cannot be started.
    Configuration,
    /// A container ends again and again.
    Crash {
        /// How often it was restarted.
        restarts: i32,
    },
    /// No node has room for a pod.
    Unschedulable,
    /// The cluster refuses to make pods, such as by a quota.
    Refused,
    /// Its containers run, but are not ready.
    NotReady,
}

/// What keeps a Deployment from being ready, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnosis {
    pub trouble: Trouble,
    /// The words, with the cluster's own.
    pub text: String,
    /// The same with no more of the cluster's words than their end, which is the cause.
    pub short: String,
    pub advice: &'static str,
}

/// Whether a pod has come to its end and does not count any more: it was evicted, say, or its node was drained.
pub fn over(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    matches!(phase, Some("Succeeded" | "Failed"))
}

/// What keeps one pod from being ready, as far as it, or one of the events, says so.
pub fn trouble(pod: &Pod, events: &[Event]) -> Option<Diagnosis> {
    pod_trouble(pod, events).or_else(|| unready(pod, events))
}

/// The same without what may only be a matter of time.
pub(super) fn pod_trouble(pod: &Pod, events: &[Event]) -> Option<Diagnosis> {
    let status = pod.status.as_ref().filter(|_| !over(pod))?;
    let unscheduled = status.conditions.iter().flatten().find(|condition| {
        condition.type_ == "PodScheduled"
            && condition.status == "False"
            && condition.reason.as_deref() == Some("Unschedulable")
    });
    if let Some(condition) = unscheduled {
        let words =
            Words { what: "no node has room for it", reason: "Unschedulable", said: condition.message.as_deref() };
        return Some(words.diagnosis(Trouble::Unschedulable, "Ask for less, or add a node"));
    }
    let containers = status.init_container_statuses.iter().flatten().chain(status.container_statuses.iter().flatten());
    containers.into_iter().find_map(|container| container_trouble(pod, container, events)).or_else(|| held(pod, events))
}

/// A container that runs and is not ready.
pub(super) fn unready(pod: &Pod, events: &[Event]) -> Option<Diagnosis> {
    let containers = pod.status.as_ref().filter(|_| !over(pod))?.container_statuses.as_ref()?;
    containers.iter().find_map(|container| container_unready(pod, container, events))
}

/// A container that runs and is not ready: because it was just started again, or because its probe does not succeed.
fn container_unready(pod: &Pod, container: &ContainerStatus, events: &[Event]) -> Option<Diagnosis> {
    let running = container.state.as_ref()?.running.as_ref().filter(|_| !container.ready)?;
    let began = running.started_at.as_ref().map(|at| at.0.as_second());
    let lately = began.is_none_or(|began| k8s_openapi::jiff::Timestamp::now().as_second() - began < AFTER_A_CRASH);
    let its = its_container(pod, container);
    if lately && let Some(run) = container.last_state.as_ref().and_then(|state| state.terminated.as_ref()) {
        let Ending { text, short, advice, .. } = ending(pod, &container.name, run, events);
        let again =
            format!("{its} was started again ({} times) and is not ready yet; before that", container.restart_count);
        let (text, short) = (format!("{again} {text}"), format!("{again} {short}"));
        return Some(Diagnosis { trouble: Trouble::NotReady, text, short, advice });
    }
    let text = format!("{its} runs, but its readiness probe does not succeed");
    let advice = "Check that it listens on its port and that its health check's path answers";
    Some(Diagnosis { trouble: Trouble::NotReady, short: text.clone(), text, advice })
}

/// What keeps one container of a pod from being ready, or a pod that runs from staying so.
pub fn container_trouble(pod: &Pod, container: &ContainerStatus, events: &[Event]) -> Option<Diagnosis> {
    let state = container.state.as_ref()?;
    if state.running.is_some() {
        return None;
    }
    let of_init = pod.status.iter().flat_map(|status| status.init_container_statuses.iter().flatten());
    let is_init = of_init.into_iter().any(|init| init.name == container.name);
    if let Some(run) = &state.terminated {
        // One that prepares is to end; the others run for good, and this one is about to be started again.
        return (!is_init || run.exit_code != 0).then(|| crash(pod, container, events, ""));
    }
    let waiting = state.waiting.as_ref()?;
    let reason = waiting.reason.as_deref().unwrap_or_default();
    let words = |what| Words { what, reason, said: waiting.message.as_deref() };
    let cannot = format!("{} cannot be started", its_container(pod, container));
    Some(match reason {
        "InvalidImageName" | "ErrImageNeverPull" => {
            words("its image cannot be pulled").diagnosis(Trouble::Hopeless, NAME_AND_TAG)
        }
        "ErrImagePull"
        | "ImagePullBackOff"
        | "RegistryUnavailable"
        | "ImageInspectError"
        | "SignatureValidationFailed" => {
            let pull = pull(waiting.message.as_deref(), pod, events);
            words("its image cannot be pulled")
                .or_said(pull.as_deref())
                .diagnosis(Trouble::Image, to_pull(pull.as_deref()))
        }
        "CrashLoopBackOff" => crash(pod, container, events, " (CrashLoopBackOff)"),
        "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError" => {
            let message = waiting.message.as_deref().map(without_place);
            words(&cannot).or_said(message).diagnosis(Trouble::Configuration, to_start(message))
        }
        _ => return None,
    })
}

fn crash(pod: &Pod, container: &ContainerStatus, events: &[Event], state: &str) -> Diagnosis {
    let restarts = container.restart_count;
    let trouble = Trouble::Crash { restarts };
    let its = its_container(pod, container);
    // Between two runs the state is another for a moment; it is the same loop.
    let state = if restarts > 1 { " (CrashLoopBackOff)" } else { state };
    let again = if restarts > 0 || !state.is_empty() { "crashes again and again" } else { "crashed" };
    match last_run(container).map(|run| ending(pod, &container.name, run, events)) {
        Some(Ending { text, short, advice, not_started: true }) => {
            Diagnosis { trouble, text: format!("{its}: {text}"), short: format!("{its}: {short}"), advice }
        }
        Some(Ending { text, short, advice, .. }) => {
            let begin = format!("{its} {again}{state}");
            Diagnosis { trouble, text: format!("{begin}: {text}"), short: format!("{begin}: {short}"), advice }
        }
        None => {
            let text = format!("{its} {again}{state}");
            let advice = "Read its logs, and deploy a repaired image or roll back";
            Diagnosis { trouble, short: text.clone(), text, advice }
        }
    }
}

/// A pod whose containers wait for something that only events tell of: a volume, or its network.
fn held(pod: &Pod, events: &[Event]) -> Option<Diagnosis> {
    let mut statuses = pod.status.as_ref()?.container_statuses.iter().flatten();
    statuses.find(|it| {
        let waiting = it.state.as_ref().and_then(|state| state.waiting.as_ref()?.reason.as_deref());
        matches!(waiting, Some("ContainerCreating" | "PodInitializing"))
    })?;
    let (reason, message) =
        events.iter().rev().filter(|event| event.involved_object.uid == pod.metadata.uid).find_map(|event| {
            let reason = event.reason.as_deref()?;
            let holds =
                matches!(reason, "FailedMount" | "FailedAttachVolume" | "FailedCreatePodSandBox" | "FailedMapVolume");
            holds.then_some((reason, event.message.as_deref()))
        })?;
    let words = Words { what: "what it needs cannot be given to it", reason, said: message };
    Some(words.diagnosis(Trouble::Configuration, "Check its volumes and secrets, and the node that it is on"))
}

/// Its container; by name in a pod that has several.
fn its_container(pod: &Pod, container: &ContainerStatus) -> String {
    let alone =
        pod.spec.as_ref().is_none_or(|spec| spec.containers.len() + spec.init_containers.iter().flatten().count() < 2);
    if alone { "its container".to_owned() } else { format!("its container {}", container.name) }
}

/// What kubelet says of a container, without the pod and container that it names last: the cause stands before them.
fn without_place(message: &str) -> &str {
    message.rfind(" (pod: ").and_then(|at| message.get(..at)).unwrap_or(message)
}

/// What to do about a container that cannot be started, by what kubelet said.
fn to_start(message: Option<&str>) -> &'static str {
    if message.is_some_and(|message| message.contains("runAsNonRoot")) {
        "Have the image name an ordinary user by its number, or give the application settings.security `baseline`"
    } else {
        "Check its command, its variables and its secrets"
    }
}

/// What the runtime said of a pull. Some say it once, in an event, and not while they wait to try again.
fn pull(waiting: Option<&str>, pod: &Pod, events: &[Event]) -> Option<String> {
    let own = waiting.filter(|message| message.contains(": "));
    let told = || {
        let about = events.iter().rev().filter(|event| event.involved_object.uid == pod.metadata.uid);
        about.filter_map(|event| event.message.as_deref()).find(|message| message.starts_with("Failed to pull image"))
    };
    own.or_else(told).or(waiting).map(str::to_owned)
}

const NAME_AND_TAG: &str = "Check the image's name and tag";

/// What to do about a pull that failed, by what the registry answered.
fn to_pull(message: Option<&str>) -> &'static str {
    let message = message.unwrap_or_default().to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
    if says(&["x509", "certificate"]) {
        "The nodes do not trust the registry's certificate: have it renewed, or tell the nodes to trust its authority"
    } else if says(&["toomanyrequests", "429 too many"]) {
        "The registry lets the cluster pull no more for now: wait, or let the cluster sign in to it"
    } else if says(&["no match for platform", "no matching manifest"]) {
        "Build the image for the processors of the cluster's nodes too"
    } else if says(&["no space left"]) {
        "The node's disk is full: see to the node"
    } else if says(&["unauthorized", "denied", "authentication required", "forbidden", "no basic auth"]) {
        "Check the image's name and tag, and that the cluster may pull it: the registry does not let it"
    } else if says(&[
        "no such host",
        "connection refused",
        "timeout",
        "deadline exceeded",
        "unreachable",
        "no route",
        "eof",
        "reset by peer",
        "502",
        "503",
    ]) {
        "The registry does not answer: check its name, and that the cluster's nodes reach it"
    } else if says(&["not found", "notfound", "manifest unknown", "name unknown"]) {
        NAME_AND_TAG
    } else {
        "Check the image's name and tag, and that the cluster may pull it"
    }
}

/// What is wrong, with the cluster's word for it and what it said.
pub(super) struct Words<'a> {
    pub(super) what: &'a str,
    pub(super) reason: &'a str,
    pub(super) said: Option<&'a str>,
}

impl<'a> Words<'a> {
    fn or_said(self, more: Option<&'a str>) -> Self {
        Self { said: more.or(self.said), ..self }
    }

    pub(super) fn diagnosis(&self, trouble: Trouble, advice: &'static str) -> Diagnosis {
        let (text, short) = (self.with(said), self.with(cause));
        Diagnosis { trouble, text, short, advice }
    }

    fn with(&self, cut: fn(&str) -> String) -> String {
        match self.said.filter(|message| !message.is_empty()) {
            Some(message) => format!("{} ({}: {})", self.what, self.reason, cut(message)),
            None => format!("{} ({})", self.what, self.reason),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pod(state: Value, last: Value, restarts: i32) -> Pod {
        let pod = json!({ "metadata": { "name": "api-1", "uid": "u" },
            "spec": { "containers": [{ "name": "app", "resources": { "limits": { "memory": "64Mi" } } }] },
            "status": { "phase": "Running", "containerStatuses": [{ "name": "app", "image": "x", "imageID": "",
                "ready": false, "restartCount": restarts, "state": state, "lastState": last }] } });
        serde_json::from_value(pod).expect("pod")
    }

    fn ended(code: i32, reason: &str, message: &str) -> Value {
        json!({ "terminated": { "exitCode": code, "reason": reason, "message": message,
            "startedAt": "2026-01-01T00:00:00Z", "finishedAt": "2026-01-01T00:00:05Z" } })
    }

    fn back_off() -> Value {
        json!({ "waiting": { "reason": "CrashLoopBackOff", "message": "back-off 20s restarting failed container=app" } })
    }

    fn text(pod: &Pod, events: &[Event]) -> String {
        trouble(pod, events).expect("it is in trouble").text
    }

    #[test]
    fn a_crash_says_how_the_last_run_ended_whenever_one_looks() {
        let again = json!({ "running": { "startedAt": "2099-01-01T00:00:00Z" } });
        for (code, reason, message, words) in [
            (137, "OOMKilled", "", "more memory than its limit of 64Mi and was killed (OOMKilled, exit code 137)"),
            (128, "StartError", "runc: exec: \"/x\": no such file", "(StartError: runc: exec: \"/x\": no such file)"),
            (1, "Error", "", "it ended with exit code 1"),
            (3, "Error", "no database\n", "it ended with exit code 3: no database"),
            (0, "Completed", "", "it ended by itself with exit code 0"),
            (127, "Error", "", "not found (exit code 127)"),
        ] {
            let last = ended(code, reason, message);
            for pod in [pod(back_off(), last.clone(), 2), pod(last.clone(), json!({}), 0), pod(again.clone(), last, 1)]
            {
                let text = text(&pod, &[]);
                assert!(text.contains(words), "{words}: {text}");
                assert!(!text.contains("back-off 20s"), "{text}");
            }
        }
        let long_ago = json!({ "running": { "startedAt": "2026-01-01T00:00:00Z" } });
        let text = text(&pod(long_ago, ended(1, "Error", ""), 1), &[]);
        assert!(text.contains("readiness probe does not succeed"), "{text}");
    }

    #[test]
    fn a_probe_that_killed_it_is_told_by_its_events() {
        let event = |reason: &str, message: &str, uid: &str, at: &str| -> Event {
            let event = json!({ "metadata": {}, "reason": reason, "message": message, "lastTimestamp": at,
                "involvedObject": { "kind": "Pod", "name": "api-1", "uid": uid, "fieldPath": "spec.containers{app}" } });
            serde_json::from_value(event).expect("event")
        };
        let events = |uid: &str, at: &str| {
            [
                event("Unhealthy", "Liveness probe failed: HTTP probe failed with statuscode: 500", uid, at),
                event("Killing", "Container app failed liveness probe, will be restarted", uid, at),
            ]
        };
        let pod = pod(back_off(), ended(137, "Error", ""), 3);
        let told = text(&pod, &events("u", "2026-01-01T00:00:04Z"));
        assert!(told.contains("its liveness probe failed (HTTP probe failed with statuscode: 500)"), "{told}");
        for others in [events("v", "2026-01-01T00:00:04Z"), events("u", "2025-12-31T00:00:00Z")] {
            let told = text(&pod, &others);
            assert!(told.contains("it was killed (exit code 137)"), "another pod's, or of a run before: {told}");
        }
    }

    #[test]
    fn a_pod_that_has_come_to_its_end_is_in_no_trouble() {
        let mut evicted = pod(ended(137, "ContainerStatusUnknown", ""), json!({}), 0);
        evicted.status.as_mut().expect("status").phase = Some("Failed".to_owned());
        assert_eq!(trouble(&evicted, &[]), None);
    }

    #[test]
    fn an_image_that_may_not_run_as_root_says_so_and_what_helps() {
        for cause in [
            "container has runAsNonRoot and image will run as root",
            "container has runAsNonRoot and image has non-numeric user (www-data), cannot verify user is non-root",
        ] {
            let pod_name = format!("api-{}", "x".repeat(60));
            let message = format!("{cause} (pod: \"{pod_name}_env-production(0-1-2-3)\", container: app)");
            let waiting = json!({ "waiting": { "reason": "CreateContainerConfigError", "message": message } });
            let told = trouble(&pod(waiting, json!({}), 0), &[]).expect("trouble");
            for words in [&told.text, &told.short] {
                assert!(words.contains(cause) && !words.contains(&pod_name), "{words}");
            }
            assert!(told.advice.contains("settings.security `baseline`"), "{}", told.advice);
        }
        let waiting =
            json!({ "waiting": { "reason": "CreateContainerConfigError", "message": "secret \"db\" not found" } });
        let told = trouble(&pod(waiting, json!({}), 0), &[]).expect("trouble");
        assert!(told.short.contains("secret \"db\" not found") && told.advice.contains("its secrets"), "{told:?}");
    }

    #[test]
    fn what_to_do_about_an_image_follows_what_the_registry_said() {
        let advice = |message: &str| {
            let waiting = json!({ "waiting": { "reason": "ImagePullBackOff", "message": message } });
            trouble(&pod(waiting, json!({}), 0), &[]).expect("trouble").advice
        };
        assert_eq!(advice("Back-off pulling image \"x\": ErrImagePull: x: not found"), NAME_AND_TAG);
        assert!(advice("failed to authorize: 401 Unauthorized").contains("does not let it"));
        assert!(advice("dial tcp: lookup r.example on 10.0.0.1: no such host").contains("does not answer"));
        assert!(advice("tls: x509: certificate signed by unknown authority").contains("certificate"));
    }
}
