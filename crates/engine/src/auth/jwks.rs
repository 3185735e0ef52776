//! Keys that verify tokens: fixed ones, or a JWK set that is fetched and kept fresh.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use axum::http::HeaderMap;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use tokio::sync::Mutex;

use super::jwt::Parts;
use super::{ErrorCode, GraphqlError, refuse};

/// A key that names no lifetime is fetched again after this time at the earliest, and only when a token asks for it.
const SOONEST_REFETCH: Duration = Duration::from_secs(10);
const FETCH_LIMIT: Duration = Duration::from_secs(10);
const LARGEST_SET: usize = 1024 * 1024;

/// One key with the algorithms that it may be used for.
pub(super) struct VerificationKey {
    pub id: Option<String>,
    pub key: DecodingKey,
    pub algorithms: Vec<Algorithm>,
}

impl VerificationKey {
    /// Whether the signature is this key's, under an algorithm that it allows.
    pub fn verifies(&self, token: &Parts<'_>, algorithm: Algorithm) -> bool {
        self.algorithms.contains(&algorithm)
            && jsonwebtoken::crypto::verify(token.signature, token.signed.as_bytes(), &self.key, algorithm)
                .unwrap_or(false)
    }

    fn from_jwk(jwk: &Jwk) -> Option<Self> {
        if jwk.common.public_key_use.as_ref().is_some_and(|usage| *usage != PublicKeyUse::Signature) {
            return None;
        }
        let mut algorithms = match &jwk.algorithm {
            AlgorithmParameters::RSA(_) => vec![
                Algorithm::RS256,
                Algorithm::RS384,
                Algorithm::RS512,
                Algorithm::PS256,
                Algorithm::PS384,
                Algorithm::PS512,
            ],
            AlgorithmParameters::EllipticCurve(curve) => match curve.curve {
                EllipticCurve::P256 => vec![Algorithm::ES256],
                EllipticCurve::P384 => vec![Algorithm::ES384],
                _ => return None,
            },
            AlgorithmParameters::OctetKeyPair(pair) if pair.curve == EllipticCurve::Ed25519 => vec![Algorithm::EdDSA],
            // A published set has no business holding symmetric keys.
            _ => return None,
        };
        if let Some(stated) = &jwk.common.key_algorithm {
            let stated = stated.to_string();
            algorithms.retain(|algorithm| format!("{algorithm:?}") == stated);
        }
        let key = DecodingKey::from_jwk(jwk).ok()?;
        Some(Self { id: jwk.common.key_id.clone(), key, algorithms })
    }
}

/// Keys, of which a token's key id chooses.
#[derive(Default)]
pub(super) struct KeySet(Vec<VerificationKey>);

impl KeySet {
    /// One key.
    pub fn of(key: VerificationKey) -> Self {
        Self(vec![key])
    }

    /// The keys of a JWK set that somebody wrote down, each of which has to be one.
    ///
    /// # Errors
    /// What is wrong, without the key.
    pub fn stated(set: serde_json::Value) -> Result<Self, String> {
        let set: RawSet = serde_json::from_value(set).map_err(|_| "must be a JWK set, an object with `keys`")?;
        let keys = set.read().enumerate().map(|(place, key)| {
            key.ok_or_else(|| {
                format!("keys[{place}] is not a public key of RSA, P-256, P-384 or Ed25519 for signatures")
            })
        });
        let keys: Vec<_> = keys.collect::<Result<_, _>>()?;
        if keys.is_empty() { Err("must hold a key".to_owned()) } else { Ok(Self(keys)) }
    }

    /// The keys of a set that was fetched, without those of kinds that are of no use here.
    fn fetched(set: RawSet) -> Self {
        Self(set.read().flatten().collect())
    }

    /// Whether the token is signed by the key that it names, or none when no key goes by that name. A token without a
    /// name may be any key's, and a key without a name any token's.
    pub fn verdict(&self, token: &Parts<'_>, algorithm: Algorithm, kid: Option<&str>) -> Option<bool> {
        let Self(keys) = self;
        if keys.is_empty() {
            return None;
        }
        let named: Vec<&VerificationKey> = match kid {
            Some(kid) => {
                let named: Vec<_> = keys.iter().filter(|key| key.id.as_deref() == Some(kid)).collect();
                if named.is_empty() && keys.iter().all(|key| key.id.is_some()) {
                    return None;
                }
                if named.is_empty() { keys.iter().filter(|key| key.id.is_none()).collect() } else { named }
            }
            None => keys.iter().collect(),
        };
        Some(named.iter().any(|key| key.verifies(token, algorithm)))
    }
}

/// How a key set stands, for status pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JwksStatus {
    /// How many usable keys there are.
    pub keys: usize,
    /// What the last fetch failed with, if it failed.
    pub last_error: Option<String>,
}

/// A JWK set behind an address.
pub struct JwkUrl {
    url: url::Url,
    http: reqwest::Client,
    keys: ArcSwap<KeySet>,
    fetching: Mutex<Fetching>,
}

#[derive(Default)]
struct Fetching {
    last_try: Option<Instant>,
    last_error: Option<String>,
}

/// The members of a set are read one by one, so that one unknown kind of key does not hide the others.
#[derive(Deserialize)]
struct RawSet {
    keys: Vec<serde_json::Value>,
}

impl RawSet {
    fn read(self) -> impl Iterator<Item = Option<VerificationKey>> {
        let keys = self.keys.into_iter().map(|key| serde_json::from_value::<Jwk>(key).ok());
        keys.map(|jwk| VerificationKey::from_jwk(&jwk?))
    }
}

impl JwkUrl {
    pub(super) fn new(url: url::Url, http: reqwest::Client) -> Self {
        Self { url, http, keys: ArcSwap::from_pointee(KeySet::default()), fetching: Mutex::default() }
    }

    /// How the set stands.
    pub async fn status(&self) -> JwksStatus {
        JwksStatus { keys: self.keys.load().0.len(), last_error: self.fetching.lock().await.last_error.clone() }
    }

    pub(super) async fn verifies(
        &self,
        token: &Parts<'_>,
        algorithm: Algorithm,
        kid: Option<&str>,
    ) -> Result<bool, GraphqlError> {
        if let Some(verdict) = self.keys.load().verdict(token, algorithm, kid) {
            return Ok(verdict);
        }
        // No key of that name: the issuer may have rotated its keys.
        self.refetch_if_due().await;
        if self.keys.load().0.is_empty() {
            return Err(refuse(ErrorCode::InvalidJwt, "Could not verify JWT: the JWK set is not available"));
        }
        Ok(self.keys.load().verdict(token, algorithm, kid).unwrap_or(false))
    }

    async fn refetch_if_due(&self) {
        let mut fetching = self.fetching.lock().await;
        let pause = if self.keys.load().0.is_empty() { Duration::from_secs(1) } else { SOONEST_REFETCH };
        if fetching.last_try.is_some_and(|at| at.elapsed() < pause) {
            return;
        }
        self.fetch_into(&mut fetching).await;
    }

    async fn fetch_into(&self, fetching: &mut Fetching) -> Option<Duration> {
        fetching.last_try = Some(Instant::now());
        match self.fetch().await {
            Ok((keys, lifetime)) => {
                self.keys.store(Arc::new(keys));
                fetching.last_error = None;
                lifetime
            }
            Err(error) => {
                tracing::warn!(url = %self.url, error, "jwk set not fetched");
                fetching.last_error = Some(error);
                Some(Duration::from_secs(5))
            }
        }
    }

    async fn fetch(&self) -> Result<(KeySet, Option<Duration>), String> {
        let text = |error: reqwest::Error| error.without_url().to_string();
        let response = self
            .http
            .get(self.url.clone())
            .timeout(FETCH_LIMIT)
            .send()
            .await
            .and_then(reqwest::Response::error_for_status)
            .map_err(text)?;
        let lifetime = lifetime(response.headers());
        let body = response.bytes().await.map_err(text)?;
        if body.len() > LARGEST_SET {
            return Err(format!("the JWK set is larger than {LARGEST_SET} bytes"));
        }
        let set: RawSet = serde_json::from_slice(&body).map_err(|_| "the answer is not a JWK set".to_owned())?;
        let keys = KeySet::fetched(set);
        if keys.0.is_empty() {
            return Err("the JWK set holds no key that verifies signatures".to_owned());
        }
        Ok((keys, lifetime))
    }

    /// Fetches the set now and again whenever its lifetime ends; runs until dropped.
    pub async fn keep_fresh(&self) {
        loop {
            let lifetime = self.fetch_into(&mut *self.fetching.lock().await).await;
            match lifetime {
                Some(lifetime) => tokio::time::sleep(lifetime.max(Duration::from_secs(1))).await,
                None => return,
            }
        }
    }
}

/// How long the answer stays fresh by `Cache-Control`; none when it does not say.
fn lifetime(headers: &HeaderMap) -> Option<Duration> {
    let directives = headers.get("cache-control")?.to_str().ok()?.to_ascii_lowercase();
    let mut lifetime = None;
    for directive in directives.split(',').map(str::trim) {
        match directive.split_once('=') {
            Some(("max-age" | "s-maxage", seconds)) => {
                lifetime = seconds.trim_matches('"').parse().ok().map(Duration::from_secs);
            }
            None if matches!(directive, "no-cache" | "no-store" | "must-revalidate") => {
                lifetime = lifetime.or(Some(SOONEST_REFETCH));
            }
            _ => {}
        }
    }
    lifetime
}
