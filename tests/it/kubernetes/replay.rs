//! Replays what a real v1.36 API server was recorded to say, and compares the simulator's answers apart from uids,
//! times, resource versions and generated names.
//!
//! The recordings lie outside the repository, in `../shared/vendor/kubernetes/recorded` (or below
//! `NORTHSTACK_SHARED`); without them the test prints a line and passes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use northstack::sim::kubernetes::{Simulator, SimulatorOptions, SimulatorTiming};
use serde_json::{Value, json};

use super::known::{self, Recording};
use super::normal::{Names, normal};

/// How long controllers may take until an object is as it was recorded.
const PATIENCE: Duration = Duration::from_millis(2500);

fn recordings() -> PathBuf {
    let shared = std::env::var_os("NORTHSTACK_SHARED").map_or_else(|| PathBuf::from("../shared"), PathBuf::from);
    shared.join("vendor/kubernetes/recorded")
}

/// How the replay of one file went.
#[derive(Default)]
struct Tally {
    equal: usize,
    compared: usize,
    excluded: usize,
    different: BTreeSet<usize>,
    details: Vec<String>,
}

struct Replay {
    http: reqwest::Client,
    simulator: Simulator,
    names: Names,
}

/// An answer, as far as it is compared.
struct Answer {
    status: u16,
    body: Value,
    warnings: Vec<String>,
}

impl Replay {
    async fn start() -> Self {
        // A namespace is seen terminating before it is gone.
        let timing = SimulatorTiming { namespace_drain: Duration::from_millis(700), ..SimulatorTiming::fast() };
        let simulator = Simulator::start(SimulatorOptions { timing, ..SimulatorOptions::default() }).await.unwrap();
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let replay = Self { http, simulator, names: Names::default() };
        // The recorded control plane had no node and no default classes.
        for path in [
            "/api/v1/nodes/node-1",
            "/apis/storage.k8s.io/v1/storageclasses/standard",
            "/apis/networking.k8s.io/v1/ingressclasses/nginx",
        ] {
            replay.ask("DELETE", path, &json!({}), None).await;
        }
        replay
    }

    /// Creates what stood there before a transcript, each when the pods of the one before are there: a quota that comes
    /// after a Job does not refuse the Job's pod.
    async fn set_up(&self, objects: &[(&str, Value)]) {
        for (path, object) in objects {
            let answer = self.ask("POST", path, &json!({}), Some(object)).await;
            assert!(answer.status < 300, "{path}: {}", answer.body);
            let made = format!("{path}/{}", object["metadata"]["name"].as_str().unwrap_or_default());
            let pods = match path.rsplit('/').next() {
                Some("jobs") => "/status/active",
                Some("deployments" | "statefulsets" | "replicasets") => "/status/replicas",
                _ => continue,
            };
            self.until(&made, |now| now.pointer(pods).is_some_and(|count| *count != json!(0))).await;
        }
    }

    /// The body of a PUT at the revision that stands now: the recorder had read it right before.
    async fn current(&self, path: &str, mut body: Value) -> Value {
        let plain = path.split('?').next().unwrap_or_default();
        let now = self.ask("GET", plain, &json!({}), None).await;
        for name in ["resourceVersion", "uid"] {
            if body["metadata"].get(name).is_some() {
                body["metadata"][name] = now.body["metadata"][name].clone();
            }
        }
        body
    }

    /// Waits until controllers have counted in an object what the recorder saw them count: the answer to its deletion
    /// has it as it stands then, and the recorder was slower than they were.
    async fn counted(&self, path: &str, recorded: &Value) {
        let Some(wanted) = recorded.pointer("/status/used") else { return };
        self.until(path, |now| now.pointer("/status/used") == Some(wanted)).await;
    }

    /// Looks at an object until it is as it is to be, or patience ends: what differs then is found by who compares.
    async fn until(&self, path: &str, holds: impl Fn(&Value) -> bool) {
        let until = Instant::now() + PATIENCE;
        while !holds(&self.ask("GET", path, &json!({}), None).await.body) && Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }

    async fn ask(&self, method: &str, path: &str, headers: &Value, body: Option<&Value>) -> Answer {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = self.http.request(method, format!("{}{path}", self.simulator.url()));
        let mut authorized = headers.as_object().is_none_or(serde_json::Map::is_empty);
        let mut typed = false;
        for (name, value) in headers.as_object().into_iter().flatten() {
            let value = value.as_str().unwrap_or_default();
            match name.to_lowercase().as_str() {
                "authorization" => {
                    authorized = value.contains("<token of admin>");
                    if !authorized {
                        request = request.header(name, value);
                    }
                }
                "content-length" | "host" | "accept-encoding" => {}
                "content-type" => {
                    typed = true;
                    request = request.header(name, value);
                }
                _ => request = request.header(name, value),
            }
        }
        if authorized {
            request = request.bearer_auth(self.simulator.token());
        }
        if let Some(body) = body {
            let text = body.as_str().map_or_else(|| body.to_string(), str::to_owned);
            if !typed && headers.as_object().is_none_or(serde_json::Map::is_empty) {
                request = request.header("content-type", "application/json");
            }
            request = request.body(text);
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let warnings =
            response.headers().get_all("warning").iter().map(|w| w.to_str().unwrap_or_default().to_owned()).collect();
        let text = response.text().await.unwrap_or_default();
        Answer { status, body: parsed(&text), warnings }
    }

    /// Replays one request; `None` when it is equal, else what differs.
    async fn replay(&mut self, transcript: &Value) -> Option<String> {
        let request = &transcript["request"];
        let recorded = &transcript["response"];
        let wanted_status = u16::try_from(recorded["status"].as_u64().unwrap_or(0)).unwrap_or(0);
        let wanted_warnings: Vec<String> = match &recorded["headers"]["warning"] {
            Value::String(one) => vec![one.clone()],
            Value::Array(many) => many.iter().filter_map(|one| one.as_str().map(str::to_owned)).collect(),
            _ => Vec::new(),
        };
        let left_out = transcript.get("left_out").is_some()
            || transcript["note"].as_str().is_some_and(|note| note.contains("managedFields"));
        let recorded_body = match recorded["body"].clone() {
            Value::Null => json!(""),
            Value::String(text) => parsed(&text),
            other => other,
        };
        let method = request["method"].as_str().unwrap_or_default();
        let begun = Instant::now();
        let until = begun + if method == "GET" { PATIENCE } else { Duration::ZERO };
        loop {
            let path = self.names.in_path(request["path"].as_str().unwrap_or_default());
            let mut body = request.get("body").filter(|body| !body.is_null()).map(|body| self.names.in_body(body));
            if method == "PUT" && wanted_status == 200 {
                body = match body {
                    Some(body) if body.is_object() => Some(self.current(&path, body).await),
                    other => other,
                };
            }
            if method == "DELETE" {
                self.counted(&path, &recorded_body).await;
            }
            let answer = self.ask(method, &path, &request["headers"], body.as_ref()).await;
            // A controller wrote between the reading and the replacement: read again, as whoever replaces has to.
            if method == "PUT" && (wanted_status, answer.status) == (200, 409) && Instant::now() < begun + PATIENCE {
                continue;
            }
            let without = left_out || !has_owners(&recorded_body);
            let before = normal(&Recording::settled(method, &recorded_body), without);
            let after = normal(&Recording::settled(method, &answer.body), without);
            let equal = answer.status == wanted_status && before == after && answer.warnings == wanted_warnings;
            if equal || Instant::now() >= until {
                self.names.learn(&recorded_body, &answer.body);
                if equal {
                    return None;
                }
                let mut found = Vec::new();
                differences("", &before, &after, &mut found);
                if answer.status != wanted_status {
                    found.insert(0, format!("status {wanted_status} recorded, {} here", answer.status));
                }
                if answer.warnings != wanted_warnings {
                    found.push(format!("warnings {wanted_warnings:?} recorded, {:?} here", answer.warnings));
                }
                found.truncate(8);
                return Some(found.join("\n      "));
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }
}

/// A body: JSON, a stream of JSON lines as a list, or the text itself.
fn parsed(text: &str) -> Value {
    let lines: Option<Vec<Value>> = text.lines().map(|line| serde_json::from_str(line).ok()).collect();
    match lines {
        Some(lines) if lines.len() > 1 => Value::Array(lines),
        _ => serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned())),
    }
}

/// Recordings leave managedFields out where they say so; a body without any is compared without.
fn has_owners(body: &Value) -> bool {
    body.to_string().contains("\"managedFields\"")
}

/// The places where two bodies differ.
fn differences(path: &str, recorded: &Value, ours: &Value, found: &mut Vec<String>) {
    match (recorded, ours) {
        (Value::Object(theirs), Value::Object(mine)) => {
            for key in theirs.keys().chain(mine.keys().filter(|key| !theirs.contains_key(*key))) {
                let (one, two) = (theirs.get(key), mine.get(key));
                if one != two {
                    let nothing = json!("(absent)");
                    differences(&format!("{path}.{key}"), one.unwrap_or(&nothing), two.unwrap_or(&nothing), found);
                }
            }
        }
        (Value::Array(theirs), Value::Array(mine)) if theirs.len() == mine.len() => {
            for (index, (one, two)) in theirs.iter().zip(mine).enumerate() {
                if one != two {
                    differences(&format!("{path}[{index}]"), one, two, found);
                }
            }
        }
        _ => found.push(format!("{path}: {} recorded, {} here", shorten(recorded), shorten(ours))),
    }
}

fn shorten(value: &Value) -> String {
    value.to_string().chars().take(400).collect()
}

async fn replay(recording: &Recording) -> Option<Tally> {
    let path = recordings().join(recording.file);
    let Ok(text) = std::fs::read_to_string(&path) else {
        println!("skipped: no recordings at {}", path.display());
        return None;
    };
    let document: Value = serde_json::from_str(&text).unwrap();
    let mut replay = Replay::start().await;
    let mut tally = Tally::default();
    for (index, transcript) in document["transcripts"].as_array().unwrap().iter().enumerate() {
        let name = transcript["name"].as_str().unwrap_or_default();
        replay.set_up(&recording.before(index)).await;
        if transcript["request"]["method"].is_null() || recording.excludes(index, transcript) {
            tally.excluded += 1;
            continue;
        }
        tally.compared += 1;
        match replay.replay(transcript).await {
            None => tally.equal += 1,
            Some(what) => {
                tally.different.insert(index);
                tally.details.push(format!("  {index} {name}\n      {what}"));
            }
        }
    }
    replay.simulator.shutdown().await;
    Some(tally)
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_equal_what_a_real_server_was_recorded_to_say() {
    let mut report = BTreeMap::new();
    let mut wrong = Vec::new();
    for recording in known::RECORDINGS {
        let chosen = std::env::var("NORTHSTACK_REPLAY_FILE").ok();
        if chosen.is_some_and(|chosen| !recording.file.starts_with(&chosen)) {
            continue;
        }
        let Some(tally) = replay(recording).await else { return };
        println!("{}: {} of {} equal, {} excluded", recording.file, tally.equal, tally.compared, tally.excluded);
        for detail in &tally.details {
            println!("{detail}");
        }
        let listed: BTreeSet<usize> = recording.known.iter().flat_map(|(indices, _)| indices.iter().copied()).collect();
        let new: Vec<&usize> = tally.different.difference(&listed).collect();
        if !new.is_empty() {
            wrong.push(format!("{}: newly different: {new:?}", recording.file));
        }
        if tally.equal < recording.floor {
            wrong.push(format!("{}: {} equal, the floor is {}", recording.file, tally.equal, recording.floor));
        }
        report.insert(recording.file, (tally.equal, tally.compared));
    }
    let (equal, compared) = report.values().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    println!("in all {equal} of {compared} transcripts equal");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
