//! The ways in: GraphQL over HTTP and WebSocket, the metadata API, RESTified endpoints, health.

mod explain;
mod graphql;
mod health;
mod metadata_api;
mod request;
mod respond;
mod rest;
mod router;
mod socket;

pub use router::router;
