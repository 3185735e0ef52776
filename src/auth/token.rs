//! Access tokens: JWTs (RFC 7519) signed with Ed25519, carrying Hasura's claims beside our own.

use std::time::{Duration, SystemTime};

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::OffsetDateTime;
use uuid::Uuid;

use super::SigningKey;
use crate::domain::{Actor, Code, Error, Redacted, Result};

/// A longer token is not ours: with a hundred teams one has about 10 kB.
const MAX_LENGTH: usize = 64 * 1024;

/// Clocks of two replicas may differ by this many seconds.
const LEEWAY_SECONDS: u64 = 5;

/// What is the same in every token.
#[derive(Debug, Clone)]
pub struct TokenSettings {
    /// `iss`.
    pub issuer: String,
    /// `aud`.
    pub audience: String,
}

impl Default for TokenSettings {
    fn default() -> Self {
        Self { issuer: "northstack".into(), audience: "northstack".into() }
    }
}

/// A membership, as tokens carry it for clients to show; rights are read from the database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TeamClaim {
    /// The team.
    pub id: Uuid,
    /// The member's role there.
    pub role: String,
}

/// What Hasura reads, under `https://hasura.io/jwt/claims`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct HasuraClaims {
    #[serde(rename = "x-hasura-allowed-roles")]
    allowed_roles: Vec<String>,
    #[serde(rename = "x-hasura-default-role")]
    default_role: String,
    #[serde(rename = "x-hasura-user-id")]
    user_id: Uuid,
}

/// What an access token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    iss: String,
    aud: String,
    sub: Uuid,
    iat: u64,
    exp: u64,
    jti: Uuid,
    /// The user.
    pub user_id: Uuid,
    /// The user's e-mail address.
    pub email: String,
    /// The roles that the user may take, the usual one first.
    pub roles: Vec<String>,
    /// The user's memberships when the token was made.
    pub teams: Vec<TeamClaim>,
    #[serde(rename = "https://hasura.io/jwt/claims")]
    hasura: HasuraClaims,
}

impl Claims {
    /// When the token expires.
    pub fn expires_at(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(self.exp)
    }

    /// The actor under `role` (the `x-hasura-role` header), or under the token's default role.
    pub fn actor(&self, role: Option<&str>) -> Result<Actor> {
        let role = role.unwrap_or(&self.hasura.default_role);
        if !self.hasura.allowed_roles.iter().any(|allowed| allowed == role) {
            return Err(Error::new(Code::Forbidden, "your access token does not allow that role"));
        }
        match role {
            "user" => Ok(Actor::User(self.user_id)),
            "admin" => Ok(Actor::Admin(Some(self.user_id))),
            _ => Err(Error::new(Code::Forbidden, "that role cannot be used here")),
        }
    }
}

/// A signed token and how long it is good for.
#[derive(Debug, Clone)]
pub struct AccessToken {
    /// The JWT.
    pub token: Redacted,
    /// Seconds until it expires.
    pub expires_in: u64,
}

/// Issues and verifies access tokens. Verification takes one algorithm and one key, whatever a token's header asks for.
pub struct Tokens {
    settings: TokenSettings,
    key: SigningKey,
    encoding: EncodingKey,
    decoding: DecodingKey,
    validation: Validation,
}

impl Tokens {
    /// Tokens signed with `key`.
    pub fn new(key: SigningKey, settings: TokenSettings) -> Result<Self> {
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.leeway = LEEWAY_SECONDS;
        validation.validate_nbf = true;
        validation.set_issuer(&[&settings.issuer]);
        validation.set_audience(&[&settings.audience]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        Ok(Self { encoding: key.encoding_key()?, decoding: key.decoding_key(), settings, key, validation })
    }

    /// A token for the user, good from now on for `lifetime`. A platform administrator may take the role `admin` as well.
    pub fn issue(
        &self,
        user_id: Uuid,
        email: &str,
        admin: bool,
        teams: Vec<TeamClaim>,
        lifetime: Duration,
    ) -> Result<AccessToken> {
        let now = u64::try_from(OffsetDateTime::now_utc().unix_timestamp())
            .map_err(|error| Error::internal("reading the clock", error))?;
        let expires_in = lifetime.as_secs();
        let mut roles = vec!["user".to_owned()];
        if admin {
            roles.push("admin".to_owned());
        }
        let claims = Claims {
            iss: self.settings.issuer.clone(),
            aud: self.settings.audience.clone(),
            sub: user_id,
            iat: now,
            exp: now.saturating_add(expires_in),
            jti: Uuid::new_v4(),
            user_id,
            email: email.to_owned(),
            hasura: HasuraClaims { allowed_roles: roles.clone(), default_role: "user".to_owned(), user_id },
            roles,
            teams,
        };
        let header = Header { kid: Some(self.key.id().to_owned()), ..Header::new(Algorithm::EdDSA) };
        let token = jsonwebtoken::encode(&header, &claims, &self.encoding)
            .map_err(|error| Error::internal("signing an access token", error))?;
        Ok(AccessToken { token: Redacted::new(token), expires_in })
    }

    /// What the token says, if it is one of ours and is good now.
    pub fn verify(&self, token: &str) -> Result<Claims> {
        let refuse = || Error::new(Code::InvalidToken, "the access token is not valid or has expired; sign in again");
        if token.len() > MAX_LENGTH {
            return Err(refuse());
        }
        let header = jsonwebtoken::decode_header(token).map_err(|error| refuse().caused_by(error))?;
        // A key, certificate or extension that the token brings along is never used; a token that has one is not ours.
        let foreign = header.jwk.is_some()
            || header.jku.is_some()
            || header.x5u.is_some()
            || header.x5c.is_some()
            || header.crit.is_some()
            || header.enc.is_some()
            || header.zip.is_some();
        if foreign || header.kid.as_deref() != Some(self.key.id()) {
            return Err(refuse());
        }
        let claims = jsonwebtoken::decode::<Claims>(token, &self.decoding, &self.validation)
            .map_err(|error| refuse().caused_by(error))?
            .claims;
        if claims.sub == claims.user_id && claims.hasura.user_id == claims.user_id { Ok(claims) } else { Err(refuse()) }
    }

    /// The public keys that verify the tokens (RFC 7517), for `/.well-known/jwks.json`.
    pub fn jwks(&self) -> Value {
        json!({ "keys": [self.key.jwk()] })
    }

    /// The value for Hasura's `HASURA_GRAPHQL_JWT_SECRET` (and the embedded engine's) that accepts these tokens.
    pub fn hasura_jwt_secret(&self) -> Result<Value> {
        Ok(json!({
            "type": "Ed25519",
            "key": self.key.public_pem()?,
            "issuer": self.settings.issuer,
            "audience": self.settings.audience,
            "allowed_skew": LEEWAY_SECONDS,
        }))
    }
}
