//! Use cases, one file a resource, called by every face: authorise, then write or start a flow.

pub mod background;
mod caller;
mod health;

pub use caller::Caller;
pub use health::Check;

use crate::auth::Tokens;

/// What the use cases work with. One for a process, made by the composition root; every face shares it.
pub struct App {
    /// The database.
    pub pool: sqlx::PgPool,
    /// Issues and verifies access tokens.
    pub tokens: Tokens,
}
