//! The node: starts containers, reports them, restarts those that crash, stops those that are to go.

use std::time::Duration;

use serde_json::Value;

use super::World;
use super::events::Event;
use super::pod_status::{Doing, End, Report, status};
use crate::kubernetes::exec::{self, Place};
use crate::kubernetes::faults::PodFault;
use crate::kubernetes::json::{at, int, list, text};
use crate::kubernetes::kinds;
use crate::kubernetes::storage::Key;
use crate::kubernetes::wp;

const WHO: &str = "kubelet";
/// The most doublings of the pause between restarts.
const MOST_DOUBLINGS: i64 = 5;

/// Moves each pod of the node a step on.
pub(super) fn reconcile(world: &mut World<'_>) {
    for (key, pod) in world.objects(kinds::PODS) {
        if text(&pod, "/spec/nodeName").is_empty() {
            continue;
        }
        if !at(&pod, "/metadata/deletionTimestamp").is_null() {
            stop(world, &key, &pod);
        } else if !matches!(text(&pod, "/status/phase"), "Succeeded" | "Failed") {
            run(world, &key, &pod);
        }
    }
}

fn stop(world: &mut World<'_>, key: &Key, pod: &Value) {
    let uid = text(pod, "/metadata/uid").to_owned();
    let grace = int(pod, "/metadata/deletionGracePeriodSeconds").unwrap_or(0);
    let grace = Duration::from_secs(u64::try_from(grace).unwrap_or(0));
    let sleeps = list(pod, "/spec/containers").iter().filter_map(|it| int(it, "/lifecycle/preStop/sleep/seconds"));
    let sleep = Duration::from_secs(sleeps.max().and_then(|it| u64::try_from(it).ok()).unwrap_or(0));
    for container in list(pod, "/spec/containers") {
        if !world.book.since.contains_key(&(uid.clone(), "drain")) {
            let name = text(container, "/name");
            let message = "Stopping container ".to_owned() + name;
            world.tell(pod, Event::normal(WHO, "Killing", message).about(name));
        }
    }
    // While its hook sleeps it answers; told to end, it does so at once and refuses who still comes.
    if !world.due(&uid, "drain", sleep.min(grace).min(world.cluster.timing.pre_stop)) {
        return;
    }
    world.cluster.plane.end(&uid);
    if world.due(&uid, "stop", world.cluster.timing.terminate.min(grace)) {
        if list(pod, "/metadata/finalizers").is_empty() {
            world.state.delete(key);
            world.cluster.logs.forget(&uid);
            world.cluster.plane.forget(&uid);
        }
        for what in ["schedule", "start", "ready", "drain", "stop", "backoff", "run"] {
            world.restart(&uid, what);
        }
    }
}

fn run(world: &mut World<'_>, key: &Key, pod: &Value) {
    let uid = text(pod, "/metadata/uid").to_owned();
    let fault = world.cluster.faults.pod(&key.namespace, &key.name);
    let started = world.due(&uid, "start", world.cluster.timing.container_start);
    let mut reports = Vec::new();
    let mut held = !started;
    for container in list(pod, "/spec/initContainers") {
        let doing = if held { Doing::waiting("PodInitializing") } else { init(world, key, pod, container) };
        held |= !matches!(&doing, Doing::Ended(End { code: 0, .. }));
        reports.push(Report { container, doing, restarts: 0, init: true });
    }
    for container in list(pod, "/spec/containers") {
        let (doing, restarts) = if held {
            let reason = if reports.iter().any(|report| report.init) { "PodInitializing" } else { "ContainerCreating" };
            (Doing::waiting(reason), 0)
        } else {
            own(world, key, pod, container, fault)
        };
        reports.push(Report { container, doing, restarts, init: false });
    }
    let alive = reports.iter().any(|report| !report.init && !matches!(report.doing, Doing::Waiting { .. }));
    let address = match text(pod, "/status/podIP") {
        "" if alive => Some(free_address(world)),
        "" => None,
        known => Some(known.to_owned()),
    };
    let next = status(pod, &reports, address.as_deref(), started);
    announce(world, pod, &next);
    if let Some(current) = world.state.get(key).cloned() {
        world.put_status(key, (*current).clone(), next, WHO);
    }
}

fn free_address(world: &World<'_>) -> String {
    let taken: std::collections::HashSet<String> =
        world.state.list(kinds::PODS, "").map(|(_, pod)| text(pod, "/status/podIP").to_owned()).collect();
    (1..=65_000u32)
        .map(|number| format!("10.88.{}.{}", number >> 8, number & 255))
        .find(|address| !address.ends_with(".0") && !taken.contains(address))
        .unwrap_or_else(|| "10.88.255.254".to_owned())
}

/// What keeps a container from starting at all.
fn hindrance(world: &World<'_>, key: &Key, pod: &Value, container: &Value, fault: Option<PodFault>) -> Option<Doing> {
    let image = text(container, "/image");
    let tag = image.rsplit('/').next().and_then(|last| last.split_once(':')).map_or("latest", |(_, tag)| tag);
    if fault == Some(PodFault::ImagePull) || matches!(tag, "broken" | "missing") {
        let message = format!(
            "Back-off pulling image {image:?}: ErrImagePull: rpc error: code = NotFound desc = failed to pull and \
             unpack image {image:?}: failed to resolve reference {image:?}: {image}: not found"
        );
        return Some(Doing::Waiting { reason: "ImagePullBackOff".to_owned(), message });
    }
    if let Some(why) = root(pod, container, tag) {
        let (name, uid) = (text(pod, "/metadata/name"), text(pod, "/metadata/uid"));
        let place = format!("(pod: \"{name}_{}({uid})\", container: {})", key.namespace, text(container, "/name"));
        let message = format!("{why} {place}");
        return Some(Doing::Waiting { reason: "CreateContainerConfigError".to_owned(), message });
    }
    match exec::environment(world.state, &key.namespace, pod, container) {
        Err(message) => Some(Doing::Waiting { reason: "CreateContainerConfigError".to_owned(), message }),
        Ok(_) => None,
    }
}

/// Why a container that must not run as root would, or might, for all that is known of its user
/// (`pkg/kubelet/kuberuntime/security_context.go`). An image's user is told by its tag.
fn root(pod: &Value, container: &Value, tag: &str) -> Option<String> {
    let said = |key: &str| match at(container, &format!("/securityContext/{key}")) {
        Value::Null => at(pod, &format!("/spec/securityContext/{key}")).clone(),
        own => own.clone(),
    };
    if said("runAsNonRoot") != true {
        return None;
    }
    if let Some(user) = said("runAsUser").as_i64() {
        return (user == 0).then(|| "container's runAsUser breaks non-root policy".to_owned());
    }
    let user = if tag == "root" { "0" } else { tag.strip_prefix("user-")? };
    match user.parse::<i64>() {
        Ok(0) => Some("container has runAsNonRoot and image will run as root".to_owned()),
        Ok(_) => None,
        Err(_) => Some(format!(
            "container has runAsNonRoot and image has non-numeric user ({user}), cannot verify user is non-root"
        )),
    }
}

fn init(world: &mut World<'_>, key: &Key, pod: &Value, container: &Value) -> Doing {
    let name = text(container, "/name");
    if let Some(known) = ended(pod, name) {
        return known;
    }
    if let Some(doing) = hindrance(world, key, pod, container, None) {
        return doing;
    }
    Doing::Ended(End::with(execute(world, key, pod, container)))
}

/// How a container ended, if its pod's status says so.
fn ended(pod: &Value, name: &str) -> Option<Doing> {
    let status = ["/status/initContainerStatuses", "/status/containerStatuses"]
        .iter()
        .flat_map(|pointer| list(pod, pointer))
        .find(|status| text(status, "/name") == name)?;
    Some(Doing::Ended(End::with(int(status, "/state/terminated/exitCode")?)))
}

/// Runs a container's command to its end.
fn execute(world: &mut World<'_>, key: &Key, pod: &Value, container: &Value) -> i64 {
    let mut command: Vec<String> =
        list(container, "/command").iter().filter_map(|part| part.as_str().map(str::to_owned)).collect();
    command.extend(list(container, "/args").iter().filter_map(|part| part.as_str().map(str::to_owned)));
    if command.is_empty() {
        return 0;
    }
    let env = exec::environment(world.state, &key.namespace, pod, container).unwrap_or_default();
    let command: Vec<String> = command.iter().map(|word| exec::expand(word, &env)).collect();
    let place = Place { namespace: &key.namespace, pod, container };
    let output = exec::execute(world.state, &place, &command, &[]);
    let uid = text(pod, "/metadata/uid");
    for line in output.stdout.lines().chain(output.stderr.lines()) {
        world.cluster.logs.print(uid, text(container, "/name"), line.to_owned());
    }
    output.code
}

/// One of the pod's own containers: what it does, and how often it was restarted.
fn own(world: &mut World<'_>, key: &Key, pod: &Value, container: &Value, fault: Option<PodFault>) -> (Doing, i64) {
    let name = text(container, "/name").to_owned();
    let before = list(pod, "/status/containerStatuses").iter().find(|status| text(status, "/name") == name);
    let before = before.cloned().unwrap_or_default();
    let restarts = int(&before, "/restartCount").unwrap_or(0);
    let running = !at(&before, "/state/running").is_null();
    let always = text(pod, "/spec/restartPolicy") == "Always";
    if !always && let Some(known) = ended(pod, &name) {
        return (known, restarts);
    }
    if !running && let Some(doing) = hindrance(world, key, pod, container, fault) {
        return (doing, restarts);
    }
    if !always {
        return (finite(world, key, pod, container, running), restarts);
    }
    if let Some(end) = crashes(container, fault) {
        return crash(world, key, pod, container, &before, &end);
    }
    let backing_off =
        text(&before, "/state/waiting/reason") == "CrashLoopBackOff" || !at(&before, "/state/terminated").is_null();
    if !running {
        if !backing_off {
            created(world, key, pod, container);
        }
        world.restart(text(pod, "/metadata/uid"), "ready");
    }
    let restarts = if backing_off { restarts + 1 } else { restarts };
    let ready = readiness(world, key, pod, container, &before, fault);
    (Doing::Running { ready }, restarts)
}

/// A container that is to end: it runs for a while, then its command's exit code is its own.
fn finite(world: &mut World<'_>, key: &Key, pod: &Value, container: &Value, running: bool) -> Doing {
    if !running {
        created(world, key, pod, container);
        return Doing::Running { ready: true };
    }
    let uid = text(pod, "/metadata/uid").to_owned();
    if !world.due(&uid, "run", world.cluster.timing.job_run) {
        return Doing::Running { ready: true };
    }
    Doing::Ended(End::with(execute(world, key, pod, container)))
}

/// How a container ends that does not go on running.
fn crashes(container: &Value, fault: Option<PodFault>) -> Option<End> {
    const NO_COMMAND: &str = "failed to create containerd task: failed to create shim task: OCI runtime create failed: \
        runc create failed: unable to start container process: error during container init: exec: \
        \"/no/such/binary\": stat /no/such/binary: no such file or directory";
    let tag = text(container, "/image").rsplit_once(':').map(|(_, tag)| tag);
    match (fault, tag) {
        (Some(PodFault::Crash), _) | (_, Some("crash")) => Some(End::with(1)),
        (Some(PodFault::Memory), _) | (_, Some("oom")) => Some(End { code: 137, reason: "OOMKilled", message: "" }),
        (Some(PodFault::NoCommand), _) | (_, Some("nocommand")) => {
            Some(End { code: 128, reason: "StartError", message: NO_COMMAND })
        }
        (Some(PodFault::NotLive), _) => Some(End { code: 137, reason: "Error", message: "" }),
        _ => None,
    }
}

/// A container that runs, ends, waits and is started again, in this order: it is seen in each of these states.
fn crash(world: &mut World<'_>, key: &Key, pod: &Value, container: &Value, before: &Value, end: &End) -> (Doing, i64) {
    let (uid, name) = (text(pod, "/metadata/uid").to_owned(), text(container, "/name").to_owned());
    let restarts = int(before, "/restartCount").unwrap_or(0);
    let starts = end.reason != "StartError";
    if !at(before, "/state/running").is_null() {
        if end.reason == "Error" && end.code == 137 {
            let probe =
                Event::warning(WHO, "Unhealthy", "Liveness probe failed: HTTP probe failed with statuscode: 500");
            world.tell(pod, probe.about(&name));
            let killed = format!("Container {name} failed liveness probe, will be restarted");
            world.tell(pod, Event::normal(WHO, "Killing", killed).about(&name));
        }
        return (Doing::Ended(end.clone()), restarts);
    }
    let pause = world.cluster.timing.crash_backoff * 2u32.pow(u32::try_from(restarts.min(MOST_DOUBLINGS)).unwrap_or(0));
    let message = format!(
        "back-off {}s restarting failed container={name} pod={}_{}({uid})",
        pause.as_secs().max(1),
        text(pod, "/metadata/name"),
        text(pod, "/metadata/namespace")
    );
    let waiting = text(before, "/state/waiting/reason") == "CrashLoopBackOff";
    let ended = !at(before, "/state/terminated").is_null();
    if !waiting && !ended {
        // The first time.
        if starts {
            created(world, key, pod, container);
            return (Doing::Running { ready: false }, restarts);
        }
        return (Doing::Ended(end.clone()), restarts);
    }
    if waiting && world.due(&uid, "backoff", pause) {
        world.restart(&uid, "backoff");
        let said = format!(
            "Back-off restarting failed container {name} in pod {}_{}({uid})",
            text(pod, "/metadata/name"),
            text(pod, "/metadata/namespace")
        );
        world.tell(pod, Event::warning(WHO, "BackOff", said).about(&name));
        return if starts {
            (Doing::Running { ready: false }, restarts + 1)
        } else {
            (Doing::Backoff { end: end.clone(), message }, restarts + 1)
        };
    }
    if !waiting {
        world.due(&uid, "backoff", pause);
    }
    (Doing::Backoff { end: end.clone(), message }, restarts)
}

/// What happens once when a container first runs.
fn created(world: &mut World<'_>, key: &Key, pod: &Value, container: &Value) {
    let (uid, name) = (text(pod, "/metadata/uid").to_owned(), text(container, "/name").to_owned());
    let place = Place { namespace: &key.namespace, pod, container };
    for line in wp::container_started(world.state, &place) {
        world.cluster.logs.print(&uid, &name, line);
    }
    let image = text(container, "/image");
    if image.ends_with(":binary") {
        // A word in Latin-1, and what is no text in any encoding.
        world.cluster.logs.print(&uid, &name, b"caf\xe9 \xff\xfe".to_vec());
    }
    let events = [
        ("Pulled", format!("Container image {image:?} already present on machine and can be accessed by the pod")),
        ("Created", "Container created".to_owned()),
        ("Started", "Container started".to_owned()),
    ];
    for (reason, message) in events {
        world.tell(pod, Event::normal(WHO, reason, message).about(&name));
    }
}

/// Whether a running container is ready.
fn readiness(
    world: &mut World<'_>,
    key: &Key,
    pod: &Value,
    container: &Value,
    before: &Value,
    fault: Option<PodFault>,
) -> bool {
    let ready = probed(world, key, pod, container, before, fault);
    let place = Place { namespace: &key.namespace, pod, container };
    if wp::initialises(world.state, &place)
        && world.due(text(pod, "/metadata/uid"), "initialised", world.cluster.timing.ready * 3)
    {
        wp::initialised(world.state, &place);
    }
    ready
}

/// Whether it is by its probe: at once without one, after a while with one, if it agrees.
fn probed(
    world: &mut World<'_>,
    key: &Key,
    pod: &Value,
    container: &Value,
    before: &Value,
    fault: Option<PodFault>,
) -> bool {
    if fault == Some(PodFault::NeverReady) {
        return false;
    }
    let probe = at(container, "/readinessProbe");
    if probe.is_null() || at(before, "/ready").as_bool() == Some(true) {
        return true;
    }
    if !world.due(text(pod, "/metadata/uid"), "ready", world.cluster.timing.ready) {
        return false;
    }
    let command: Vec<String> =
        list(probe, "/exec/command").iter().filter_map(|part| part.as_str().map(str::to_owned)).collect();
    let failure = if command.is_empty() {
        refused(pod, container, probe)
    } else {
        let place = Place { namespace: &key.namespace, pod, container };
        let output = exec::execute(world.state, &place, &command, &[]);
        let shown = if output.stderr.is_empty() { output.stdout } else { output.stderr };
        (output.code != 0).then_some(shown)
    };
    let Some(failure) = failure else { return true };
    let message = format!("Readiness probe failed: {}", failure.trim_end());
    world.tell(pod, Event::warning(WHO, "Unhealthy", message).about(text(container, "/name")));
    world.wake(world.now + world.cluster.timing.ready);
    false
}

/// What a probe says that asks on a port on which nothing listens: the container listens on those that it declares, or
/// on the one that its image's tag names.
fn refused(pod: &Value, container: &Value, probe: &Value) -> Option<String> {
    let (pointer, http) = if at(probe, "/httpGet").is_null() { ("/tcpSocket", false) } else { ("/httpGet", true) };
    let port = at(probe, &format!("{pointer}/port"));
    if port.is_null() {
        return None;
    }
    let declared = list(container, "/ports");
    let number = match port.as_str() {
        None => port.as_i64()?,
        Some(name) => match declared.iter().find(|port| text(port, "/name") == name) {
            Some(port) => int(port, "/containerPort")?,
            // Kubelet says so to its own log; the probe has failed.
            None => return Some(format!("couldn't find port: {name:?}")),
        },
    };
    let tag = text(container, "/image").rsplit_once(':').map_or("", |(_, tag)| tag);
    let only = tag.strip_prefix("port-").and_then(|only| only.parse::<i64>().ok());
    let listens = match only {
        Some(only) => only == number,
        None => declared.is_empty() || declared.iter().any(|port| int(port, "/containerPort") == Some(number)),
    };
    if listens {
        return None;
    }
    let address = format!("{}:{number}", text(pod, "/status/podIP"));
    let refused = format!("dial tcp {address}: connect: connection refused");
    if !http {
        return Some(refused);
    }
    let scheme = text(probe, "/httpGet/scheme").to_lowercase();
    Some(format!("Get \"{scheme}://{address}{}\": {refused}", text(probe, "/httpGet/path")))
}

/// Events for what newly keeps containers waiting.
fn announce(world: &mut World<'_>, pod: &Value, next: &Value) {
    for status in list(next, "/containerStatuses") {
        let (name, reason) = (text(status, "/name"), text(status, "/state/waiting/reason"));
        let before = list(pod, "/status/containerStatuses").iter().find(|old| text(old, "/name") == name);
        if before.is_some_and(|before| text(before, "/state/waiting/reason") == reason) {
            continue;
        }
        let message = text(status, "/state/waiting/message");
        let event = match reason {
            "ImagePullBackOff" => {
                let image = text(status, "/image");
                // What is waited for says it after its own beginning.
                let cause = message.split_once("ErrImagePull: ").map_or("not found", |(_, cause)| cause);
                let failed = format!("Failed to pull image {image:?}: {cause}");
                world.tell(pod, Event::warning(WHO, "Failed", failed).about(name));
                Event::normal(WHO, "BackOff", format!("Back-off pulling image {image:?}"))
            }
            "CreateContainerConfigError" => Event::warning(WHO, "Failed", format!("Error: {message}")),
            "CrashLoopBackOff" => {
                let (pod_name, place) = (text(pod, "/metadata/name"), text(pod, "/metadata/namespace"));
                let uid = text(pod, "/metadata/uid");
                let said = format!("Back-off restarting failed container {name} in pod {pod_name}_{place}({uid})");
                Event::warning(WHO, "BackOff", said)
            }
            _ => continue,
        };
        world.tell(pod, event.about(name));
    }
}
