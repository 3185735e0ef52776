//! The recordings of a running Hasura, replayed.

use serde_json::{Value, json};

use super::live::{Client, Heard};
use super::service::Service;
use super::{Rig, Setup};
use crate::support::shared_directory;

/// An engine with the setup of the recordings; nothing where they are absent. What is replayed with it needs neither
/// remote schema nor event or cron triggers.
pub async fn rig(service: &Service) -> Option<Rig> {
    let without_remote = |metadata: &mut Value| {
        metadata.as_object_mut().unwrap().remove("remote_schemas");
        for table in metadata["sources"][0]["tables"].as_array_mut().unwrap() {
            table.as_object_mut().unwrap().remove("remote_relationships");
        }
    };
    rig_with(&service.url(), without_remote).await
}

/// The same with its webhooks and remote schema at a URL.
pub async fn rig_with(url: &str, adjust: impl Fn(&mut Value)) -> Option<Rig> {
    let directory = shared_directory("vendor/hasura/recorded")?;
    let sql = std::fs::read_to_string(directory.join("setup.sql")).unwrap();
    let mut metadata: Value =
        serde_json::from_str(&std::fs::read_to_string(directory.join("metadata.json")).unwrap()).unwrap();
    adjust(&mut metadata);
    let fields = metadata.as_object_mut().unwrap();
    fields.remove("cron_triggers");
    for table in fields["sources"][0]["tables"].as_array_mut().unwrap() {
        table.as_object_mut().unwrap().remove("event_triggers");
    }
    let env = vec![
        ("NORTHSTACK_URL", url.to_owned()),
        ("ACTION_SECRET", "action-secret-of-the-recording".to_owned()),
        ("EVENT_SECRET", "event-secret".to_owned()),
        ("CLOSED_URL", "http://127.0.0.1:9/x".to_owned()),
    ];
    Some(
        Rig::start(Setup {
            sql: &sql,
            metadata: Some(metadata),
            env,
            unauthorized_role: Some("anonymous"),
            ..Setup::default()
        })
        .await,
    )
}

/// The entries of a recording.
pub fn entries(file: &str) -> Vec<Value> {
    let path = shared_directory("vendor/hasura/recorded").unwrap().join(file);
    let topic: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    topic["entries"].as_array().unwrap().clone()
}

/// Entries that need what the replay leaves out, or where the engine differs on purpose.
const LEFT_OUT: [&str; 5] =
    ["remote", "path /v1alpha1/graphql", "refresh (division by zero)", "first query after", "batch_size 0"];

/// An entry of the newer protocol alone where the engine goes by the protocol, and Hasura does not.
const PROTOCOL: &str = "init twice";

async fn replay_sockets(file: &str) {
    let service = Service::start().await;
    let Some(rig) = rig(&service).await else { return };
    let mut differences = Vec::new();
    let mut replayed = 0;
    for entry in entries(file) {
        let name = entry["name"].as_str().unwrap();
        let frames = entry["frames"].as_array().unwrap();
        let with_steps_outside = frames.iter().any(|frame| frame["dir"] == "other");
        if file.contains("transport") && name == PROTOCOL {
            continue;
        }
        if with_steps_outside || LEFT_OUT.iter().any(|left_out| name.contains(left_out)) {
            continue;
        }
        replayed += 1;
        if let Err(difference) = replay(&rig, &service, &entry).await {
            differences.push(format!("{name}: {difference}"));
        }
    }
    assert!(replayed > 30, "{replayed}");
    assert!(differences.is_empty(), "{} of {replayed} differ:\n{}", differences.len(), differences.join("\n"));
}

fn is_keep_alive(frame: &Value) -> bool {
    matches!(frame["type"].as_str(), Some("ka" | "ping")) && frame["id"].is_null()
}

async fn replay(rig: &Rig, service: &Service, entry: &Value) -> Result<(), String> {
    let headers: Vec<(String, String)> = entry["handshake_headers"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()))
        .collect();
    let frames = entry["frames"].as_array().unwrap();
    let name = entry["name"].as_str().unwrap();
    let agreed = frames[0]["handshake"]["Sec-WebSocket-Protocol"].as_str();
    // A client library refuses an unknown protocol that is left unanswered; the server sees none then.
    let asked = agreed;
    let mut client = Client::connect(rig, asked, &headers).await;
    if client.agreed.as_deref() != agreed {
        return Err(format!("agreed on {:?} instead of {agreed:?}", client.agreed));
    }
    if name.contains("action") {
        service.reply([super::service::Reply::new(200, json!({"ok": true}))]);
    }
    for step in frames.iter().skip(1) {
        match (step["dir"].as_str(), step.get("frame"), step.get("close")) {
            (Some("client"), Some(Value::String(text)), _) => client.text(text.clone()).await,
            (Some("client"), Some(frame), _) => client.say(frame.clone()).await,
            (Some("server"), Some(frame), _) if !is_keep_alive(frame) => {
                let heard = client.hear().await;
                if heard != Heard::Frame(frame.clone()) {
                    return Err(format!("heard {heard:?}\n    instead of {frame}"));
                }
            }
            (Some("server"), None, Some(close)) => {
                let code = u16::try_from(close["code"].as_u64().unwrap()).unwrap();
                match client.hear().await {
                    Heard::Closed(heard, reason) if heard == code => {
                        let recorded = close["reason"].as_str().unwrap_or_default();
                        let shorter = recorded.len().min(reason.len()).min(60);
                        if recorded.get(..shorter) != reason.get(..shorter) {
                            return Err(format!("closed with {reason}\n    instead of {recorded}"));
                        }
                    }
                    other => return Err(format!("heard {other:?}\n    instead of a close with {close}")),
                }
            }
            _ => {}
        }
    }
    Ok(())
}

#[tokio::test]
async fn sockets_of_the_newer_protocol_behave_as_recorded() {
    replay_sockets("websocket-graphql-transport-ws.json").await;
}

#[tokio::test]
async fn sockets_of_the_older_protocol_behave_as_recorded() {
    replay_sockets("websocket-graphql-ws.json").await;
}

#[tokio::test]
async fn failing_requests_are_answered_as_recorded() {
    let service = Service::start().await;
    let Some(rig) = rig(&service).await else { return };
    let mut differences = Vec::new();
    let mut replayed = 0;
    for entry in entries("http-errors.json") {
        let name = entry["name"].as_str().unwrap();
        let (request, response) = (&entry["request"], &entry["response"]);
        let path = request["path"].as_str().unwrap();
        // Left out: what Hasura's own text or plan shows, relay, and edges that belong to the service.
        let left_out = ["PUT", "OPTIONS"].contains(&request["method"].as_str().unwrap())
            || [
                "explain",
                "relay",
                "slow_applications",
                "connections were cut",
                "timeout",
                "NUL",
                "introspection disabled",
            ]
            .iter()
            .any(|word| path.contains(word) || name.contains(word));
        if left_out {
            continue;
        }
        let headers: Vec<(&str, &str)> = request["headers"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str().unwrap()))
            .collect();
        let body = match &request["body"] {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        };
        let (status, answer) = rig.send(request["method"].as_str().unwrap(), path, &headers, body).await;
        replayed += 1;
        let mut recorded = response["body"].clone();
        let mut answer = answer;
        for value in [&mut recorded, &mut answer] {
            without_internals(value);
        }
        if (json!(status), &answer) != (response["status"].clone(), &recorded) {
            differences.push(format!("{name}: {status} {answer}\n    instead of {} {recorded}", response["status"]));
        }
    }
    assert!(replayed > 60, "{replayed}");
    assert!(differences.is_empty(), "{} of {replayed} differ:\n{}", differences.len(), differences.join("\n"));
}

/// `internal` shows Hasura's own SQL and types.
pub fn without_internals(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.remove("internal");
            fields.values_mut().for_each(without_internals);
        }
        Value::Array(members) => members.iter_mut().for_each(without_internals),
        _ => {}
    }
}
