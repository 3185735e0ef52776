//! The running platform as its operators see it: settings that change under it, and traces of what it does.

use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::routing::post;
use serde_json::json;
use tokio::sync::mpsc;

use super::Stack;

const REGISTER: &str = "mutation($email: String!) {
    register(email: $email, password: \"correct horse battery\", name: \"Ada\") { accessToken } }";

/// A collector of traces (OTLP over HTTP): its address, and the bodies that it is sent.
async fn collector() -> (String, mpsc::UnboundedReceiver<Bytes>) {
    let (sent, bodies) = mpsc::unbounded_channel();
    let take = post(async move |body: Bytes| sent.send(body).map_err(|_| "nobody looks"));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().route("/v1/traces", take);
    tokio::spawn(async move { axum::serve(listener, router).await });
    (address, bodies)
}

async fn logged(stack: &Stack, words: [&str; 2]) {
    let begun = Instant::now();
    while !stack.log().lines().any(|line| words.iter().all(|word| line.contains(word))) {
        assert!(begun.elapsed() < Duration::from_secs(20), "{words:?} is not in\n{}", stack.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_apply_without_a_restart_and_traces_reach_the_collector() {
    let (address, mut bodies) = collector().await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("northstack.yaml");
    let write = |registration: bool, port: u16| {
        let settings = json!({
            "auth": {"registration": registration},
            "worker": {"concurrency": port},
            "observability": {"otlp_endpoint": address},
        });
        std::fs::write(&file, settings.to_string()).unwrap();
    };
    write(true, 4);
    let mut stack = Stack::configured(vec![("NORTHSTACK_CONFIG", file.display().to_string())]).await;
    stack.data(None, REGISTER, json!({"email": "early@example.com"})).await;

    write(false, 5);
    logged(&stack, ["configuration_applied", "auth.registration"]).await;
    logged(&stack, ["configuration_needs_restart", "worker.concurrency"]).await;
    let refused = stack.graphql(None, REGISTER, json!({"email": "late@example.com"})).await;
    assert_eq!(refused["errors"][0]["extensions"]["code"], "forbidden", "{refused:#}");
    std::fs::write(&file, "auth: {registration: 3}").unwrap();
    logged(&stack, ["configuration_refused", "auth.registration"]).await;
    let refused = stack.graphql(None, REGISTER, json!({"email": "later@example.com"})).await;
    assert_eq!(refused["errors"][0]["extensions"]["code"], "forbidden", "{refused:#}");

    let (trace, parent) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
    let health = stack.http().get(format!("{}/health", stack.api_url()));
    let answer = health.header("traceparent", format!("00-{trace}-{parent}-01")).send().await.unwrap();
    assert!(answer.status().is_success());
    assert!(stack.interrupt().success());
    let (trace, parent) = (hex::decode(trace).unwrap(), hex::decode(parent).unwrap());
    let holds = |body: &Bytes, part: &[u8]| body.windows(part.len()).any(|window| window == part);
    let mut found = false;
    while let Ok(body) = bodies.try_recv() {
        assert!(holds(&body, b"northstack"), "the service names itself");
        found |= [trace.as_slice(), &parent, b"request", b"/health"].iter().all(|part| holds(&body, part));
    }
    assert!(found, "the request is part of its caller's trace");
}
