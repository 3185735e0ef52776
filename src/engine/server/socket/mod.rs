//! GraphQL over WebSocket.

mod outbox;
pub(crate) mod protocol;
