//! Secrets by command line, GraphQL and REST on the whole platform; and that a value is in the cluster and nowhere else.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::Stack;
use super::cli::{SECRET, Shell, project, sign_in};

/// Begins every value of this test.
const CANARY: &str = "canary-9d41";

#[tokio::test]
async fn a_value_is_set_used_and_revealed_and_is_nowhere_but_in_the_cluster() {
    let mut stack = Stack::configured(vec![
        ("NORTHSTACK_HASURA__ADMIN_SECRET", SECRET.to_owned()),
        ("NORTHSTACK_OBSERVABILITY__LOG_FILTER", "debug,northstack=trace".to_owned()),
    ])
    .await;
    let shell = Shell { home: tempfile::tempdir().unwrap(), endpoint: stack.api_url() };
    sign_in(&shell).await;
    project(&stack, "shop").await;
    let first = format!("{CANARY}-of the command line");

    // By command line.
    let ended = shell.run(&["secrets", "set", "api-key"], &format!("{first}\n")).await;
    assert_eq!((ended.code, ended.out.trim()), (0, "api-key has version 1."), "{}", ended.err);
    assert_eq!(shell.ok(&["secrets", "reveal", "api-key"]).await, format!("{first}\n"));
    assert_eq!(shell.run(&["secrets", "set", "api-key"], "").await.code, 2, "an empty value is refused");
    assert_eq!(shell.run(&["secrets", "set", "a b"], CANARY).await.code, 2);
    assert_eq!(shell.run(&["secrets", "reveal", "no-such"], "").await.code, 4);
    shell.ok(&["apps", "create", "api", "--project", "shop", "--replicas", "1", "--port", "80"]).await;
    shell.ok(&["env", "set", "api", "LOG=info", "--secret", "API_KEY=api-key"]).await;
    shell.ok(&["deploy", "api", "--image", "nginx:1", "--watch"]).await;
    let listed = shell.json(&["secrets", "list"]).await;
    assert_eq!(listed[0]["used_by"], json!(["api/API_KEY"]), "{listed:#}");
    let refused = shell.run(&["secrets", "delete", "api-key", "--yes"], "").await;
    assert_eq!((refused.code, refused.err.contains("api (API_KEY)")), (1, true), "{}", refused.err);
    let own = shell.run(&["secrets", "set", "api-key", "--app", "api", "--exact"], "\n").await;
    assert_eq!(own.code, 0, "{}", own.err);
    assert_eq!(shell.json(&["secrets", "reveal", "api-key", "--app", "api"]).await["value"], "\n");
    assert_eq!(shell.json(&["secrets", "list", "--app", "api"]).await.as_array().unwrap().len(), 1);
    shell.ok(&["secrets", "delete", "api-key", "--app", "api", "--yes"]).await;

    // By GraphQL, with the value in the text of the query, in a query that is right and in some that are not.
    let token = stack.register("owner@example.com").await;
    let set =
        format!(r#"mutation {{ setSecret(name: "literal", value: "{CANARY}-of a query") {{ secretId version }} }}"#);
    let made = stack.data(Some(&token), &set, json!({})).await;
    assert_eq!(made["setSecret"]["version"], 1);
    for wrong in [
        set.replace("version }", "value }"),
        set.replace("name: \"literal\"", "name: \"no name\""),
        set.replace("mutation {", "mutation {{"),
        set.replace("setSecret(", "setSecrets("),
    ] {
        let refused = stack.graphql(Some(&token), &wrong, json!({})).await;
        assert!(refused["errors"].is_array(), "{wrong}\n{refused:#}");
    }
    let unseen = stack.graphql(Some(&token), "{ secrets { name ciphertext } }", json!({})).await;
    assert!(unseen["errors"].is_array(), "{unseen:#}");

    // By REST.
    let rest = async |method: reqwest::Method, path: &str, body: Value| -> Value {
        let url = format!("{}/api/v1/secrets{path}", stack.api_url());
        let request = stack.http().request(method.clone(), url).bearer_auth(&token);
        let request = if method == reqwest::Method::GET { request } else { request.json(&body) };
        let answer = request.send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert!(status.is_success(), "{path}: {status} {text}");
        // What is gone has no body.
        serde_json::from_str::<Value>(&text).map_or(Value::Null, |answer| answer["data"].clone())
    };
    use reqwest::Method;
    let second = format!("{CANARY}-of REST");
    let made = rest(Method::POST, "", json!({ "name": "rest", "value": "x" })).await;
    let id = made["secretId"].as_str().unwrap().to_owned();
    let renewed = rest(Method::PUT, &format!("/{id}"), json!({ "value": second })).await;
    assert_eq!(renewed["secret"]["version"], 2, "{renewed:#}");
    assert_eq!(rest(Method::GET, &format!("/{id}"), json!({})).await["name"], "rest");
    assert_eq!(rest(Method::GET, "", json!({})).await.as_array().unwrap().len(), 2);
    let revealed = rest(Method::POST, &format!("/{id}/reveal"), json!({})).await;
    assert_eq!(revealed["value"], json!(second));
    rest(Method::DELETE, &format!("/{id}"), json!({})).await;

    // What is left on disk, logs of every part included: the cluster alone has a value.
    stack.interrupt();
    assert!(stack.log().contains("DEBUG") && stack.log().contains("step.succeeded"), "the log has details");
    let found = files_with(stack.state(), CANARY);
    assert_eq!(found, Vec::<PathBuf>::new());
    assert!(!files_with(stack.state(), "api-key").is_empty(), "the search finds what is there");
}

/// The files below a directory that hold a text, those of the simulated cluster apart.
fn files_with(directory: &Path, text: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![directory.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(directory).unwrap().flatten() {
            let (path, kind) = (entry.path(), entry.file_type().unwrap());
            if kind.is_dir() && entry.file_name() != "kubernetes" {
                open.push(path);
            } else if kind.is_file() {
                let bytes = std::fs::read(&path).unwrap_or_default();
                if bytes.windows(text.len()).any(|window| window == text.as_bytes()) {
                    found.push(path);
                }
            }
        }
    }
    found
}
