//! A GraphQL subscription over `graphql-transport-ws`.

use std::time::Duration;

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// One open subscription.
pub struct Subscription {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl Subscription {
    /// Connects, presents the token and subscribes.
    pub async fn open(base: &str, token: &str, query: &str) -> Self {
        let mut request = format!("{}/v1/graphql", base.replace("http://", "ws://")).into_client_request().unwrap();
        request.headers_mut().insert("sec-websocket-protocol", "graphql-transport-ws".parse().unwrap());
        let (socket, _) = connect_async(request).await.unwrap();
        let mut subscription = Self { socket };
        subscription
            .send(json!({ "type": "connection_init", "payload": { "headers": { "Authorization": format!("Bearer {token}") } } }))
            .await;
        assert_eq!(subscription.receive().await["type"], "connection_ack");
        subscription.send(json!({ "type": "subscribe", "id": "1", "payload": { "query": query } })).await;
        subscription
    }

    async fn send(&mut self, message: Value) {
        self.socket.send(Message::text(message.to_string())).await.unwrap();
    }

    async fn receive(&mut self) -> Value {
        loop {
            let message = tokio::time::timeout(Duration::from_secs(90), self.socket.next())
                .await
                .expect("a frame within 90 s")
                .expect("an open socket")
                .unwrap();
            match message {
                Message::Text(text) => {
                    let message: Value = serde_json::from_str(&text).unwrap();
                    match message["type"].as_str() {
                        Some("ping") => self.send(json!({ "type": "pong" })).await,
                        Some("pong") => {}
                        _ => return message,
                    }
                }
                Message::Close(frame) => panic!("closed: {frame:?}"),
                _ => {}
            }
        }
    }

    /// The next result's `data`.
    pub async fn next(&mut self) -> Value {
        let mut message = self.receive().await;
        assert_eq!(message["type"], "next", "{message}");
        assert!(message["payload"].get("errors").is_none(), "{message}");
        message["payload"]["data"].take()
    }
}
