//! The engine's HTTP and WebSocket surface.

pub(crate) mod request;
pub(crate) mod socket;
