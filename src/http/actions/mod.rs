//! Hasura actions: one file an action group; each handler reads its input, calls the use case and answers.
//!
//! A handler takes [`Action<Input>`] and answers [`ActionResult`](super::ActionResult); `?` on a
//! [`domain::Error`](crate::domain::Error) gives Hasura's 4xx form.

pub mod applications;
pub mod deployments;
pub mod identity;
pub mod operations;
pub mod previews;
pub mod secrets;
pub mod stores;
pub mod variables;

use std::collections::HashMap;

use axum::extract::{FromRequest, Request};
use axum::http::HeaderMap;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::{ActionError, AppState, extract, parse_json};
use crate::app::Caller;
use crate::domain::{Actor, Code, Error, Result};

/// One call of an action: who calls, and the arguments.
#[derive(Debug)]
pub struct Action<T> {
    /// The caller, from Hasura's session variables.
    pub caller: Caller,
    pub input: T,
    /// The headers, with the client's own where the action's metadata says `forward_client_headers`.
    pub headers: HeaderMap,
}

/// For an action without arguments.
#[derive(Debug, Deserialize)]
pub struct NoInput {}

/// The body that Hasura sends (handbook: Hasura v2, Actions).
#[derive(Deserialize)]
struct Envelope {
    input: Box<RawValue>,
    session_variables: HashMap<String, String>,
}

impl<T: DeserializeOwned> FromRequest<AppState> for Action<T> {
    type Rejection = ActionError;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, ActionError> {
        let (parts, body) = request.into_parts();
        let body = extract::read(Request::new(body), state).await.map_err(extract_error)?;
        let envelope: Envelope = parse_json(&body)?;
        let actor = session_actor(|name| envelope.session_variables.get(name).map(String::as_str))?;
        let input = parse_json(envelope.input.get().as_bytes())?;
        Ok(Self { caller: extract::caller(&parts, actor), input, headers: parts.headers })
    }
}

fn extract_error(_: super::RestError) -> ActionError {
    ActionError(Error::invalid("body", "the request body is too large or could not be read"))
}

/// The actor that Hasura's session variables name (lower-case keys).
pub(super) fn session_actor<'a>(variable: impl Fn(&str) -> Option<&'a str>) -> Result<Actor> {
    let user_id = variable("x-hasura-user-id")
        .map(|id| Uuid::try_parse(id).map_err(|_| Error::invalid("x-hasura-user-id", "must be a uuid")))
        .transpose()?;
    match (variable("x-hasura-role"), user_id) {
        (Some("admin"), id) => Ok(Actor::Admin(id)),
        (Some("user"), Some(id)) => Ok(Actor::User(id)),
        (Some("user"), None) => Err(Error::new(Code::Unauthenticated, "the session names no user; sign in again")),
        (Some("anonymous"), _) => Ok(Actor::Anonymous),
        _ => Err(Error::new(Code::Forbidden, "that role cannot be used here")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_session_decides_who_acts() {
        let id = Uuid::new_v4();
        let text = id.to_string();
        let actor = |role: Option<&'static str>, user: Option<&str>| {
            let user = user.map(str::to_owned);
            session_actor(|name| match name {
                "x-hasura-role" => role,
                "x-hasura-user-id" => user.as_deref().map(|text| &*text.to_owned().leak()),
                _ => None,
            })
        };
        assert_eq!(actor(Some("user"), Some(&text)).unwrap(), Actor::User(id));
        assert_eq!(actor(Some("admin"), None).unwrap(), Actor::Admin(None));
        assert_eq!(actor(Some("anonymous"), None).unwrap(), Actor::Anonymous);
        assert_eq!(actor(Some("user"), None).unwrap_err().code(), Code::Unauthenticated);
        assert_eq!(actor(Some("user"), Some("1 or 1=1")).unwrap_err().field(), Some("x-hasura-user-id"));
        for role in [None, Some(""), Some("Admin"), Some("system"), Some("auditor")] {
            assert_eq!(actor(role, Some(&text)).unwrap_err().code(), Code::Forbidden, "{role:?}");
        }
    }
}
