//! The frame around every route.

mod edge;
mod events;
mod limits;
mod routes;
mod sockets;
