//! Access tokens: JWTs (RFC 7519) signed with Ed25519, carrying Hasura's claims beside our own.

use std::time::{Duration, SystemTime};

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{SigningKey, VerifyingKey};
use crate::config;
use crate::domain::{Actor, Code, Error, Redacted, Result};

/// A longer token is not ours.
const MAX_LENGTH: usize = 16 * 1024;

/// Clocks of two replicas may differ by this many seconds.
const LEEWAY_SECONDS: u64 = 5;

/// A membership, as tokens carry it for clients to show; rights are read from the database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TeamClaim {
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
    /// The session (OpenID Connect Session Management, `sid`): the family of the refresh token beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
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

/// Issues and verifies access tokens. Verification takes one algorithm and, by the key id of a token, one of the keys
/// that the configuration names, whatever else a token's header asks for.
pub struct Tokens {
    issuer: String,
    audience: String,
    signing: SigningKey,
    encoding: EncodingKey,
    /// The signing key's public half first.
    keys: Vec<(VerifyingKey, DecodingKey)>,
    validation: Validation,
}

impl Tokens {
    /// Tokens as the configuration says. `auth.signing_key` must be set.
    ///
    /// # Errors
    /// `invalid-input` with the setting that holds no key, or the same key as another.
    pub fn new(auth: &config::Auth) -> Result<Self> {
        let signing = auth.signing_key.as_ref().ok_or_else(|| Error::invalid("auth.signing_key", "is required"))?;
        let signing = SigningKey::from_pem(signing.expose())?;
        let mut keys = vec![(signing.public().clone(), "auth.signing_key".to_owned())];
        for (index, pem) in auth.previous_signing_keys.iter().enumerate() {
            let field = format!("auth.previous_signing_keys[{index}]");
            let key = VerifyingKey::from_pem(pem.expose(), &field)?;
            if let Some((_, same)) = keys.iter().find(|(known, _)| known.id() == key.id()) {
                return Err(Error::invalid(field, format!("is the same key as {same}")));
            }
            keys.push((key, field));
        }
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.leeway = LEEWAY_SECONDS;
        validation.validate_nbf = true;
        validation.set_issuer(&[&auth.issuer]);
        validation.set_audience(&[&auth.audience]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        Ok(Self {
            issuer: auth.issuer.clone(),
            audience: auth.audience.clone(),
            encoding: signing.encoding_key()?,
            signing,
            keys: keys.into_iter().map(|(key, _)| (key.clone(), key.decoding_key())).collect(),
            validation,
        })
    }

    /// A token for the user, good from now on for `lifetime`. A platform administrator may take the role `admin` as well.
    pub fn issue(
        &self,
        user_id: Uuid,
        email: &str,
        admin: bool,
        teams: Vec<TeamClaim>,
        session: Option<String>,
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
            iss: self.issuer.clone(),
            aud: self.audience.clone(),
            sub: user_id,
            iat: now,
            exp: now.saturating_add(expires_in),
            jti: Uuid::new_v4(),
            sid: session,
            user_id,
            email: email.to_owned(),
            hasura: HasuraClaims { allowed_roles: roles.clone(), default_role: "user".to_owned(), user_id },
            roles,
            teams,
        };
        let header = Header { kid: Some(self.signing.id().to_owned()), ..Header::new(Algorithm::EdDSA) };
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
        let named = header.kid.as_deref().and_then(|id| self.keys.iter().find(|(key, _)| key.id() == id));
        let Some((_, key)) = named.filter(|_| !foreign) else { return Err(refuse()) };
        let claims = jsonwebtoken::decode::<Claims>(token, key, &self.validation)
            .map_err(|error| refuse().caused_by(error))?
            .claims;
        if claims.sub == claims.user_id && claims.hasura.user_id == claims.user_id { Ok(claims) } else { Err(refuse()) }
    }

    /// The public keys that verify the tokens (RFC 7517), for `/.well-known/jwks.json`.
    pub fn jwks(&self) -> Value {
        json!({ "keys": self.keys.iter().map(|(key, _)| key.jwk()).collect::<Vec<_>>() })
    }

    /// What lets the embedded engine accept these tokens, in the form of `HASURA_GRAPHQL_JWT_SECRET`. A Hasura is given
    /// the address of the JWKS.
    pub fn engine_jwt_secret(&self) -> Value {
        json!({
            "jwks": self.jwks(),
            "issuer": self.issuer,
            "audience": self.audience,
            "allowed_skew": LEEWAY_SECONDS,
            "strict": true,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(signing: &SigningKey, previous: &[Redacted]) -> config::Auth {
        let signing_key = Some(signing.pem().unwrap());
        config::Auth { signing_key, previous_signing_keys: previous.to_vec(), ..config::Auth::default() }
    }

    fn issue(tokens: &Tokens) -> Redacted {
        tokens.issue(Uuid::new_v4(), "ada@example.com", false, Vec::new(), None, Duration::from_secs(60)).unwrap().token
    }

    #[test]
    fn tokens_of_the_keys_before_and_after_are_taken_and_those_of_others_are_not() {
        let (old, new) = (SigningKey::generate(), SigningKey::generate());
        let public = |key: &SigningKey| Redacted::new(key.public_pem().unwrap());
        let alone = Tokens::new(&settings(&old, &[])).unwrap();
        let prepared = Tokens::new(&settings(&old, &[public(&new)])).unwrap();
        let changed = Tokens::new(&settings(&new, &[old.pem().unwrap()])).unwrap();
        let after = Tokens::new(&settings(&new, &[])).unwrap();
        let (of_old, of_new) = (issue(&prepared), issue(&changed));
        for (tokens, old_counts, new_counts) in
            [(&alone, true, false), (&prepared, true, true), (&changed, true, true), (&after, false, true)]
        {
            assert_eq!(tokens.verify(of_old.expose()).is_ok(), old_counts);
            assert_eq!(tokens.verify(of_new.expose()).is_ok(), new_counts);
            assert_eq!(
                tokens.jwks()["keys"].as_array().unwrap().len(),
                usize::from(old_counts) + usize::from(new_counts)
            );
        }
        assert_eq!(changed.jwks()["keys"][0], new.jwk(), "the one that signs comes first");
        assert_eq!(after.verify(of_old.expose()).unwrap_err().code(), Code::InvalidToken);
    }

    #[test]
    fn a_key_twice_and_what_is_no_key_are_refused_by_their_place() {
        let (one, two) = (SigningKey::generate(), SigningKey::generate());
        let pem = |key: &SigningKey| key.pem().unwrap();
        for (previous, place, words) in [
            (vec![pem(&one)], 0, "is the same key as auth.signing_key"),
            (
                vec![pem(&two), two.public_pem().unwrap().as_str().into()],
                1,
                "is the same key as auth.previous_signing_keys[0]",
            ),
            (vec![pem(&two), "swordfish".into()], 1, "must be one Ed25519 key in PEM form"),
        ] {
            let error = Tokens::new(&settings(&one, &previous)).err().unwrap();
            assert_eq!(error.field().unwrap(), format!("auth.previous_signing_keys[{place}]"));
            assert!(error.message().starts_with(words) && !error.message().contains("swordfish"), "{error}");
        }
    }
}
