//! The status of a pod as its node reports it.

use serde_json::{Value, json};

use crate::sim::kubernetes::clock;
use crate::sim::kubernetes::json::{at, int, list, set, text};

/// What one container is doing.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Doing {
    Waiting {
        reason: String,
        message: String,
    },
    Running {
        ready: bool,
    },
    /// Ended with that code.
    Ended {
        code: i64,
        reason: &'static str,
    },
    /// Ended and waits to be started again.
    Backoff {
        code: i64,
        message: String,
    },
}

impl Doing {
    /// Waiting without more to say.
    pub(super) fn waiting(reason: &str) -> Self {
        Self::Waiting { reason: reason.to_owned(), message: String::new() }
    }
}

/// One container's report.
pub(super) struct Report<'a> {
    pub(super) container: &'a Value,
    pub(super) doing: Doing,
    pub(super) restarts: i64,
    pub(super) init: bool,
}

/// The whole status of a pod on its node.
pub(super) fn status(pod: &Value, reports: &[Report<'_>], address: Option<&str>, sandboxed: bool) -> Value {
    let old = at(pod, "/status");
    let generation = at(pod, "/metadata/generation").clone();
    let own: Vec<&Report<'_>> = reports.iter().filter(|report| !report.init).collect();
    let phase = phase(&own);
    let unready: Vec<&str> = own
        .iter()
        .filter(|report| report.doing != Doing::Running { ready: true })
        .map(|report| text(report.container, "/name"))
        .collect();
    let initialized =
        reports.iter().filter(|report| report.init).all(|report| matches!(report.doing, Doing::Ended { code: 0, .. }));
    let ended = matches!(phase, "Succeeded" | "Failed");
    let readiness = if unready.is_empty() {
        None
    } else if ended {
        Some(("PodCompleted", String::new()))
    } else {
        Some(("ContainersNotReady", format!("containers with unready status: [{}]", unready.join(" "))))
    };
    let mut status = json!({"observedGeneration": generation, "phase": phase});
    let incomplete: Vec<&str> = reports
        .iter()
        .filter(|report| report.init && !matches!(report.doing, Doing::Ended { code: 0, .. }))
        .map(|report| text(report.container, "/name"))
        .collect();
    let not_initialized = (!initialized).then(|| {
        ("ContainersNotInitialized", format!("containers with incomplete status: [{}]", incomplete.join(" ")))
    });
    let conditions = json!([
        condition(old, &generation, "PodReadyToStartContainers", sandboxed && !ended, None),
        condition(old, &generation, "Initialized", initialized, not_initialized),
        condition(old, &generation, "Ready", readiness.is_none(), readiness.clone()),
        condition(old, &generation, "ContainersReady", readiness.is_none(), readiness),
        condition(old, &generation, "PodScheduled", true, None),
    ]);
    set(&mut status, &["conditions"], conditions);
    set(&mut status, &["hostIP"], "10.99.0.1");
    set(&mut status, &["hostIPs"], json!([{"ip": "10.99.0.1"}]));
    if let Some(address) = address {
        set(&mut status, &["podIP"], address);
        set(&mut status, &["podIPs"], json!([{"ip": address}]));
    }
    let start = at(old, "/startTime").as_str().map_or_else(clock::now, str::to_owned);
    set(&mut status, &["startTime"], start);
    for (name, init) in [("initContainerStatuses", true), ("containerStatuses", false)] {
        let entries: Vec<Value> =
            reports.iter().filter(|report| report.init == init).map(|report| entry(old, name, report)).collect();
        if !entries.is_empty() {
            set(&mut status, &[name], entries);
        }
    }
    set(&mut status, &["qosClass"], at(old, "/qosClass").clone());
    set(&mut status, &["resources"], json!({}));
    status
}

fn phase(own: &[&Report<'_>]) -> &'static str {
    let ended = |report: &&&Report<'_>| matches!(report.doing, Doing::Ended { .. });
    if own.iter().all(|report| ended(&report)) {
        let failed = own.iter().any(|report| matches!(report.doing, Doing::Ended { code, .. } if code != 0));
        return if failed { "Failed" } else { "Succeeded" };
    }
    let started = own
        .iter()
        .any(|report| matches!(report.doing, Doing::Running { .. } | Doing::Backoff { .. } | Doing::Ended { .. }));
    if started { "Running" } else { "Pending" }
}

fn condition(old: &Value, generation: &Value, kind: &str, good: bool, why: Option<(&str, String)>) -> Value {
    let status = if good { "True" } else { "False" };
    let before = list(old, "/conditions").iter().find(|condition| text(condition, "/type") == kind);
    let since = before
        .filter(|before| text(before, "/status") == status)
        .map_or_else(clock::now, |before| text(before, "/lastTransitionTime").to_owned());
    let mut condition = json!({
        "type": kind, "observedGeneration": generation, "status": status, "lastProbeTime": null,
        "lastTransitionTime": since,
    });
    if let Some((reason, message)) = why.filter(|_| !good) {
        set(&mut condition, &["reason"], reason);
        if !message.is_empty() {
            set(&mut condition, &["message"], message);
        }
    }
    condition
}

fn entry(old: &Value, list_name: &str, report: &Report<'_>) -> Value {
    let name = text(report.container, "/name");
    let before = list(old, &format!("/{list_name}")).iter().find(|status| text(status, "/name") == name);
    let empty = Value::Null;
    let before = before.unwrap_or(&empty);
    let image = text(report.container, "/image");
    let running = matches!(report.doing, Doing::Running { .. });
    let started = running || matches!(report.doing, Doing::Backoff { .. } | Doing::Ended { .. });
    let same_run = int(before, "/restartCount") == Some(report.restarts);
    let id = match text(before, "/containerID") {
        known if !known.is_empty() && same_run => known.to_owned(),
        _ => format!("containerd://{}", uuid::Uuid::new_v4().simple().to_string().repeat(2)),
    };
    let began = || {
        let known = text(before, "/state/running/startedAt");
        if known.is_empty() || !same_run { clock::now() } else { known.to_owned() }
    };
    let finished = |code: i64, reason: &str| {
        let known = at(before, "/state/terminated");
        let known = if known.is_null() { at(before, "/lastState/terminated") } else { known };
        if !known.is_null() && same_run {
            return known.clone();
        }
        let start = match text(before, "/state/running/startedAt") {
            "" => clock::now(),
            known => known.to_owned(),
        };
        json!({
            "exitCode": code, "reason": reason, "startedAt": start, "finishedAt": clock::now(), "containerID": id,
        })
    };
    let mut last = at(before, "/lastState").clone();
    if !last.is_object() {
        last = json!({});
    }
    let state = match &report.doing {
        Doing::Waiting { reason, message } => {
            let mut waiting = json!({"reason": reason});
            if !message.is_empty() {
                set(&mut waiting, &["message"], message.as_str());
            }
            json!({"waiting": waiting})
        }
        Doing::Running { .. } => json!({"running": {"startedAt": began()}}),
        Doing::Ended { code, reason } => json!({"terminated": finished(*code, reason)}),
        Doing::Backoff { code, message } => {
            last = json!({"terminated": finished(*code, "Error")});
            json!({"waiting": {"reason": "CrashLoopBackOff", "message": message}})
        }
    };
    let ready = matches!(report.doing, Doing::Running { ready: true })
        || (report.init && matches!(report.doing, Doing::Ended { code: 0, .. }));
    let mut entry = json!({
        "name": name, "state": state, "lastState": last, "ready": ready, "restartCount": report.restarts,
        "image": image, "imageID": if started { image_id(image) } else { String::new() },
    });
    if started {
        set(&mut entry, &["containerID"], id);
    }
    set(&mut entry, &["started"], running);
    if running {
        set(&mut entry, &["resources"], at(report.container, "/resources").clone());
    }
    let mounts: Vec<Value> = list(report.container, "/volumeMounts")
        .iter()
        .map(|mount| {
            let mut seen = json!({"name": text(mount, "/name"), "mountPath": text(mount, "/mountPath")});
            if at(mount, "/readOnly").as_bool() == Some(true) {
                set(&mut seen, &["readOnly"], true);
                set(&mut seen, &["recursiveReadOnly"], "Disabled");
            }
            seen
        })
        .collect();
    if !mounts.is_empty() {
        set(&mut entry, &["volumeMounts"], mounts);
    }
    entry
}

/// A stable digest for an image's name.
fn image_id(image: &str) -> String {
    use sha2::Digest as _;
    format!("sha256:{}", hex::encode(sha2::Sha256::digest(image.as_bytes())))
}
