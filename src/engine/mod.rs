//! The embedded Hasura-compatible engine: `metadata` → `schema` → `plan` → `sql` → `execute` → `subscriptions`.

pub mod auth;
pub mod error;
pub mod events;
pub mod metadata;
pub mod outbound;
pub mod session;
pub mod subscriptions;
