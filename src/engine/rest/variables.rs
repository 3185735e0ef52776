//! Variables of an endpoint's operation from path, query string and body.

use apollo_compiler::ast::{Definition, Type};
use serde_json::{Map, Value};

use crate::engine::actions::kind;
use crate::engine::error::{ErrorCode, GraphqlError, Result};

/// The declared variables with the values that the request gives; the path counts before the query string, and this
/// before the body. Texts are read by the variable's type, values of the body stay as they are.
pub(super) fn collect(
    query: &str,
    path: &[(String, String)],
    query_string: &str,
    body: Value,
) -> Result<Map<String, Value>> {
    let mut given = match body {
        Value::Object(fields) => fields,
        Value::Null => Map::new(),
        other => {
            let message = format!("parsing HashMap failed, expected Object, but encountered {}", kind(&other));
            return Err(GraphqlError::new(ErrorCode::ParseFailed, message));
        }
    };
    let in_query: Vec<(String, String)> = url::form_urlencoded::parse(query_string.as_bytes())
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect();
    let mut variables = Map::new();
    for (name, ty) in declared(query) {
        let text = |pairs: &[(String, String)]| {
            pairs.iter().rev().find(|(key, _)| *key == name).map(|(_, value)| value.clone())
        };
        if let Some(text) = text(path).or_else(|| text(&in_query)) {
            variables.insert(name, scalar(&text, &ty));
        } else if let Some(value) = given.remove(&name) {
            variables.insert(name, value);
        }
    }
    Ok(variables)
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

/// A text by the variable's type. What cannot be read stays a string, which the operation then refuses by name.
fn scalar(text: &str, ty: &Type) -> Value {
    let read = || serde_json::from_str::<Value>(text).unwrap_or_else(|_| text.into());
    if ty.is_list() {
        return read();
    }
    match ty.inner_named_type().as_str() {
        "Int" | "Float" | "bigint" | "float8" | "numeric" | "smallint" => match read() {
            Value::Number(number) => number.into(),
            _ => text.into(),
        },
        "Boolean" if text.is_empty() => true.into(),
        "Boolean" => match read() {
            Value::Bool(flag) => flag.into(),
            _ => text.into(),
        },
        "json" | "jsonb" | "geometry" | "geography" => read(),
        _ => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn texts_are_read_by_type_and_only_declared_names_count() {
        let query = "query Q($id: uuid!, $n: Int = 3, $on: Boolean, $name: String, $ids: [uuid!]) { a }";
        let path = [("id".to_owned(), "12".to_owned())];
        let variables =
            collect(query, &path, "n=5&on=true&name=7&other=x", json!({"ids": ["a"], "n": 9, "more": 1})).unwrap();
        assert_eq!(Value::Object(variables), json!({"id": "12", "n": 5, "on": true, "name": "7", "ids": ["a"]}));
        assert!(collect(query, &[], "", json!([1])).is_err());
    }
}
