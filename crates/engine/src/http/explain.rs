//! `POST /v1/graphql/explain`: the statements of a query and what the database would do with them.

use axum::http::HeaderMap;
use serde_json::{Map, Value};

use super::request;
use crate::error::{ErrorCode, GraphqlError, Result};
use crate::json::kind;
use crate::serving::Surface;
use crate::session::{ADMIN, Session};

const REQUEST: &str = "parsing Hasura.GraphQL.Explain.GQLExplain(GQLExplain) failed,";

/// Answers a body `{query, user?, is_relay?}` of an admin.
pub(super) async fn answer(surface: &Surface, headers: &HeaderMap, body: &[u8]) -> Result<Value> {
    let identity = surface.auth.authenticator.authenticate(headers).await?;
    Surface::require_admin(&identity, "$", "You have to be an admin to access this endpoint")?;
    let malformed = |message: String| GraphqlError::new(ErrorCode::ParseFailed, message);
    let mut fields = match request::json(body)? {
        Value::Object(fields) => fields,
        other => return Err(malformed(format!("{REQUEST} expected Object, but encountered {}", kind(&other)))),
    };
    let query = fields.remove("query").ok_or_else(|| malformed(format!("{REQUEST} key \"query\" not found")))?;
    if fields.get("is_relay") == Some(&Value::Bool(true)) {
        return Err(GraphqlError::new(ErrorCode::NotSupported, "the Relay API is not supported"));
    }
    let session = session(fields.get("user"))?;
    surface.core.explain(&session, &request::one(query, "$.query")?).await
}

/// Who is to be asking: admin when nobody is named.
fn session(user: Option<&Value>) -> Result<Session> {
    let at = |path: String, message: String| GraphqlError::at(path, ErrorCode::ParseFailed, message);
    let none = Map::new();
    let variables = match user {
        None | Some(Value::Null) => &none,
        Some(Value::Object(variables)) => variables,
        Some(other) => {
            let message = format!("parsing HashMap failed, expected Object, but encountered {}", kind(other));
            return Err(at("$.user".to_owned(), message));
        }
    };
    let mut texts = Vec::with_capacity(variables.len());
    for (name, value) in variables {
        let text = value.as_str().ok_or_else(|| {
            let message = format!("parsing Text failed, expected String, but encountered {}", kind(value));
            at(format!("$.user.{name}"), message)
        })?;
        texts.push((name.to_ascii_lowercase(), text.to_owned()));
    }
    let role = texts.iter().find(|(name, _)| name == "x-hasura-role").map_or(ADMIN, |(_, role)| role.as_str());
    let role = role.to_owned();
    Ok(Session::new(&role, texts))
}
