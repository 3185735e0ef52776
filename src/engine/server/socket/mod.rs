//! GraphQL over WebSocket.

mod connection;
mod operations;
mod outbox;
mod protocol;

use std::sync::Arc;

use axum::extract::ws::WebSocketUpgrade;
use axum::http::HeaderMap;
use axum::response::Response;

use self::protocol::Protocol;
use super::surface::Surface;

/// Bytes that each socket buffers for reading; most frames are small, most sockets idle.
const READ_BUFFER: usize = 4 * 1024;

/// Answers the handshake and serves the socket.
pub(super) fn upgrade(surface: Arc<Surface>, upgrade: WebSocketUpgrade, handshake: HeaderMap) -> Response {
    let upgrade = upgrade
        .protocols(Protocol::NAMES)
        .max_message_size(surface.limits.message)
        .max_frame_size(surface.limits.message)
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0);
    upgrade.on_upgrade(move |socket| async move {
        let agreed = socket.protocol().and_then(|name| name.to_str().ok()).map(str::to_owned);
        connection::serve(surface, socket, Protocol::of(agreed.as_deref()), handshake).await;
    })
}
