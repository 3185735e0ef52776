//! Variables of an endpoint's operation from path, query string and body.

use std::collections::HashMap;

use apollo_compiler::ast::{Definition, Type};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use indexmap::IndexMap;
use serde_json::{Map, Value};

use crate::error::{ErrorCode, GraphqlError, Result};
use crate::json;

/// The variables that a request gives; the path counts before the body, and this before the query string. Texts are
/// read by the variable's type, values of the body stay as they are.
///
/// # Errors
/// A variable that the operation does not declare, and a list that stands in path or query string.
pub(super) fn collect(
    query: &str,
    path: &[(String, String)],
    query_string: &str,
    body: Body,
) -> Result<Map<String, Value>> {
    let declared: HashMap<String, Type> = declared(query).into_iter().collect();
    let mut given: IndexMap<String, Given> = texts(query_string.as_bytes()).collect();
    match body {
        // As in Hasura a body that is no object says nothing.
        Body::Json(Value::Object(fields)) => {
            given.extend(fields.into_iter().map(|(name, value)| (name, Given::Json(value))));
        }
        Body::Json(_) => {}
        Body::Form(form) => given.extend(texts(&form)),
    }
    given.extend(path.iter().map(|(name, value)| (name.clone(), Given::Text(value.clone()))));
    let mut variables = Map::new();
    for (name, value) in given {
        let Some(ty) = declared.get(&name) else {
            // What cannot be a variable's name, such as a cache-breaking number, is none.
            match apollo_compiler::Name::new(&name) {
                Ok(_) => return Err(refused(format!("Unexpected variable {name}"))),
                Err(_) => continue,
            }
        };
        let value = match value {
            Given::Json(value) => Some(value),
            Given::Text(text) => scalar(&name, &text, ty)?,
        };
        variables.extend(value.map(|value| (name, value)));
    }
    Ok(variables)
}

fn texts(form: &[u8]) -> impl Iterator<Item = (String, Given)> + '_ {
    url::form_urlencoded::parse(form).map(|(name, value)| (name.into_owned(), Given::Text(value.into_owned())))
}

/// What a body says.
pub(super) enum Body {
    /// JSON.
    Json(Value),
    /// The fields of a form, which are read like those of a query string.
    Form(Vec<u8>),
}

/// Reads a body by its type; without one it is JSON.
pub(super) fn body(headers: &HeaderMap, body: &[u8]) -> Body {
    let given = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    match given.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(FORM) {
        true => Body::Form(body.to_vec()),
        false => Body::Json(json::read(body).unwrap_or_default()),
    }
}

const FORM: &str = "application/x-www-form-urlencoded";

/// A value that a request gives.
enum Given {
    /// In the path or the query string.
    Text(String),
    /// In the body.
    Json(Value),
}

fn refused(message: String) -> GraphqlError {
    GraphqlError::new(ErrorCode::BadRequest, message)
}

/// The variables that the first operation of a document declares.
pub(super) fn declared(query: &str) -> Vec<(String, Type)> {
    let Ok(document) = apollo_compiler::parser::Parser::new().parse_ast(query, "query.graphql") else {
        return Vec::new();
    };
    document
        .definitions
        .iter()
        .find_map(|definition| match definition {
            Definition::OperationDefinition(operation) => Some(
                operation
                    .variables
                    .iter()
                    .map(|variable| (variable.name.to_string(), variable.ty.as_ref().clone()))
                    .collect(),
            ),
            _ => None,
        })
        .unwrap_or_default()
}

/// A text by the variable's type; nothing for an empty one that may be missing. What cannot be read stays a string,
/// which the operation then reads or refuses by name.
fn scalar(name: &str, text: &str, ty: &Type) -> Result<Option<Value>> {
    if ty.is_list() {
        let message = "List variables are not currently supported in URL or Query parameters.";
        return Err(refused(format!("{message} (Variable {name}, with value {text:?})")));
    }
    let ty_name = ty.inner_named_type().as_str();
    if text.is_empty() {
        return Ok(match ty_name {
            "Boolean" => Some(true.into()),
            _ if ty.is_non_null() => Some(text.into()),
            _ => None,
        });
    }
    Ok(Some(match (ty_name, json::read(text.as_bytes())) {
        ("Boolean" | "Bool", Ok(Value::Bool(flag))) => flag.into(),
        ("Int" | "Float" | "Number" | "Double" | "float8" | "numeric", Ok(number))
            if json::digits(&number).is_some() =>
        {
            number
        }
        _ => text.into(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const QUERY: &str =
        "query Q($id: uuid!, $n: Int = 3, $on: Boolean, $name: String, $ids: [uuid!], $doc: jsonb) { a }";

    #[test]
    fn texts_are_read_by_type_and_the_path_counts_before_the_body_before_the_query_string() {
        let path = [("id".to_owned(), "12".to_owned())];
        let body = json!({"ids": ["a"], "n": 9, "id": "body"});
        let variables = collect(QUERY, &path, "n=5&on=true&name=7&1=x&name=8&doc={}", Body::Json(body)).unwrap();
        assert_eq!(
            Value::Object(variables),
            json!({"id": "12", "n": 9, "on": true, "name": "8", "ids": ["a"], "doc": "{}"})
        );
        let read = |text: &str| collect(QUERY, &[], text, Body::Json(Value::Null)).map(Value::Object);
        assert_eq!(read("on&n=&name"), Ok(json!({"on": true})));
        assert_eq!(read("n=many&on=1&id="), Ok(json!({"n": "many", "on": "1", "id": ""})));
        assert_eq!(collect(QUERY, &[], "", Body::Json(json!([1]))), Ok(Map::new()));
        let form = super::body(
            &[(CONTENT_TYPE, "application/x-www-form-urlencoded; charset=utf-8".parse().unwrap())]
                .into_iter()
                .collect(),
            b"n=5&name=a+b%20c&on",
        );
        assert_eq!(
            collect(QUERY, &[], "n=7&id=q", form).map(Value::Object),
            Ok(json!({"n": 5, "name": "a b c", "on": true, "id": "q"}))
        );
    }

    #[test]
    fn what_is_not_declared_and_lists_in_texts_are_refused() {
        for (text, body, message) in [
            ("other=x", Value::Null, "Unexpected variable other"),
            ("", json!({"more": 1}), "Unexpected variable more"),
            (
                "ids=[\"a\"]",
                Value::Null,
                "List variables are not currently supported in URL or Query parameters. \
                 (Variable ids, with value \"[\\\"a\\\"]\")",
            ),
        ] {
            let error = collect(QUERY, &[], text, Body::Json(body)).unwrap_err();
            assert_eq!((error.message.as_str(), error.code), (message, ErrorCode::BadRequest));
        }
    }
}
