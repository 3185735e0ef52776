//! What RFC 8725 asks of tokens beyond what Hasura looks at.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::{Map, Value};

use super::GraphqlError;
use super::jwt::unverified;

/// Header members by which a token brings along its own key, certificate or reading rules.
const FOREIGN: [&str; 5] = ["jwk", "jku", "x5u", "x5c", "zip"];

/// The largest whole number that every reader of JSON reads alike.
const LATEST: u64 = 1 << 53;

/// A header names the key that verifies, and brings none.
pub(super) fn header(header: &Map<String, Value>) -> Result<(), GraphqlError> {
    if FOREIGN.iter().any(|name| header.contains_key(*name)) {
        return Err(unverified("JWSError (CompactDecodeError unsupported header)"));
    }
    match header.get("kid").and_then(Value::as_str) {
        Some(_) => Ok(()),
        None => Err(unverified("JWSError (CompactDecodeError \"kid is required\")")),
    }
}

/// The claims that make a token one of ours, for us, about somebody, for a time.
pub(super) fn present(claims: &Map<String, Value>) -> Result<(), GraphqlError> {
    let lacks = |name: &str, what: &str| unverified(format!("JWTClaimsSetDecodeError \"{name} must be {what}\""));
    for name in ["iss", "sub"] {
        if !claims.get(name).is_some_and(Value::is_string) {
            return Err(lacks(name, "a string"));
        }
    }
    if !claims.get("aud").is_some_and(|aud| aud.is_string() || aud.is_array()) {
        return Err(lacks("aud", "a string or a list of strings"));
    }
    let second = |value: &Value| value.as_u64().is_some_and(|at| at < LATEST);
    if !claims.get("exp").is_some_and(second) {
        return Err(lacks("exp", "a whole number of seconds"));
    }
    match claims.get("nbf") {
        Some(at) if !second(at) => Err(lacks("nbf", "a whole number of seconds")),
        _ => Ok(()),
    }
}

/// Claims of which none is stated twice (RFC 7519, 4): readers differ in which one counts.
#[derive(Debug)]
pub(super) struct Claims(pub Map<String, Value>);

impl<'de> Deserialize<'de> for Claims {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Once;
        impl<'de> Visitor<'de> for Once {
            type Value = Map<String, Value>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
                let mut claims = Map::new();
                while let Some((name, value)) = access.next_entry::<String, Value>()? {
                    if claims.contains_key(&name) {
                        return Err(A::Error::custom("a claim is stated twice"));
                    }
                    claims.insert(name, value);
                }
                Ok(claims)
            }
        }
        deserializer.deserialize_map(Once).map(Self)
    }
}
