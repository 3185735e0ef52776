//! Registering, signing in and out, and what tokens are worth.

mod limits;
mod sessions;
mod tokens;
