//! Reading GraphQL requests from JSON, with Hasura's words for what is wrong.

use std::sync::Arc;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use crate::error::{ErrorCode, GraphqlError, Result};
use crate::json::kind;
use crate::request::Request;

const REQUEST: &str = "parsing Hasura.GraphQL.Transport.HTTP.Protocol.GQLReq(GQLReq) failed,";

/// One request, or several in one body.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Requests {
    /// An object.
    One(Box<Request>),
    /// An array of objects.
    Batch(Vec<Request>),
}

/// A request as nearly all are: read without a tree of values between.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Usual {
    query: String,
    operation_name: Option<String>,
    variables: Option<Map<String, Value>>,
    /// Is judged on the longer way.
    extensions: Option<IgnoredAny>,
}

fn usual(body: &[u8]) -> Option<Request> {
    // An array would be read as the members in order, and long numbers lose digits.
    if body.trim_ascii_start().first() != Some(&b'{') || !crate::json::is_plain(body) {
        return None;
    }
    let Usual { query, operation_name, variables, extensions: None } = serde_json::from_slice(body).ok()? else {
        return None;
    };
    Some(Request { query: query.into(), operation_name, variables: Arc::new(variables.unwrap_or_default()) })
}

/// Reads a request body.
pub(crate) fn read(body: &[u8]) -> Result<Requests> {
    if let Some(request) = usual(body) {
        return Ok(Requests::One(Box::new(request)));
    }
    match json(body)? {
        Value::Array(members) => members
            .into_iter()
            .enumerate()
            .map(|(index, member)| one(member, &format!("$[{index}]")))
            .collect::<Result<_>>()
            .map(Requests::Batch),
        other => one(other, "$").map(|request| Requests::One(Box::new(request))),
    }
}

/// Reads JSON with all the digits of its numbers.
pub(crate) fn json(body: &[u8]) -> Result<Value> {
    crate::json::read(body).map_err(|error| malformed(body, &error))
}

/// The error for a body that is no JSON, in Hasura's words.
fn malformed(body: &[u8], error: &serde_json::Error) -> GraphqlError {
    let found = if error.is_eof() {
        "end-of-input".to_owned()
    } else {
        let text = String::from_utf8_lossy(body);
        let rest: String = rest_from(&text, error).chars().take(40).collect();
        format!("{rest:?}")
    };
    GraphqlError::new(ErrorCode::InvalidJson, format!("Unexpected {found}, expecting JSON value"))
}

/// The text from where the parser stopped; a first token that is no JSON is shown whole.
fn rest_from<'t>(text: &'t str, error: &serde_json::Error) -> &'t str {
    let line_start: usize = text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
    let at = line_start + error.column().saturating_sub(1);
    if text.get(..at).is_some_and(|before| before.chars().all(char::is_alphanumeric)) {
        return text;
    }
    text.get(at..).unwrap_or(text)
}

/// Reads one request from a JSON value that stands at `path`.
pub(crate) fn one(value: Value, path: &str) -> Result<Request> {
    let parse = |path: String, message: String| GraphqlError::at(path, ErrorCode::ParseFailed, message);
    let Value::Object(mut fields) = value else {
        let message = format!("{REQUEST} expected Object, but encountered {}", kind(&value));
        return Err(parse(path.to_owned(), message));
    };
    if fields.get("extensions").is_some_and(|extensions| extensions.get("persistedQuery").is_some()) {
        return Err(persisted_query());
    }
    let text = |value: &Value, key: &str| {
        let message = format!("parsing Text failed, expected String, but encountered {}", kind(value));
        parse(format!("{path}.{key}"), message)
    };
    let query = match fields.remove("query") {
        Some(Value::String(query)) => query,
        Some(other) => return Err(text(&other, "query")),
        None => return Err(parse(path.to_owned(), format!("{REQUEST} key \"query\" not found"))),
    };
    let operation_name = match fields.remove("operationName") {
        None | Some(Value::Null) => None,
        Some(Value::String(name)) => Some(name),
        Some(other) => return Err(text(&other, "operationName")),
    };
    let variables = match fields.remove("variables") {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(variables)) => variables,
        Some(other) => {
            let message = format!("parsing HashMap failed, expected Object, but encountered {}", kind(&other));
            return Err(parse(format!("{path}.variables"), message));
        }
    };
    Ok(Request { query: query.into(), operation_name, variables: Arc::new(variables) })
}

/// The answer to persisted queries, which Hasura's community edition does not have.
pub(crate) fn persisted_query() -> GraphqlError {
    GraphqlError::new(ErrorCode::NotSupported, "PersistedQueryNotSupported")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(body: &str) -> (String, String, &'static str) {
        let error = read(body.as_bytes()).unwrap_err();
        (error.message, error.path, error.code.as_str())
    }

    #[test]
    fn bodies_are_refused_in_the_recorded_words() {
        let is = |message: &str, path: &str, code: &'static str| (message.to_owned(), path.to_owned(), code);
        for body in ["", "{\"query\": "] {
            assert_eq!(refused(body), is("Unexpected end-of-input, expecting JSON value", "$", "invalid-json"));
        }
        assert_eq!(refused("query={a}"), is("Unexpected \"query={a}\", expecting JSON value", "$", "invalid-json"));
        assert_eq!(
            refused("5"),
            is(&format!("{REQUEST} expected Object, but encountered Number"), "$", "parse-failed")
        );
        assert_eq!(refused("{}"), is(&format!("{REQUEST} key \"query\" not found"), "$", "parse-failed"));
        assert_eq!(
            refused(r#"{"query":null}"#),
            is("parsing Text failed, expected String, but encountered Null", "$.query", "parse-failed")
        );
        assert_eq!(
            refused(r#"{"query":"{a}","variables":[]}"#),
            is("parsing HashMap failed, expected Object, but encountered Array", "$.variables", "parse-failed")
        );
        assert_eq!(
            refused(r#"[{"query":"{a}"},{"x":1}]"#),
            is(&format!("{REQUEST} key \"query\" not found"), "$[1]", "parse-failed")
        );
        assert_eq!(
            refused(r#"{"extensions":{"persistedQuery":{}}}"#),
            is("PersistedQueryNotSupported", "$", "not-supported")
        );
    }

    #[test]
    fn unknown_members_and_nulls_are_let_through() {
        let body = r#"{"query":"{a}","variables":null,"operationName":null,"foo":1,"extensions":{"x":1}}"#;
        assert_eq!(read(body.as_bytes()), Ok(Requests::One(Box::new(Request::new("{a}")))));
        assert_eq!(read(b"[]"), Ok(Requests::Batch(Vec::new())));
    }
}
