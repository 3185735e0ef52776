//! Hasura: GraphQL over HTTP and WebSocket, and the metadata API. The embedded engine answers the same.

mod client;
mod error;
mod metadata;
mod subscription;
mod types;

pub use client::{Client, Credentials, Request};
pub use error::{Error, Result};
pub use types::{
    Action, Consistency, EventTrigger, Exported, Health, InconsistentObject, Permission, PermissionKind, Relationship,
    RelationshipKind, RemoteSchema,
};
