//! Reading requests: JSON bodies with errors that name the field, and the signed-in caller.

use std::time::SystemTime;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;

use super::edge::{ClientAddress, CorrelationId};
use super::{AppState, RestError};
use crate::app::Caller;
use crate::domain::{Actor, Code, Error, Result};

/// Reads JSON text; an error names the field at fault by its path, such as `items[0].name`.
pub fn parse_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(Error::invalid("body", "body: is empty; send a JSON object"));
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        wrong_field(&path, error.into_inner())
    })?;
    reader.end().map_err(|error| wrong_field(".", error))?;
    Ok(value)
}

/// `path` is serde_path_to_error's, `.` for the document itself.
fn wrong_field(path: &str, error: serde_json::Error) -> Error {
    // Where the text ends too early or is no JSON, no field is at fault.
    let path = if error.is_eof() || error.is_syntax() { "." } else { path };
    let mut problem = error.to_string();
    // "... at line 1 column 9" is of no use to the caller of an API.
    if let Some(end) = problem.rfind(" at line ") {
        problem.truncate(end);
    }
    let nested = |name: &str| if path == "." { name.to_owned() } else { format!("{path}.{name}") };
    let quoted = |prefix: &str| problem.strip_prefix(prefix).and_then(|rest| rest.split('`').next());
    let (field, message) = if let Some(name) = quoted("missing field `") {
        (nested(name), "is required".to_owned())
    } else if let Some(name) = quoted("unknown field `") {
        (
            if path == "." || path.ends_with(name) { name.to_owned() } else { nested(name) },
            "is not a known field".to_owned(),
        )
    } else if path == "." {
        ("body".to_owned(), format!("is not the expected JSON: {problem}"))
    } else {
        (path.to_owned(), problem)
    };
    // serde_path_to_error's own words for a place without a name.
    let (field, message) = match field.contains('?') {
        true => ("body".to_owned(), format!("is not the expected JSON: {message}")),
        false => (field, message),
    };
    let message = format!("{field}: {message}");
    Error::invalid(field, message)
}

/// A JSON request body (`Content-Type: application/json`, which a page of another site cannot send unasked).
pub struct Body<T>(pub T);

impl<T: DeserializeOwned> FromRequest<AppState> for Body<T> {
    type Rejection = RestError;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, RestError> {
        require_json(request.headers())?;
        Ok(Self(parse_json(&read(request, state).await?)?))
    }
}

/// Refuses another content type than JSON.
pub(super) fn require_json(headers: &axum::http::HeaderMap) -> Result<(), RestError> {
    let given = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = given.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    let error = Error::invalid("content-type", "send the body as application/json");
    Err(RestError::with_status(error, StatusCode::UNSUPPORTED_MEDIA_TYPE))
}

/// The whole body, within the limit.
pub(super) async fn read(request: Request, state: &AppState) -> Result<Bytes, RestError> {
    Bytes::from_request(request, state).await.map_err(|rejection| {
        let status = rejection.status();
        let message = if status == StatusCode::PAYLOAD_TOO_LARGE {
            format!("is larger than {} bytes", state.settings.body_limit)
        } else {
            "could not be read".to_owned()
        };
        RestError::with_status(Error::invalid("body", format!("the request body {message}")), status)
    })
}

/// The caller by what the request carries: the bearer token's actor, else anonymous.
/// Routes that require one say so in the route list; see [`super::Access`].
impl FromRequestParts<AppState> for Caller {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Self, Self::Rejection> {
        Ok(caller(
            parts,
            parts.extensions.get::<SignedIn>().map_or(Actor::Anonymous, |signed_in| signed_in.actor.clone()),
        ))
    }
}

/// Whom a bearer token names, put into the request by the route's guard.
#[derive(Debug, Clone)]
pub struct SignedIn {
    /// Who acts.
    pub actor: Actor,
    /// When the token expires.
    pub until: SystemTime,
}

pub(super) fn caller(parts: &Parts, actor: Actor) -> Caller {
    Caller {
        actor,
        correlation_id: parts.extensions.get::<CorrelationId>().map(|id| id.0.clone()).unwrap_or_default(),
        address: parts.extensions.get::<ClientAddress>().and_then(|address| address.0),
    }
}

/// The token of `Authorization: Bearer <access token>`.
pub(super) fn bearer_token(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(axum::http::header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Reads `Authorization: Bearer <access token>`.
pub(super) fn bearer(state: &AppState, parts: &Parts) -> Result<SignedIn> {
    let missing = || Error::new(Code::Unauthenticated, "send an access token as `Authorization: Bearer ...`");
    let claims = state.app.tokens.verify(bearer_token(&parts.headers).ok_or_else(missing)?)?;
    let role = parts.headers.get("x-hasura-role").and_then(|role| role.to_str().ok());
    Ok(SignedIn { actor: claims.actor(role)?, until: claims.expires_at() })
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Order {
        #[allow(dead_code)]
        name: String,
        #[allow(dead_code)]
        lines: Vec<Line>,
    }

    #[derive(Debug, Deserialize)]
    struct Line {
        #[allow(dead_code)]
        count: u8,
    }

    #[test]
    fn an_error_names_the_field() {
        let field = |text: &str| parse_json::<Order>(text.as_bytes()).unwrap_err().field().map(str::to_owned);
        assert_eq!(field(r#"{"lines":[]}"#).as_deref(), Some("name"));
        assert_eq!(field(r#"{"name":1,"lines":[]}"#).as_deref(), Some("name"));
        assert_eq!(field(r#"{"name":"a","lines":[{"count":1},{"count":-1}]}"#).as_deref(), Some("lines[1].count"));
        assert_eq!(field(r#"{"name":"a","lines":[{}]}"#).as_deref(), Some("lines[0].count"));
        assert_eq!(field(r#"{"name":"a","lines":[],"__proto__":{}}"#).as_deref(), Some("__proto__"));
        for broken in [
            "",
            "nul",
            "{",
            "\u{feff}{}",
            "[]",
            r#"{"name":"a","lines":[]} x"#,
            r#"{"name":"a","name":"b","lines":[]}"#,
            r#"{"name""#,
            r#"{"lines":["#,
        ] {
            let named = field(broken);
            assert!(named.as_ref().is_some_and(|name| !name.contains('?')), "{broken:?}: {named:?}");
        }
        let broken = parse_json::<Order>(b"{\"name\": ").unwrap_err();
        assert!(!broken.message().contains('?') && broken.message().contains("JSON"), "{}", broken.message());
        assert_eq!(parse_json::<Order>(b"{\"name\":\"\xff\"}").unwrap_err().code(), Code::InvalidInput);
    }
}
