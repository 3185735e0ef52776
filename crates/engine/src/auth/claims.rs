//! From a verified token's claims to a role and session variables.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::path::JsonPath;
use super::{ErrorCode, GraphqlError, Identity, ROLE, Session, refuse};
use crate::json;

const ALLOWED: &str = "x-hasura-allowed-roles";
const DEFAULT: &str = "x-hasura-default-role";

/// Where in the token Hasura's claims are.
#[derive(Debug, Clone)]
pub enum Location {
    /// Under a top-level key; the default is `https://hasura.io/jwt/claims`.
    Namespace(String),
    /// At a JSON path.
    Path(JsonPath),
    /// Each session variable picked or stated on its own.
    Map(BTreeMap<String, Pick>),
}

/// One entry of `claims_map`.
#[derive(Debug, Clone)]
pub enum Pick {
    /// Taken from the token, else the default.
    Path { path: JsonPath, default: Option<Value> },
    /// The same for all tokens.
    Literal(Value),
}

/// How the claims are located and written.
#[derive(Debug, Clone)]
pub struct ClaimsRules {
    /// Where they are.
    pub location: Location,
    /// Whether the object is written as a JSON string.
    pub stringified: bool,
}

impl ClaimsRules {
    /// The identity that the token's claims state, under the `wanted` role if they allow it.
    pub fn identify(&self, token: &Value, wanted: Option<&str>) -> Result<Identity, GraphqlError> {
        let claims = self.locate(token)?;
        let allowed = claims.get(ALLOWED).ok_or_else(|| missing(ALLOWED))?;
        let allowed: Vec<&str> = allowed
            .as_array()
            .and_then(|roles| roles.iter().map(role_name).collect())
            .ok_or_else(|| invalid("invalid \"x-hasura-allowed-roles\"; should be a list of roles"))?;
        let default = claims.get(DEFAULT).ok_or_else(|| missing(DEFAULT))?;
        let default =
            role_name(default).ok_or_else(|| invalid("invalid \"x-hasura-default-role\"; should be a role"))?;
        let role = wanted.unwrap_or(default);
        if !allowed.contains(&role) {
            return Err(refuse(ErrorCode::AccessDenied, "Your requested role is not in allowed roles"));
        }
        let mut variables = BTreeMap::new();
        for (name, value) in &claims {
            if !name.starts_with("x-hasura-") || [ALLOWED, DEFAULT, ROLE].contains(&name.as_str()) {
                continue;
            }
            let text = value.as_str().ok_or_else(|| {
                invalid(format!(
                    "x-hasura-* claims: parsing Text failed, expected String, but encountered {}",
                    json::kind(value)
                ))
            })?;
            variables.insert(name.clone(), text.to_owned());
        }
        Ok(Identity::new(Session::new(role, variables)))
    }

    fn locate(&self, token: &Value) -> Result<Map<String, Value>, GraphqlError> {
        let found = match &self.location {
            Location::Namespace(key) => {
                token.get(key).ok_or_else(|| invalid(format!("claims key: '{key}' not found")))?
            }
            Location::Path(path) => path
                .find(token)
                .ok_or_else(|| invalid(format!("claims not found at claims_namespace_path: '{}'", path.as_str())))?,
            Location::Map(picks) => return pick_all(picks, token),
        };
        let object = match found {
            Value::String(text) if self.stringified => {
                serde_json::from_str(text).map_err(|_| invalid("x-hasura-* claims: not a JSON object in a string"))?
            }
            _ if self.stringified => {
                return Err(invalid("expecting a string when claims_format is stringified_json"));
            }
            Value::Object(object) => object.clone(),
            _ => return Err(invalid("expecting a json object when claims_format is json")),
        };
        Ok(object.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect())
    }
}

/// A role has a name.
fn role_name(value: &Value) -> Option<&str> {
    value.as_str().filter(|name| !name.is_empty())
}

fn pick_all(picks: &BTreeMap<String, Pick>, token: &Value) -> Result<Map<String, Value>, GraphqlError> {
    let mut claims = Map::new();
    for (name, pick) in picks {
        let value = match pick {
            Pick::Literal(value) => value.clone(),
            Pick::Path { path, default } => {
                path.find(token).filter(|value| !value.is_null()).or(default.as_ref()).cloned().ok_or_else(|| {
                    invalid(format!("claim {name:?} not found at path '{}' and it has no default", path.as_str()))
                })?
            }
        };
        claims.insert(name.clone(), value);
    }
    Ok(claims)
}

fn missing(name: &str) -> GraphqlError {
    refuse(ErrorCode::JwtMissingRoleClaims, format!("JWT claim does not contain {name:?}"))
}

fn invalid(message: impl Into<String>) -> GraphqlError {
    refuse(ErrorCode::JwtInvalidClaims, message)
}
