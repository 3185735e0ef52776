//! Who is calling: access tokens and JWKS, passwords, refresh tokens, shared secrets → [`crate::domain::Actor`].

mod keys;
mod password;
mod refresh;
mod secret;
mod token;

pub use keys::{SigningKey, VerifyingKey};
pub use password::{Passwords, check_password};
pub use refresh::{RefreshTokens, Shown};
pub use secret::same_secret;
pub use token::{AccessToken, Claims, TeamClaim, Tokens};
