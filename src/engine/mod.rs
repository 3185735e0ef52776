//! The embedded Hasura-compatible engine: `metadata` → `schema` → `plan` → `sql` → `execute` → `subscriptions`.

pub mod error;
pub mod metadata;
pub mod session;
