//! The status of a pod as its node reports it.

use serde_json::{Value, json};

use crate::kubernetes::clock;
use crate::kubernetes::json::{at, int, list, set, text};

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
    /// Has ended.
    Ended(End),
    /// Ended and waits to be started again.
    Backoff {
        end: End,
        message: String,
    },
}

/// How a container ended.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct End {
    pub(super) code: i64,
    pub(super) reason: &'static str,
    /// What the runtime, or the container's last words, say of it.
    pub(super) message: &'static str,
}

impl End {
    /// By itself, with a code.
    pub(super) fn with(code: i64) -> Self {
        Self { code, reason: if code == 0 { "Completed" } else { "Error" }, message: "" }
    }

    fn well(&self) -> bool {
        self.code == 0
    }
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

impl Report<'_> {
    /// Whether it has come to a good end.
    fn done(&self) -> bool {
        matches!(&self.doing, Doing::Ended(end) if end.well())
    }
}

/// The whole status of a pod on its node.
pub(super) fn status(pod: &Value, reports: &[Report<'_>], address: Option<&str>, sandboxed: bool) -> Value {
    let old = at(pod, "/status");
    let generation = at(pod, "/metadata/generation").clone();
    let own: Vec<&Report<'_>> = reports.iter().filter(|report| !report.init).collect();
    let always = text(pod, "/spec/restartPolicy") == "Always";
    let phase = phase(&own, always);
    let unready: Vec<&str> = own
        .iter()
        .filter(|report| report.doing != Doing::Running { ready: true })
        .map(|report| text(report.container, "/name"))
        .collect();
    let initialized = reports.iter().filter(|report| report.init).all(|report| report.done());
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
        .filter(|report| report.init && !report.done())
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

/// A pod whose containers are started again for ever has no end of its own.
fn phase(own: &[&Report<'_>], always: bool) -> &'static str {
    let ended = |report: &&&Report<'_>| matches!(report.doing, Doing::Ended(_));
    if !always && own.iter().all(|report| ended(&report)) {
        let failed = own.iter().any(|report| !report.done());
        return if failed { "Failed" } else { "Succeeded" };
    }
    let started = own
        .iter()
        .any(|report| matches!(report.doing, Doing::Running { .. } | Doing::Backoff { .. } | Doing::Ended(_)));
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
    let started = running || matches!(report.doing, Doing::Backoff { .. } | Doing::Ended(_));
    let same_run = int(before, "/restartCount") == Some(report.restarts);
    let id = match text(before, "/containerID") {
        known if !known.is_empty() && same_run => known.to_owned(),
        _ => format!("containerd://{}", uuid::Uuid::new_v4().simple().to_string().repeat(2)),
    };
    let began = || {
        let known = text(before, "/state/running/startedAt");
        if known.is_empty() || !same_run { clock::now() } else { known.to_owned() }
    };
    let finished = |end: &End| {
        let known = at(before, "/state/terminated");
        let known = if known.is_null() { at(before, "/lastState/terminated") } else { known };
        // The last of a run before is not the end of one that ran until now.
        if !known.is_null() && same_run && at(before, "/state/running").is_null() {
            return known.clone();
        }
        let start = match text(before, "/state/running/startedAt") {
            _ if end.reason == "StartError" => "1970-01-01T00:00:00Z".to_owned(),
            "" => clock::now(),
            known => known.to_owned(),
        };
        let mut ended = json!({
            "exitCode": end.code, "reason": end.reason, "startedAt": start, "finishedAt": clock::now(),
            "containerID": id,
        });
        if !end.message.is_empty() {
            set(&mut ended, &["message"], end.message);
        }
        ended
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
        Doing::Running { .. } => {
            if !at(before, "/state/terminated").is_null() {
                last = json!({"terminated": at(before, "/state/terminated")});
            }
            json!({"running": {"startedAt": began()}})
        }
        Doing::Ended(end) => json!({"terminated": finished(end)}),
        Doing::Backoff { end, message } => {
            last = json!({"terminated": finished(end)});
            json!({"waiting": {"reason": "CrashLoopBackOff", "message": message}})
        }
    };
    let ready = matches!(report.doing, Doing::Running { ready: true }) || (report.init && report.done());
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
