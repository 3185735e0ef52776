//! Use cases, one file a resource, called by every face: authorise, then write or start a flow.

pub mod background;
mod caller;
mod health;
pub mod identity;
mod teams;

pub use caller::Caller;
pub use health::Check;

use crate::auth::{Passwords, RefreshTokens, Tokens};
use crate::db::Db;

/// What the use cases work with. One for a process, made by the composition root; every face shares it.
pub struct App {
    /// The database.
    pub db: Db,
    /// Issues and verifies access tokens.
    pub tokens: Tokens,
    /// Hashes and verifies passwords.
    pub passwords: Passwords,
    /// Keeps refresh tokens.
    pub refresh_tokens: RefreshTokens,
    /// Counts attempts to sign in.
    pub login_limits: identity::LoginLimits,
    /// What configuration says about identity.
    pub identity: identity::Rules,
}
