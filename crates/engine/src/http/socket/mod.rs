//! GraphQL over WebSocket.

mod connection;
mod operations;
mod outbox;
mod protocol;

use std::sync::Arc;

use axum::extract::ws::WebSocketUpgrade;
use axum::http::header::SEC_WEBSOCKET_PROTOCOL;
use axum::http::request::Parts;
use axum::response::Response;

use self::protocol::Protocol;
use crate::serving::Surface;

/// Bytes that each socket buffers for reading; most frames are small, most sockets idle.
const READ_BUFFER: usize = 4 * 1024;

/// Answers the handshake and serves the socket.
pub(super) fn upgrade(surface: Arc<Surface>, upgrade: WebSocketUpgrade, handshake: Parts) -> Response {
    let offered = handshake.headers.get(SEC_WEBSOCKET_PROTOCOL).and_then(|value| value.to_str().ok());
    let protocol = Protocol::of(offered);
    let upgrade = upgrade
        .protocols([protocol.name()])
        .max_message_size(surface.limits.sizes.message)
        .max_frame_size(surface.limits.sizes.message)
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0);
    let headers = handshake.headers;
    let mut response =
        upgrade.on_upgrade(move |socket| async move { connection::serve(surface, socket, protocol, headers).await });
    // Among them is how the client wrote its headers, where the server keeps that: the answer's are written alike then,
    // for clients that find `Sec-WebSocket-Protocol` by these letters alone.
    response.extensions_mut().extend(handshake.extensions);
    response
}
