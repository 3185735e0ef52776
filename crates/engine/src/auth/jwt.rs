//! JSON Web Tokens: configuration as in `HASURA_GRAPHQL_JWT_SECRET`, verification, standard claims.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::http::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::claims::{ClaimsRules, Location, Pick};
use super::jwks::{JwkUrl, KeySet, VerificationKey};
use super::path::JsonPath;
use super::{ErrorCode, GraphqlError, Identity, refuse, strict};

const DEFAULT_NAMESPACE: &str = "https://hasura.io/jwt/claims";
/// Longer tokens are refused unread.
const LONGEST_TOKEN: usize = 64 * 1024;

/// The JSON of `HASURA_GRAPHQL_JWT_SECRET`.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JwtConfig {
    /// Algorithm of `key`; not needed with `jwks` and `jwk_url`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// Secret, or public key as PEM.
    pub key: Option<String>,
    /// A JWK set, so that several keys can be stated where there is no address to fetch them from. Hasura has no such
    /// member.
    pub jwks: Option<Value>,
    /// Where a JWK set is fetched from and kept fresh.
    pub jwk_url: Option<String>,
    /// Top-level claim that holds Hasura's claims.
    pub claims_namespace: Option<String>,
    /// JSON path to Hasura's claims.
    pub claims_namespace_path: Option<String>,
    /// `json` (default) or `stringified_json`.
    pub claims_format: Option<String>,
    /// Each session variable on its own.
    pub claims_map: Option<BTreeMap<String, Value>>,
    /// One or several audiences of which the token must name one.
    pub audience: Option<OneOrMany>,
    /// The issuer that the token must name.
    pub issuer: Option<String>,
    /// Seconds by which clocks may differ.
    #[serde(default)]
    pub allowed_skew: i64,
    /// Where the token travels; the `Authorization` header by default.
    pub header: Option<JwtHeader>,
    /// Whether tokens must say all that RFC 8725 (3.8 to 3.11) asks of them: `exp`, `iss`, `aud` and `sub`, each claim
    /// once, `sub` the same as `x-hasura-user-id`, and the key's id in a header that brings no key along. Hasura has no
    /// such member, and takes tokens that say less.
    #[serde(default)]
    pub strict: bool,
}

/// A string or a list of strings.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum OneOrMany {
    /// One.
    One(String),
    /// Several.
    Many(Vec<String>),
}

impl OneOrMany {
    fn contains(&self, wanted: &str) -> bool {
        match self {
            Self::One(one) => one == wanted,
            Self::Many(many) => many.iter().any(|one| one == wanted),
        }
    }
}

/// Where the token travels.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(tag = "type", deny_unknown_fields)]
pub enum JwtHeader {
    /// `Authorization: Bearer <token>`.
    #[default]
    Authorization,
    /// A cookie of that name.
    Cookie {
        /// The cookie's name.
        name: String,
    },
    /// A header of that name, holding the bare token.
    CustomHeader {
        /// The header's name.
        name: String,
    },
}

/// What is wrong with a JWT configuration; names the field, never the key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("jwt secret, {field}: {message}")]
pub struct JwtConfigError {
    /// The field at fault.
    pub field: &'static str,
    /// What would be right.
    pub message: String,
}

fn wrong(field: &'static str, message: impl Into<String>) -> JwtConfigError {
    JwtConfigError { field, message: message.into() }
}

/// Verifies tokens of one issuer.
pub struct JwtVerifier {
    keys: Keys,
    header: JwtHeader,
    audience: Option<OneOrMany>,
    issuer: Option<String>,
    skew: i64,
    strict: bool,
    rules: ClaimsRules,
}

enum Keys {
    Fixed(KeySet),
    Url(JwkUrl),
}

impl JwtVerifier {
    /// A verifier by configuration; `http` fetches the JWK set where one is named.
    ///
    /// # Errors
    /// The field that is missing or malformed.
    pub fn new(config: JwtConfig, http: reqwest::Client) -> Result<Self, JwtConfigError> {
        let keys = match (&config.key, &config.jwks, &config.jwk_url) {
            (Some(key), None, None) => Keys::Fixed(KeySet::of(fixed_key(config.kind.as_deref(), key)?)),
            (None, Some(set), None) => {
                Keys::Fixed(KeySet::stated(set.clone()).map_err(|message| wrong("jwks", message))?)
            }
            (None, None, Some(url)) => {
                let url = url::Url::parse(url)
                    .ok()
                    .filter(|url| matches!(url.scheme(), "http" | "https"))
                    .ok_or_else(|| wrong("jwk_url", "must be an http or https URL"))?;
                Keys::Url(JwkUrl::new(url, http))
            }
            _ => return Err(wrong("key", "exactly one of key, jwks and jwk_url must be given")),
        };
        if config.allowed_skew < 0 {
            return Err(wrong("allowed_skew", "must not be negative"));
        }
        let stringified = match config.claims_format.as_deref() {
            None | Some("json") => false,
            Some("stringified_json") => true,
            Some(_) => return Err(wrong("claims_format", "must be json or stringified_json")),
        };
        let location = match (config.claims_namespace, config.claims_namespace_path, config.claims_map) {
            (None, None, Some(map)) => Location::Map(picks(map)?),
            (None, Some(path), None) => {
                Location::Path(JsonPath::parse(&path).map_err(|message| wrong("claims_namespace_path", message))?)
            }
            (namespace, None, None) => Location::Namespace(namespace.unwrap_or_else(|| DEFAULT_NAMESPACE.into())),
            _ => {
                return Err(wrong(
                    "claims_namespace",
                    "at most one of claims_namespace, claims_namespace_path and claims_map may be given",
                ));
            }
        };
        Ok(Self {
            keys,
            header: config.header.unwrap_or_default(),
            audience: config.audience,
            issuer: config.issuer,
            skew: config.allowed_skew,
            strict: config.strict,
            rules: ClaimsRules { location, stringified },
        })
    }

    /// The key set's address and state, where keys come from one.
    pub fn jwk_url(&self) -> Option<&JwkUrl> {
        match &self.keys {
            Keys::Url(url) => Some(url),
            Keys::Fixed(_) => None,
        }
    }

    /// Where the token travels.
    pub(super) fn place(&self) -> &JwtHeader {
        &self.header
    }

    /// The tokens that the request carries in the configured place.
    pub(super) fn tokens(&self, headers: &HeaderMap) -> Result<Vec<String>, GraphqlError> {
        let malformed = || refuse(ErrorCode::InvalidHeaders, "Malformed Authorization header");
        let all = |name: &str| headers.get_all(name).iter();
        match &self.header {
            JwtHeader::Authorization => all("authorization")
                .map(|value| {
                    let token = value.to_str().ok().and_then(|text| text.strip_prefix("Bearer ")).map(str::trim);
                    token.filter(|token| !token.is_empty()).map(str::to_owned).ok_or_else(malformed)
                })
                .collect(),
            JwtHeader::Cookie { name } => Ok(all("cookie")
                .filter_map(|value| value.to_str().ok())
                .flat_map(|line| line.split(';'))
                .filter_map(|pair| pair.trim().split_once('='))
                .filter(|(key, _)| key == name)
                .map(|(_, value)| value.to_owned())
                .collect()),
            JwtHeader::CustomHeader { name } => {
                all(name).map(|value| value.to_str().map(str::to_owned).map_err(|_| malformed())).collect()
            }
        }
    }

    /// Whether a token says that it is another issuer's; what cannot be read says nothing.
    pub(super) fn is_foreign(&self, token: &str) -> bool {
        let stated = || {
            let claims: Map<String, Value> = decode_part(Parts::split(token).ok()?.claims, "claims").ok()?;
            claims.get("iss")?.as_str().map(str::to_owned)
        };
        self.issuer.as_ref().is_some_and(|issuer| stated().is_some_and(|stated| stated != *issuer))
    }

    /// Verifies the token and takes role and session variables from its claims.
    pub(super) async fn identify(&self, token: &str, wanted: Option<&str>) -> Result<Identity, GraphqlError> {
        let claims = self.verify(token).await?;
        let expires_at = self.check_standard_claims(&claims, now())?;
        let mut identity = self.rules.identify(&claims, wanted)?;
        if self.strict && claims.get("sub").and_then(Value::as_str) != identity.session.variable("x-hasura-user-id") {
            return Err(unverified("JWTClaimsSetDecodeError \"sub must be x-hasura-user-id\""));
        }
        identity.expires_at = expires_at;
        Ok(identity)
    }

    async fn verify(&self, token: &str) -> Result<Value, GraphqlError> {
        let parts = Parts::split(token)?;
        let header: Map<String, Value> = decode_part(parts.header, "header")?;
        let name = header.get("alg").and_then(Value::as_str).unwrap_or_default();
        if name.eq_ignore_ascii_case("none") {
            return Err(unverified("JWSError JWSNoSignatures"));
        }
        if header.contains_key("crit") || header.contains_key("enc") || header.get("b64") == Some(&Value::Bool(false)) {
            return Err(unverified("JWSError (CompactDecodeError unsupported header)"));
        }
        if self.strict {
            strict::header(&header)?;
        }
        let invalid = || unverified("JWSError JWSInvalidSignature");
        let algorithm = Algorithm::from_str(name).map_err(|_| invalid())?;
        let kid = header.get("kid").and_then(Value::as_str);
        let verified = match &self.keys {
            Keys::Fixed(keys) => keys.verdict(&parts, algorithm, kid).unwrap_or(false),
            Keys::Url(url) => url.verifies(&parts, algorithm, kid).await?,
        };
        if !verified {
            return Err(invalid());
        }
        if self.strict {
            let strict::Claims(claims) = decode_part(parts.claims, "claims")?;
            return strict::present(&claims).map(|()| Value::Object(claims));
        }
        let claims: Map<String, Value> = decode_part(parts.claims, "claims")?;
        Ok(Value::Object(claims))
    }

    /// `exp`, `nbf`, `iss` and `aud`; gives the second at which the token ends.
    fn check_standard_claims(&self, claims: &Value, now: f64) -> Result<Option<i64>, GraphqlError> {
        let skew = self.skew as f64;
        let expires = numeric_date(claims, "exp")?;
        if expires.is_some_and(|at| now > at + skew) {
            return Err(unverified("JWTExpired"));
        }
        if numeric_date(claims, "nbf")?.is_some_and(|at| now < at - skew) {
            return Err(unverified("JWTNotYetValid"));
        }
        if let (Some(issuer), Some(stated)) = (&self.issuer, claims.get("iss"))
            && stated.as_str() != Some(issuer)
        {
            return Err(unverified("JWTNotInIssuer"));
        }
        if let (Some(audience), Some(stated)) = (&self.audience, claims.get("aud")) {
            let named = match stated {
                Value::String(one) => audience.contains(one),
                Value::Array(many) => many.iter().filter_map(Value::as_str).any(|one| audience.contains(one)),
                _ => false,
            };
            if !named {
                return Err(unverified("JWTNotInAudience"));
            }
        }
        Ok(expires.map(|at| (at + skew) as i64))
    }
}

/// A compact token in its three parts.
pub(super) struct Parts<'t> {
    header: &'t str,
    claims: &'t str,
    /// What was signed.
    pub signed: &'t str,
    /// The signature, base64url.
    pub signature: &'t str,
}

impl<'t> Parts<'t> {
    fn split(token: &'t str) -> Result<Self, GraphqlError> {
        let count = token.split('.').count();
        if count != 3 || token.len() > LONGEST_TOKEN {
            return Err(unverified(format!(
                "JWSError (CompactDecodeError Invalid number of parts: Expected 3 parts; got {count})"
            )));
        }
        let malformed = || unverified("JWSError (CompactDecodeError)");
        let (signed, signature) = token.rsplit_once('.').ok_or_else(malformed)?;
        let (header, claims) = signed.split_once('.').ok_or_else(malformed)?;
        Ok(Self { header, claims, signed, signature })
    }
}

fn decode_part<T: serde::de::DeserializeOwned>(part: &str, what: &str) -> Result<T, GraphqlError> {
    URL_SAFE_NO_PAD
        .decode(part)
        .ok()
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .ok_or_else(|| unverified(format!("JWSError (JSONDecodeError \"the token's {what} cannot be read\")")))
}

fn numeric_date(claims: &Value, name: &str) -> Result<Option<f64>, GraphqlError> {
    match claims.get(name) {
        None => Ok(None),
        Some(value) => value
            .as_f64()
            .filter(|at| at.is_finite())
            .map(Some)
            .ok_or_else(|| unverified(format!("JWTClaimsSetDecodeError \"{name} must be a number\""))),
    }
}

pub(super) fn unverified(why: impl std::fmt::Display) -> GraphqlError {
    refuse(ErrorCode::InvalidJwt, format!("Could not verify JWT: {why}"))
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map(|since| since.as_secs_f64()).unwrap_or_default()
}

fn fixed_key(kind: Option<&str>, key: &str) -> Result<VerificationKey, JwtConfigError> {
    let kind = kind.ok_or_else(|| wrong("type", "is required with key"))?;
    let name = if kind == "Ed25519" { "EdDSA" } else { kind };
    let algorithm = Algorithm::from_str(name).ok().filter(|_| !kind.starts_with("PS")).ok_or_else(|| {
        wrong("type", "must be one of HS256, HS384, HS512, RS256, RS384, RS512, ES256, ES384, Ed25519")
    })?;
    let shortest = match algorithm {
        Algorithm::HS256 => 32,
        Algorithm::HS384 => 48,
        Algorithm::HS512 => 64,
        _ => 0,
    };
    if key.len() < shortest {
        return Err(wrong("key", format!("must have at least {shortest} characters for {kind}")));
    }
    let decoded = match algorithm.family() {
        AlgorithmFamily::Hmac => Ok(DecodingKey::from_secret(key.as_bytes())),
        AlgorithmFamily::Rsa => DecodingKey::from_rsa_pem(key.as_bytes()),
        AlgorithmFamily::Ec => DecodingKey::from_ec_pem(key.as_bytes()),
        AlgorithmFamily::Ed => DecodingKey::from_ed_pem(key.as_bytes()),
    };
    let key = decoded.map_err(|_| wrong("key", format!("is not a public key in PEM form for {kind}")))?;
    Ok(VerificationKey { id: None, key, algorithms: vec![algorithm] })
}

fn picks(map: BTreeMap<String, Value>) -> Result<BTreeMap<String, Pick>, JwtConfigError> {
    map.into_iter()
        .map(|(name, value)| {
            let name = name.to_ascii_lowercase();
            if !name.starts_with("x-hasura-") {
                return Err(wrong("claims_map", format!("{name:?} must start with x-hasura-")));
            }
            let pick = match value.get("path") {
                Some(path) => {
                    let path = path.as_str().ok_or_else(|| wrong("claims_map", "path must be a string"))?;
                    let path = JsonPath::parse(path).map_err(|message| wrong("claims_map", message))?;
                    Pick::Path { path, default: value.get("default").cloned() }
                }
                None => Pick::Literal(value),
            };
            Ok((name, pick))
        })
        .collect()
}
