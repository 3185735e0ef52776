//! The frame around every route.

mod edge;
mod events;
mod limits;
mod pages;
mod routes;
mod sockets;
