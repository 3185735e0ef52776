//! What a real Hasura answered to requests, most of them faulty, over the same schema and rows.

use northstack::engine::{Request, Session};
use serde_json::Value;

use super::{ask, engine};
use crate::support::shared_directory;

/// What the engine does otherwise, with the reason.
const DIFFERENCES: &[(&str, &str)] =
    &[("string with a NUL", "Hasura stores the text up to the NUL without a word; the engine refuses it")];

/// Entries that are about the server rather than the engine, or that another entry changed the settings for.
fn of_the_core(entry: &Value) -> bool {
    let request = &entry["request"];
    let name = entry["name"].as_str().unwrap();
    request["path"] == "/v1/graphql"
        && request["method"] == "POST"
        && request["body"]["query"].is_string()
        && request["body"].get("extensions").is_none()
        && request["headers"].as_object().unwrap().contains_key("x-hasura-admin-secret")
        && request["headers"]["x-hasura-admin-secret"] == "secret"
        && request["body"]["variables"].as_str().is_none()
        && !request["body"]["variables"].is_array()
        && !name.contains("statement timeout")
        && !DIFFERENCES.iter().any(|(different, _)| name.starts_with(different))
}

fn session(entry: &Value) -> Session {
    let headers = entry["request"]["headers"].as_object().unwrap();
    let variables: Vec<(String, String)> = headers
        .iter()
        .map(|(name, value)| (name.to_lowercase(), value.as_str().unwrap().to_owned()))
        .filter(|(name, _)| name.starts_with("x-hasura-") && name != "x-hasura-admin-secret")
        .collect();
    let role = variables.iter().find(|(name, _)| name == "x-hasura-role").map_or("admin", |(_, role)| role);
    Session::new(role, variables.clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn faulty_requests_are_answered_as_hasura_does() {
    let Some(directory) = shared_directory("vendor/hasura/recorded") else { return };
    let read = |file: &str| std::fs::read_to_string(directory.join(file)).unwrap();
    let metadata = serde_json::from_str(&read("metadata.json")).unwrap();
    let engine = engine(&read("setup.sql"), &metadata).await;
    let recorded: Value = serde_json::from_str(&read("http-errors.json")).unwrap();
    let (mut total, mut faults) = (0, Vec::new());
    for entry in recorded["entries"].as_array().unwrap().iter().filter(|entry| of_the_core(entry)) {
        total += 1;
        let body = &entry["request"]["body"];
        let mut request = Request::new(body["query"].as_str().unwrap()).with_variables(body["variables"].clone());
        request.operation_name = body["operationName"].as_str().map(str::to_owned);
        let mut expected = entry["response"]["body"].clone();
        if let Some(extensions) = expected.pointer_mut("/errors/0/extensions").and_then(Value::as_object_mut) {
            extensions.remove("internal");
        }
        let answer = ask(&engine, &session(entry), &request).await;
        if answer != expected {
            faults.push(format!("{}\n  {}\n  expected {expected}\n  got      {answer}", entry["name"], request.query));
        }
    }
    assert!(faults.is_empty(), "{} of {total} differ:\n{}", faults.len(), faults.join("\n"));
}
