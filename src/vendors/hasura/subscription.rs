//! The WebSocket side: one subscription over `graphql-transport-ws`
//! (<https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md>).

use std::time::Duration;

use async_stream::try_stream;
use futures::{SinkExt, Stream, StreamExt};
use reqwest::header::{
    CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use reqwest::{Method, StatusCode, Upgraded};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::{client::generate_key, derive_accept_key};
use tokio_tungstenite::tungstenite::protocol::Role;

use super::client::{Client, Request};
use super::error::{Error, Result};

const PROTOCOL: &str = "graphql-transport-ws";
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// Hasura pings every five seconds; silence for longer than this means that nobody is there.
const SILENCE: Duration = Duration::from_secs(60);

/// What a server may say.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Frame {
    ConnectionAck,
    Ping,
    Pong,
    Next { payload: Value },
    Error { payload: Vec<Value> },
    Complete,
}

impl Client {
    /// Starts a subscription on a socket of its own and gives each result's `data`, the first one at once.
    ///
    /// The stream ends when the server completes the subscription and fails when the connection breaks;
    /// dropping it closes the socket. It does not reconnect: the caller knows whether and from where.
    pub async fn subscribe<T: DeserializeOwned>(
        &self,
        request: &Request<'_>,
    ) -> Result<impl Stream<Item = Result<T>> + use<T>> {
        let mut socket = self.connect().await?;
        self.send(&mut socket, json!({"type": "connection_init", "payload": {"headers": self.socket_headers()}}))
            .await?;
        loop {
            match timeout(ANSWER_TIMEOUT, self.receive(&mut socket))
                .await
                .map_err(|error| self.unreachable(error))??
            {
                Some(Frame::ConnectionAck) => break,
                Some(Frame::Ping) => self.send(&mut socket, json!({"type": "pong"})).await?,
                Some(_) => {}
                None => return Err(self.protocol("the socket was closed before it was acknowledged")),
            }
        }
        self.send(&mut socket, json!({"id": "1", "type": "subscribe", "payload": request})).await?;
        let client = self.clone();
        Ok(try_stream! {
            loop {
                let frame = timeout(SILENCE, client.receive(&mut socket)).await;
                match frame.map_err(|error| client.unreachable(error))?? {
                    Some(Frame::Next { payload }) => yield client.data(payload)?,
                    Some(Frame::Ping) => client.send(&mut socket, json!({"type": "pong"})).await?,
                    Some(Frame::Error { payload }) => Err(Error::graphql(&payload))?,
                    Some(Frame::Complete) => break,
                    Some(Frame::ConnectionAck | Frame::Pong) => {}
                    None => Err(client.unreachable("the socket was closed"))?,
                }
            }
        })
    }

    /// Upgrades a request to a WebSocket (RFC 6455, section 4.1).
    async fn connect(&self) -> Result<WebSocketStream<Upgraded>> {
        let key = generate_key();
        let request = self
            .bare(Method::GET, "v1/graphql")?
            .header(CONNECTION, "Upgrade")
            .header(UPGRADE, "websocket")
            .header(SEC_WEBSOCKET_VERSION, "13")
            .header(SEC_WEBSOCKET_KEY, &key)
            .header(SEC_WEBSOCKET_PROTOCOL, PROTOCOL);
        let response = timeout(ANSWER_TIMEOUT, request.send())
            .await
            .map_err(|error| self.unreachable(error))?
            .map_err(|error| self.unreachable(error))?;
        let said = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        if matches!(response.status().as_u16(), 502..=504) {
            return Err(self.unreachable(format!("the gateway answers {}", response.status())));
        }
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Err(self.protocol(format!("no WebSocket at /v1/graphql: {}", response.status())));
        }
        if said(SEC_WEBSOCKET_ACCEPT) != Some(derive_accept_key(key.as_bytes()).as_str())
            || said(SEC_WEBSOCKET_PROTOCOL) != Some(PROTOCOL)
        {
            return Err(self.protocol(format!("the WebSocket does not speak {PROTOCOL}")));
        }
        let stream = response.upgrade().await.map_err(|error| self.unreachable(error))?;
        Ok(WebSocketStream::from_raw_socket(stream, Role::Client, None).await)
    }

    async fn send(&self, socket: &mut WebSocketStream<Upgraded>, frame: Value) -> Result<()> {
        socket.send(Message::text(frame.to_string())).await.map_err(|error| self.unreachable(error))
    }

    /// The next frame; none when the server closes without a reason, [`Error::Protocol`] with its reason else.
    async fn receive(&self, socket: &mut WebSocketStream<Upgraded>) -> Result<Option<Frame>> {
        while let Some(message) = socket.next().await {
            match message.map_err(|error| self.unreachable(error))? {
                Message::Text(text) => {
                    let frame = serde_json::from_str(&text);
                    return frame.map(Some).map_err(|error| self.protocol(format!("unexpected frame: {error}")));
                }
                Message::Close(Some(close)) if !close.reason.is_empty() => return Err(closed(close.reason.as_str())),
                Message::Close(_) => break,
                // Pings are answered by the library.
                Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
            }
        }
        Ok(None)
    }
}

/// A closing reason such as `4403: Forbidden` is a refusal of the credentials.
fn closed(reason: &str) -> Error {
    let extensions = serde_json::Map::from_iter([("code".to_owned(), json!("access-denied"))]);
    Error::Graphql { message: reason.to_owned(), extensions }
}
