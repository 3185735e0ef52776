//! Who asks: admin secret, JWT or the unauthorized role, by Hasura's rules and with Hasura's words.
//!
//! Anything doubtful is refused: session variables in headers are taken from the holder of the
//! admin secret only, a token is held against the algorithms its key allows, and a role against
//! the roles its claims list.

mod claims;
mod jwks;
mod jwt;
mod path;
mod strict;

use axum::http::HeaderMap;
use subtle::{Choice, ConstantTimeEq};

use super::error::{ErrorCode, GraphqlError};
use super::session::{ADMIN, Session};

pub use jwks::JwksStatus;
pub use jwt::{JwtConfig, JwtConfigError, JwtHeader, JwtVerifier};

const SECRET_HEADERS: [&str; 2] = ["x-hasura-admin-secret", "x-hasura-access-key"];
const ROLE: &str = "x-hasura-role";
const BACKEND_ONLY: &str = "x-hasura-use-backend-only-permissions";

/// A refusal with Hasura's code and words; requests that are turned away answer 400 unless said otherwise.
fn refuse(code: ErrorCode, message: impl Into<String>) -> GraphqlError {
    GraphqlError::new(code, message).with_status(400)
}

/// Who asks, as established by [`Authenticator::authenticate`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Role and session variables.
    pub session: Session,
    /// Seconds since the epoch at which the credentials end; none for secrets and for tokens without `exp`.
    pub expires_at: Option<i64>,
    /// Whether the admin secret vouches for the request.
    pub by_admin_secret: bool,
}

impl Identity {
    fn new(session: Session) -> Self {
        Self { session, expires_at: None, by_admin_secret: false }
    }
}

/// The rules by which requests are let in.
pub struct Authenticator {
    admin_secrets: Vec<Vec<u8>>,
    verifiers: Vec<JwtVerifier>,
    unauthorized_role: Option<String>,
}

impl Authenticator {
    /// Rules from the engine's options. Any of the secrets is the admin's; without one every caller is trusted, as Hasura
    /// does.
    pub fn new(
        admin_secrets: impl IntoIterator<Item = String>,
        verifiers: Vec<JwtVerifier>,
        unauthorized_role: Option<String>,
    ) -> Self {
        let admin_secrets = admin_secrets.into_iter().map(String::into_bytes).collect();
        Self { admin_secrets, verifiers, unauthorized_role }
    }

    /// The token verifiers, for their background refresh and for status pages.
    pub fn verifiers(&self) -> &[JwtVerifier] {
        &self.verifiers
    }

    /// Whether an admin secret is configured.
    pub fn has_admin_secret(&self) -> bool {
        !self.admin_secrets.is_empty()
    }

    /// Decides who asks from the request's headers (for sockets: the handshake's and `connection_init`'s).
    ///
    /// # Errors
    /// `access-denied`, `invalid-headers`, `invalid-jwt`, `jwt-invalid-claims`, `jwt-missing-role-claims`.
    pub async fn authenticate(&self, headers: &HeaderMap) -> Result<Identity, GraphqlError> {
        if self.admin_secrets.is_empty() {
            return trusted(headers);
        }
        if let Some(given) = SECRET_HEADERS.iter().find_map(|name| headers.get(*name)) {
            // Each is compared, so that the time taken does not tell which one was right.
            let right = |right, secret: &Vec<u8>| right | given.as_bytes().ct_eq(secret);
            if bool::from(self.admin_secrets.iter().fold(Choice::from(0), right)) {
                return trusted(headers);
            }
            return Err(refuse(ErrorCode::AccessDenied, "invalid \"x-hasura-admin-secret\"/\"x-hasura-access-key\"")
                .with_status(401));
        }
        if self.verifiers.is_empty() {
            return self.unauthorized().ok_or_else(|| {
                refuse(ErrorCode::AccessDenied, "x-hasura-admin-secret/x-hasura-access-key required, but not found")
                    .with_status(401)
            });
        }
        self.by_token(headers).await
    }

    fn unauthorized(&self) -> Option<Identity> {
        self.unauthorized_role.as_deref().map(|role| Identity::new(Session::new(role, [] as [(&str, &str); 0])))
    }

    async fn by_token(&self, headers: &HeaderMap) -> Result<Identity, GraphqlError> {
        let wanted = headers.get(ROLE).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        let mut refusal = None;
        let mut candidates: Vec<(&JwtVerifier, String)> = Vec::new();
        for verifier in &self.verifiers {
            match verifier.tokens(headers) {
                Ok(tokens) => candidates.extend(tokens.into_iter().map(|token| (verifier, token))),
                Err(error) => refusal = Some(error),
            }
        }
        // Which of two tokens says who asks is anybody's guess.
        let several = candidates.iter().enumerate().any(|(at, (verifier, token))| {
            let ours = |verifier: &JwtVerifier, token: &str| !verifier.is_foreign(token);
            let others = candidates
                .iter()
                .take(at)
                .filter(|(other, _)| std::ptr::eq(*other, *verifier) || other.place() != verifier.place());
            ours(verifier, token) && others.into_iter().any(|(other, token)| ours(other, token))
        });
        if several {
            return Err(refuse(ErrorCode::InvalidHeaders, "Could not verify JWT: Multiple JWTs found"));
        }
        for (verifier, token) in candidates {
            match verifier.identify(&token, wanted.as_deref()).await {
                Ok(identity) => return Ok(identity),
                Err(error) => refusal = Some(error),
            }
        }
        match refusal {
            Some(error) => Err(error),
            None => self.unauthorized().ok_or_else(|| {
                refuse(
                    ErrorCode::InvalidHeaders,
                    "Missing 'Authorization' or 'Cookie' header in JWT authentication mode",
                )
            }),
        }
    }
}

/// The identity that a trusted caller states in `x-hasura-*` headers; `admin` when it names no role.
fn trusted(headers: &HeaderMap) -> Result<Identity, GraphqlError> {
    let variables: Vec<(&str, String)> = headers
        .iter()
        .map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .filter(|(name, _)| name.starts_with("x-hasura-") && !SECRET_HEADERS.contains(name))
        .collect();
    let stated =
        |wanted: &str| variables.iter().rev().find(|(name, _)| *name == wanted).map(|(_, value)| value.clone());
    let role = stated(ROLE).unwrap_or_else(|| ADMIN.into());
    if role.is_empty() {
        return Err(refuse(ErrorCode::InvalidHeaders, "\"x-hasura-role\" is empty; name a role or leave it out"));
    }
    let backend = match stated(BACKEND_ONLY) {
        None => false,
        Some(value) => boolean(&value).ok_or_else(|| {
            let message = format!("{BACKEND_ONLY}:  Not a valid boolean text. True values are [\"true\",\"t\",\"yes\",\"y\"] and  False values are [\"false\",\"f\",\"no\",\"n\"]. All values are case insensitive");
            refuse(ErrorCode::BadRequest, message)
        })?,
    };
    let session = Session::new(&role, variables).with_backend_permissions(backend);
    Ok(Identity { by_admin_secret: true, ..Identity::new(session) })
}

/// A boolean as Hasura reads it from a header.
fn boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "t" | "yes" | "y" => Some(true),
        "false" | "f" | "no" | "n" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
