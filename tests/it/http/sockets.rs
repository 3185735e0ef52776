//! Over real sockets: slow clients, a graceful end, and a Hasura elsewhere behind the edge.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::ws::{Message, WebSocketUpgrade};
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use axum::routing::{any, get};
use futures::{SinkExt, StreamExt};
use northstack::http::{Backend, serve};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{self};
use tokio_util::sync::CancellationToken;

use crate::support::Service;

/// Serves the router on a port of its own until the token is dropped.
async fn listen(
    router: Router,
) -> (SocketAddr, CancellationToken, tokio::task::JoinHandle<northstack::domain::Result<()>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
    let task = tokio::spawn(serve(listener, router, stop.clone(), Duration::from_secs(10)));
    (address, stop, task)
}

async fn talk(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    tokio::time::timeout(Duration::from_secs(30), stream.read_to_end(&mut answer)).await.unwrap().ok();
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn an_open_request_is_answered_before_the_end_and_a_new_one_is_not() {
    let (begun, arrived) = tokio::sync::oneshot::channel::<()>();
    let begun = std::sync::Arc::new(std::sync::Mutex::new(Some(begun)));
    let go = std::sync::Arc::new(tokio::sync::Notify::new());
    let released = std::sync::Arc::clone(&go);
    let slow = get(move || {
        begun.lock().unwrap().take().unwrap().send(()).unwrap();
        async move {
            released.notified().await;
            "done"
        }
    });
    let (address, stop, task) = listen(Router::new().route("/slow", slow)).await;
    let client = tokio::spawn(async move {
        talk(address, b"GET /slow HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await
    });
    arrived.await.unwrap();
    stop.cancel();
    // Connecting fails once the listener is gone; until then a connection may still wait in its queue.
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert!(!task.is_finished());
    go.notify_one();
    assert!(client.await.unwrap().ends_with("done"));
    task.await.unwrap().unwrap();
}

#[tokio::test]
async fn malformed_and_greedy_requests_are_refused() {
    let service = Service::start().await;
    let (address, _stop, _task) = listen(service.router()).await;
    let huge = format!("GET /health HTTP/1.1\r\nhost: localhost\r\nx-huge: {}\r\n\r\n", "a".repeat(100_000));
    let answer = talk(address, huge.as_bytes()).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
    for bytes in [
        &b"POST /api/v1/auth/login HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n0\r\n\r\n"[..],
        b"POST /api/v1/auth/login HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n{}",
        b"\x16\x03\x01\x00\x00",
        b"GET / HTTP/9.9\r\n\r\n",
    ] {
        let answer = talk(address, bytes).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    }
    let endless = b"POST /api/v1/auth/login HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 99999999999\r\n\r\n";
    assert!(talk(address, endless).await.starts_with("HTTP/1.1 413"));
    assert!(
        talk(address, b"GET /health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await.contains("\"ok\"")
    );
}

/// A Hasura elsewhere: tells what it was asked, and echoes on its socket.
async fn hasura() -> (SocketAddr, CancellationToken) {
    let tell = any(|headers: HeaderMap, uri: axum::http::Uri, body: String| async move {
        let header = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
        let told = json!({
            "uri": uri.to_string(), "body": body, "role": header("x-hasura-role"), "host": header("host"),
            "secret": header("x-northstack-action-secret"), "connection": header("connection"),
        });
        (StatusCode::IM_A_TEAPOT, [("set-cookie", "a=b"), ("x-request-id", "inner")], axum::Json(told))
    });
    let echo = get(|upgrade: WebSocketUpgrade| async move {
        upgrade
            .protocols(["graphql-transport-ws"])
            .on_upgrade(|mut socket| async move {
                while let Some(Ok(message)) = socket.recv().await {
                    let Message::Text(text) = message else { break };
                    socket.send(Message::Text(format!("echo {text}").into())).await.unwrap();
                }
            })
            .into_response()
    });
    let router = Router::new().route("/v1/graphql", echo.post_service(tell.clone())).fallback_service(tell);
    let (address, stop, _) = listen(router).await;
    (address, stop)
}

#[tokio::test]
async fn an_external_hasura_answers_through_the_edge() {
    let (address, _hasura) = hasura().await;
    let endpoint = format!("http://{address}");
    let service = Service::with_backend(|_| {}, |_| Backend::external(&endpoint).unwrap()).await;
    let headers = [
        ("x-hasura-role", "user"),
        ("x-northstack-action-secret", "x"),
        ("connection", "x-hop"),
        ("x-hop", "1"),
        ("x-request-id", "req-1"),
    ];
    let answer = service.post("/v1/graphql", &headers, &json!({ "query": "{ a }" })).await;
    assert_eq!(answer.status, StatusCode::IM_A_TEAPOT);
    assert_eq!((answer.header("set-cookie"), answer.header("x-request-id")), ("a=b", "req-1"));
    let told = answer.json();
    assert_eq!(told["body"], r#"{"query":"{ a }"}"#);
    assert_eq!(
        (&told["role"], &told["secret"], &told["host"]),
        (&json!("user"), &json!(null), &json!(address.to_string()))
    );
    let rest = service.get("/api/v1/projects/a%2Fb?limit=1", &[]).await;
    assert_eq!(rest.json()["uri"], "/api/rest/v1/projects/a%2Fb?limit=1");

    let nowhere = Service::with_backend(|_| {}, |_| Backend::external("http://127.0.0.1:9").unwrap()).await;
    let answer = nowhere.post("/v1/graphql", &[], &json!({})).await;
    assert_eq!((answer.status, answer.code().as_str()), (StatusCode::SERVICE_UNAVAILABLE, "unavailable"));
    for wrong in ["", "hasura:8080", "ftp://hasura", "http://"] {
        let Err(error) = Backend::external(wrong) else { panic!("{wrong} was accepted") };
        assert_eq!(error.field(), Some("hasura.endpoint"));
    }
}

#[tokio::test]
async fn a_socket_to_an_external_hasura_is_passed_on() {
    let (address, _hasura) = hasura().await;
    let endpoint = format!("http://{address}");
    let service = Service::with_backend(|_| {}, |_| Backend::external(&endpoint).unwrap()).await;
    let (address, _stop, _task) = listen(service.router()).await;
    let connect = async |origin: Option<&str>| {
        let mut request = format!("ws://{address}/v1/graphql").into_client_request().unwrap();
        request.headers_mut().insert("sec-websocket-protocol", "graphql-transport-ws".parse().unwrap());
        if let Some(origin) = origin {
            request.headers_mut().insert("origin", origin.parse().unwrap());
        }
        tokio_tungstenite::connect_async(request).await
    };
    let own = format!("http://{address}");
    let (mut socket, response) = connect(Some(&own)).await.unwrap();
    assert_eq!(response.headers()["sec-websocket-protocol"], "graphql-transport-ws");
    for text in ["one", "two", &"x".repeat(200_000)] {
        socket.send(tungstenite::Message::text(text)).await.unwrap();
        let echoed = socket.next().await.unwrap().unwrap();
        assert_eq!(echoed.to_text().unwrap(), format!("echo {text}"));
    }
    let Err(tungstenite::Error::Http(refused)) = connect(Some("https://evil.example")).await else {
        panic!("a page of another site opened a socket");
    };
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
}
