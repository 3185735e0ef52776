//! Whether what a webhook answered is of the action's output type. What nobody has selected yet is checked whole.

use serde_json::Value;

use crate::engine::error::{GraphqlError, Result};
use crate::engine::metadata::{CustomTypes, ObjectType};

/// Checks an answer against a type such as `[User!]!`, in Hasura's words.
pub(super) fn check(types: &CustomTypes, ty: &str, value: &Value) -> Result<()> {
    let refused = |message: String| Err(GraphqlError::unexpected(message));
    let ty = ty.trim();
    let (inner, required) = match ty.strip_suffix('!') {
        Some(inner) => (inner.trim(), true),
        None => (ty, false),
    };
    if value.is_null() {
        return match required {
            true => refused("got null for the action webhook response".to_owned()),
            false => Ok(()),
        };
    }
    let element = inner.strip_prefix('[').and_then(|inner| inner.strip_suffix(']'));
    let object = types.objects.iter().find(|object| object.name == inner);
    match (element, object, value) {
        (Some(element), _, Value::Array(items)) => items.iter().try_for_each(|item| check(types, element, item)),
        (Some(_), _, _) => refused("expecting array for the action webhook response".to_owned()),
        (None, Some(object), Value::Object(_)) => fields(types, object, value),
        (None, Some(object), Value::Array(_)) => {
            refused(format!("got array for the action webhook response, expecting {}", object.name))
        }
        (None, Some(object), scalar) => {
            let name = scalar_name(scalar);
            refused(format!("got scalar {name} for the action webhook response, expecting {}", object.name))
        }
        // Scalars are the client's affair, as in a synchronous action.
        (None, None, _) => Ok(()),
    }
}

fn fields(types: &CustomTypes, object: &ObjectType, value: &Value) -> Result<()> {
    for field in &object.fields {
        let found = value.get(&field.name);
        if field.ty.trim().ends_with('!') {
            let name = &field.name;
            let message = match found {
                None => format!("field \"{name}\" expected in webhook response, but not found"),
                Some(Value::Null) => {
                    format!("expecting not null value for field \"{name}\" in the action webhook response")
                }
                Some(_) => String::new(),
            };
            if !message.is_empty() {
                return Err(GraphqlError::unexpected(message));
            }
        }
        check(types, &field.ty, found.unwrap_or(&Value::Null))?;
    }
    Ok(())
}

fn scalar_name(value: &Value) -> &'static str {
    match value {
        Value::Bool(_) => "Boolean",
        Value::Number(number) if number.is_f64() => "Float",
        Value::Number(_) => "Int",
        _ => "String",
    }
}

/// Whether a NUL is somewhere in a value: PostgreSQL cannot keep one.
pub(super) fn holds_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(holds_nul),
        Value::Object(fields) => fields.iter().any(|(name, value)| name.contains('\0') || holds_nul(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn answers_are_checked_whole() {
        let types: CustomTypes = serde_json::from_value(json!({"objects": [
            {"name": "Store", "fields": [{"name": "id", "type": "String!"}, {"name": "nodes", "type": "[Node!]"}]},
            {"name": "Node", "fields": [{"name": "at", "type": "Int!"}]},
        ]}))
        .unwrap();
        let outcome = |ty: &str, value: Value| check(&types, ty, &value).map_err(|error| error.message);
        let refused = |message: &str| Err(message.to_owned());
        assert_eq!(outcome("Store!", json!({"id": "a", "nodes": [{"at": 1}], "more": 1})), Ok(()));
        assert_eq!(outcome("Store", json!(null)), Ok(()));
        assert_eq!(outcome("[String!]!", json!(["a"])), Ok(()));
        assert_eq!(outcome("Store!", json!(null)), refused("got null for the action webhook response"));
        assert_eq!(
            outcome("Store!", json!({"note": 1})),
            refused("field \"id\" expected in webhook response, but not found")
        );
        assert_eq!(
            outcome("Store!", json!({"id": "a", "nodes": [{"at": null}]})),
            refused("expecting not null value for field \"at\" in the action webhook response")
        );
        assert_eq!(outcome("[Store]", json!({})), refused("expecting array for the action webhook response"));
        assert_eq!(outcome("Store", json!([])), refused("got array for the action webhook response, expecting Store"));
        assert_eq!(
            outcome("Store", json!("x")),
            refused("got scalar String for the action webhook response, expecting Store")
        );
        assert!(holds_nul(&json!([{"a": "x\u{0}"}])) && !holds_nul(&json!({"a": [1, null, "x"]})));
    }
}
