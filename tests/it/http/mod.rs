//! The frame around every route.

mod connections;
mod edge;
mod event_stream;
mod events;
mod limits;
mod pages;
mod routes;
mod sockets;
