//! The recordings of a running Hasura with a remote schema, replayed: what clients are answered, and what the remote is
//! asked.

use std::sync::{Arc, Mutex};

use apollo_compiler::ast::{Definition, Document, OperationDefinition, Selection};
use apollo_compiler::{ExecutableDocument, Schema};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::recorded::{entries, rig_with, without_internals};

/// A remote that answers introspection by a schema, and anything else as it was recorded to.
#[derive(Default)]
struct Replayed {
    sdl: String,
    /// The exchanges of the entry that is replayed.
    expected: Mutex<Vec<Value>>,
    /// What the engine asked.
    asked: Mutex<Vec<Value>>,
}

async fn answer(State(state): State<Arc<Replayed>>, body: Bytes) -> Response {
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    if body["operationName"] == "IntrospectionQuery" {
        return introspection(&state.sdl, body["query"].as_str().unwrap()).to_string().into_response();
    }
    let keys = root_keys(&body);
    state.asked.lock().unwrap().push(body);
    let expected = state.expected.lock().unwrap();
    let Some(exchange) = expected.iter().find(|exchange| root_keys(&exchange["body"]) == keys) else {
        return (StatusCode::NOT_FOUND, format!("nothing recorded for {keys:?}")).into_response();
    };
    let reply = &exchange["reply"];
    let text = match &reply["body"] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let status = StatusCode::from_u16(u16::try_from(reply["status"].as_u64().unwrap()).unwrap()).unwrap();
    (status, text).into_response()
}

/// Answers an introspection request by a schema.
pub fn introspection(sdl: &str, query: &str) -> Value {
    let schema = Schema::parse_and_validate(sdl, "s.graphql").unwrap();
    let document = ExecutableDocument::parse_and_validate(&schema, query, "q.graphql").unwrap();
    let operation = document.operations.get(None).unwrap();
    let variables = apollo_compiler::request::coerce_variable_values(&schema, operation, &Default::default()).unwrap();
    let implementers = schema.implementers_map();
    let response =
        apollo_compiler::introspection::partial_execute(&schema, &implementers, &document, operation, &variables);
    serde_json::to_value(response.unwrap()).unwrap()
}

fn operation(body: &Value) -> OperationDefinition {
    let document = Document::parse(body["query"].as_str().unwrap(), "q.graphql").unwrap();
    let Some(Definition::OperationDefinition(operation)) = document.definitions.first() else { panic!("{body}") };
    (**operation).clone()
}

fn root_keys(body: &Value) -> Vec<String> {
    let key = |selection: &Selection| match selection {
        Selection::Field(field) => field.alias.as_ref().unwrap_or(&field.name).to_string(),
        _ => String::new(),
    };
    operation(body).selection_set.iter().map(key).collect()
}

/// A request in one form whatever its variables and the order of arguments: its fields with their arguments. Defaults
/// that Hasura spells out are left out.
fn canonical(body: &Value) -> Vec<String> {
    fn fields(selections: &[Selection], on: &str, body: &Value, all: &mut Vec<String>) {
        for selection in selections {
            match selection {
                Selection::Field(field) => {
                    let mut arguments: Vec<String> = field
                        .arguments
                        .iter()
                        .map(|argument| {
                            let mut text = argument.value.serialize().no_indent().to_string();
                            for (name, value) in body["variables"].as_object().into_iter().flatten() {
                                text = text.replace(&format!("${name}"), &value.to_string());
                            }
                            // Members of an input object in one order; in JSON their names have quotes.
                            let text = text.replace(['"', ' '], "");
                            let mut members: Vec<&str> = text.trim_matches(['{', '}']).split(',').collect();
                            members.sort_unstable();
                            format!("{}: {}", argument.name, members.join(", "))
                        })
                        .filter(|argument| argument != "month: 2026-01" && argument != "limit: 2")
                        .collect();
                    arguments.sort();
                    let key = field.alias.as_ref().unwrap_or(&field.name);
                    let at = format!("{on}.{key}");
                    all.push(format!("{at}={}({})", field.name, arguments.join(", ")));
                    fields(&field.selection_set, &at, body, all);
                }
                Selection::InlineFragment(fragment) => {
                    let on = format!("{on}<{}>", fragment.type_condition.as_ref().unwrap());
                    fields(&fragment.selection_set, &on, body, all);
                }
                Selection::FragmentSpread(_) => panic!("{body}"),
            }
        }
    }
    let operation = operation(body);
    let mut all = vec![operation.operation_type.to_string()];
    fields(&operation.selection_set, "", body, &mut all);
    // A type that is asked for only so that the engine knows it may be asked for under any name.
    all.retain(|line| !line.ends_with("=__typename()"));
    all.sort();
    all
}

/// Entries whose recording the engine differs from on purpose, with the reason.
const DIFFERENT: &[(&str, &str)] = &[
    ("subscription over HTTP", "subscriptions of remote schemas are served, over sockets"),
    ("drop a schema that relationships use", "relationships of the schema itself go with it"),
];

#[tokio::test(flavor = "multi_thread")]
async fn remote_schemas_and_joins_answer_and_ask_as_recorded() {
    let Some(directory) = crate::support::shared_directory("vendor/hasura/recorded") else { return };
    let sdl = std::fs::read_to_string(directory.join("remote-schema.graphql")).unwrap();
    let state = Arc::new(Replayed { sdl, ..Replayed::default() });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().fallback(answer).with_state(state.clone());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    let Some(rig) = rig_with(&url, |_| {}).await else { return };

    let mut differences = Vec::new();
    let mut replayed = 0;
    for entry in entries("remote-schema.json") {
        let name = entry["name"].as_str().unwrap();
        if DIFFERENT.iter().any(|(different, _)| name == *different) {
            continue;
        }
        replayed += 1;
        let mut expected: Vec<Value> = entry["remote"].as_array().cloned().unwrap_or_default();
        expected.retain(|exchange| exchange["body"]["operationName"] != "IntrospectionQuery");
        *state.expected.lock().unwrap() = expected.clone();
        state.asked.lock().unwrap().clear();
        let request = &entry["request"];
        let headers: Vec<(&str, &str)> =
            request["headers"].as_object().unwrap().iter().map(|(n, v)| (n.as_str(), v.as_str().unwrap())).collect();
        let (status, mut answer) =
            rig.send("POST", request["path"].as_str().unwrap(), &headers, Some(request["body"].to_string())).await;
        let mut recorded = entry["response"]["body"].clone();
        if let Some(error) = recorded["error"].as_str().filter(|error| error.contains("Duplicate remote field")) {
            // One of the fields is named first; which is a matter of a hash there.
            let first = error.split(',').next().unwrap().split('\'').next().unwrap().to_owned();
            assert!(answer["error"].as_str().unwrap().starts_with(&first), "{answer}");
            continue;
        }
        for value in [&mut recorded, &mut answer] {
            without_internals(value);
        }
        if (json!(status), &answer) != (entry["response"]["status"].clone(), &recorded) {
            differences.push(format!("{name}: {status} {answer}\n    instead of {recorded}"));
        }
        // What one answer needs of several relationships is asked at once.
        let mut asked: Vec<Vec<String>> = state.asked.lock().unwrap().iter().map(canonical).collect();
        let mut wanted: Vec<Vec<String>> = expected.iter().map(|exchange| canonical(&exchange["body"])).collect();
        asked.sort();
        wanted.sort();
        if asked != wanted {
            differences.push(format!("{name}: asked {asked:#?}\n    instead of {wanted:#?}"));
        }
    }
    assert!(replayed > 50, "{replayed}");
    assert!(differences.is_empty(), "{} of {replayed} differ:\n{}", differences.len(), differences.join("\n"));
}
