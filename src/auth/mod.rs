//! Who is calling: access tokens and JWKS, passwords, refresh tokens, device cookies, shared secrets → [`crate::domain::Actor`].

mod device;
mod keys;
mod password;
mod refresh;
mod secret;
mod token;

pub use device::{Device, Devices};
pub use keys::{SigningKey, VerifyingKey};
pub use password::{Passwords, check_password};
pub use refresh::{RefreshTokens, Shown};
pub use secret::same_secret;
pub use token::{AccessToken, Claims, TeamClaim, Tokens};
