//! Commands in containers, over the wire.

use std::time::Duration;

use axum::Router;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::routing::get;
use futures::{SinkExt, StreamExt};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, AttachParams, PostParams};
use kube::config::Kubeconfig;
use northstack::domain::Redacted;
use northstack::vendors;
use northstack::vendors::kubernetes::{Client, Command, Source};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_tungstenite::tungstenite::Message as Frame;

use super::support::{cluster, eventually};

async fn pod(api: &Api<Pod>) {
    let pod: Pod = serde_json::from_value(json!({
        "metadata": {"name": "sh"},
        "spec": {"containers": [{"name": "m", "image": "registry.local/busybox:1"}]},
    }))
    .unwrap();
    api.create(&PostParams::default(), &pod).await.unwrap();
    eventually("a running pod", || async {
        let phase = api.get("sh").await.unwrap().status.unwrap().phase;
        (phase.as_deref() == Some("Running")).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_and_exit_codes_come_apart() {
    let (simulator, client) = cluster().await;
    let api: Api<Pod> = Api::namespaced(client, "default");
    pod(&api).await;
    let params = AttachParams::default().stdin(false).stdout(true).stderr(true);
    let mut attached = api.exec("sh", ["sh", "-c", "echo out; echo err >&2; exit 3"], &params).await.unwrap();
    let (mut out, mut err) = (String::new(), String::new());
    attached.stdout().unwrap().read_to_string(&mut out).await.unwrap();
    attached.stderr().unwrap().read_to_string(&mut err).await.unwrap();
    let status = attached.take_status().unwrap().await.unwrap();
    assert_eq!((out.as_str(), err.as_str()), ("out\n", "err\n"));
    assert_eq!(status.reason.as_deref(), Some("NonZeroExitCode"));
    assert_eq!(status.details.unwrap().causes.unwrap()[0].message.as_deref(), Some("3"));

    let mut attached = api.exec("sh", ["nosuch"], &params).await.unwrap();
    let status = attached.take_status().unwrap().await.unwrap();
    assert!(status.message.unwrap().contains("executable file not found in $PATH"));
    let absent = api.exec("nope", ["true"], &params).await.err().unwrap();
    assert!(absent.to_string().contains("404"), "{absent}");
    simulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stdin_reaches_the_command() {
    let (simulator, client) = cluster().await;
    let api: Api<Pod> = Api::namespaced(client, "default");
    pod(&api).await;
    let params = AttachParams::default().stdin(true).stdout(true).stderr(false);
    let mut attached = api.exec("sh", ["cat"], &params).await.unwrap();
    let mut stdin = attached.stdin().unwrap();
    let mut stdout = attached.stdout().unwrap();
    stdin.write_all(b"hello").await.unwrap();
    stdin.flush().await.unwrap();
    let mut bytes = [0; 5];
    stdout.read_exact(&mut bytes).await.unwrap();
    assert_eq!(&bytes, b"hello");
    drop(stdin);
    simulator.shutdown().await;
}

/// An API server whose every exec answers with one line of output and is then gone.
async fn breaking() -> Kubeconfig {
    async fn talk(mut socket: WebSocket) {
        socket.send(Message::Binary(b"\x01half an answer".to_vec().into())).await.unwrap();
        // The client has begun to talk, and nobody reads on.
        socket.recv().await.unwrap().unwrap();
    }
    let exec = get(async |upgrade: WebSocketUpgrade| upgrade.protocols(["v5.channel.k8s.io"]).on_upgrade(talk));
    let router = Router::new().route("/api/v1/namespaces/{namespace}/pods/{pod}/exec", exec);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    serde_json::from_value(json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "it",
        "clusters": [{"name": "it", "cluster": {"server": server}}],
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
        "users": [{"name": "it", "user": {"token": "it"}}],
    }))
    .unwrap()
}

fn wp<'a>(arguments: &'a [String], input: &'a Redacted) -> Command<'a> {
    let timeout = Duration::from_secs(60);
    Command { namespace: "default", pod: "sh", container: "m", arguments, input: Some(input), timeout }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_breaks_ends_the_command_and_not_its_timeout() {
    let source = Source::Inline(Box::new(breaking().await));
    let client = Client::connect(source, Duration::from_secs(5)).await.unwrap();
    let input = Redacted::new("a line\nand more that nobody reads\n".to_owned());
    let error = client.exec(&wp(&["cat".to_owned()], &input)).await.unwrap_err();
    assert!(matches!(error, vendors::Error::Unavailable { .. }), "{error}");
    assert!(error.to_string().contains("broke before the command's end"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn input_that_the_command_did_not_read_resets_no_connection() {
    let (simulator, client) = cluster().await;
    pod(&Api::namespaced(client.clone(), "default")).await;
    // A prompt reads one line and the command ends; the rest of the input arrives when nobody needs it.
    let query = "command=echo&command=--prompt%3Danswer&container=m&stdin=true&stdout=true";
    let request = http::Request::get(format!("/api/v1/namespaces/default/pods/sh/exec?{query}")).body(vec![]).unwrap();
    let mut stream = client.connect(request).await.unwrap().into_stream();
    stream.send(Frame::binary(b"\0yes\n".to_vec())).await.unwrap();
    let status = loop {
        match stream.next().await.unwrap().unwrap() {
            Frame::Binary(frame) if frame.first() == Some(&3) => break frame,
            _ => {}
        }
    };
    assert!(String::from_utf8_lossy(&status).contains("Success"), "{status:?}");
    // More than the sockets of both sides hold: it passes only while the server reads.
    for _ in 0..16_000 {
        stream.send(Frame::binary(vec![0; 1025])).await.unwrap();
    }
    simulator.shutdown().await;
}
