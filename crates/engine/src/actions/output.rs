//! Whether what a webhook answered is of the action's output type, by Hasura's rules: the answer itself and the fields
//! of its objects are looked at, what is nested in these is not.

use serde_json::Value;

use crate::error::{GraphqlError, Result};
use crate::metadata::CustomTypes;

/// The scalars of GraphQL's own; values of others are let through.
const BUILT_IN: [&str; 5] = ["Int", "Float", "String", "Boolean", "ID"];

/// What an action's output has to be.
#[derive(Debug, Clone, PartialEq)]
pub struct Expected {
    required: bool,
    form: Form,
}

#[derive(Debug, Clone, PartialEq)]
enum Form {
    List(Box<Expected>),
    /// An object, with the fields that must not be null.
    Object(String, Vec<String>),
    BuiltIn(&'static str),
    /// A scalar of the database or of the metadata, or an enum.
    Any,
}

impl Expected {
    /// Reads a type such as `[User!]!`.
    pub fn of(types: &CustomTypes, ty: &str) -> Self {
        let ty = ty.trim();
        let (inner, required) = match ty.strip_suffix('!') {
            Some(inner) => (inner.trim(), true),
            None => (ty, false),
        };
        if let Some(element) = inner.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')) {
            return Self { required, form: Form::List(Box::new(Self::of(types, element))) };
        }
        let object = types.objects.iter().find(|object| object.name == inner);
        let form = match (object, BUILT_IN.iter().find(|name| **name == inner)) {
            (Some(object), _) => {
                let required = object.fields.iter().filter(|field| field.ty.trim().ends_with('!'));
                Form::Object(object.name.clone(), required.map(|field| field.name.clone()).collect())
            }
            (None, Some(name)) => Form::BuiltIn(name),
            (None, None) => Form::Any,
        };
        Self { required, form }
    }

    /// Refuses an answer of another type.
    ///
    /// # Errors
    /// Hasura's words, its `String` for a number included.
    pub fn hold(&self, value: &Value) -> Result<()> {
        let refused = |message: String| Err(GraphqlError::unexpected(message).with_status(400));
        let got =
            |what: &str, name: &str| refused(format!("got {what} for the action webhook response, expecting {name}"));
        let name = match (&self.form, value) {
            (Form::Any, _) => return Ok(()),
            (_, Value::Null) if self.required => {
                return refused("got null for the action webhook response".to_owned());
            }
            (_, Value::Null) => return Ok(()),
            (Form::List(element), Value::Array(items)) => {
                return items.iter().try_for_each(|item| element.hold(item));
            }
            (Form::List(_), _) => return refused("expecting array for the action webhook response".to_owned()),
            (Form::Object(name, _), _) => name.as_str(),
            (Form::BuiltIn(name), _) => name,
        };
        match (&self.form, value) {
            (_, Value::Array(_)) => got("array", name),
            (Form::Object(_, required), Value::Object(fields)) => {
                required.iter().try_for_each(|field| match fields.get(field) {
                    None => refused(format!("field \"{field}\" expected in webhook response, but not found")),
                    Some(Value::Null) => refused(format!("expecting not null value for field \"{field}\"")),
                    Some(_) => Ok(()),
                })
            }
            (_, Value::Object(_)) => got("object", name),
            (_, Value::Bool(_)) if name != "Boolean" => got("scalar Boolean", name),
            (_, number) if crate::json::digits(number).is_some() => match name {
                "Int" | "Float" => Ok(()),
                _ => got("scalar String", name),
            },
            (_, Value::String(_)) if !matches!(name, "String" | "ID") => got("scalar String", name),
            _ => Ok(()),
        }
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
    fn answers_are_held_against_the_type_as_hasura_does() {
        let types: CustomTypes = serde_json::from_value(json!({"objects": [
            {"name": "Store", "fields": [{"name": "id", "type": "String!"}, {"name": "nodes", "type": "[Node!]"}]},
            {"name": "Node", "fields": [{"name": "at", "type": "Int!"}]},
        ]}))
        .unwrap();
        let outcome = |ty: &str, value: Value| Expected::of(&types, ty).hold(&value).map_err(|error| error.message);
        for (ty, value) in [
            ("Store!", json!({"id": "a", "nodes": [{"at": 1}], "more": 1})),
            ("Store", json!(null)),
            ("[String!]!", json!(["a"])),
            ("ID", json!("a")),
            ("Float", json!(1)),
            ("jsonb", json!([1, {"a": null}])),
            ("jsonb!", json!(null)),
            ("[jsonb!]", json!([null, [1]])),
            ("uuid", json!(5)),
            // Neither the kind of a field nor what is nested in it is looked at.
            ("Store!", json!({"id": 5, "nodes": [{"at": null}, {}, 7]})),
        ] {
            assert_eq!(outcome(ty, value.clone()), Ok(()), "{ty} {value}");
        }
        for (ty, value, message) in [
            ("Store!", json!(null), "got null for the action webhook response"),
            ("Store!", json!({"note": 1}), "field \"id\" expected in webhook response, but not found"),
            ("[Store]", json!([{"id": null}]), "expecting not null value for field \"id\""),
            ("[Store!]", json!([null]), "got null for the action webhook response"),
            ("[Store]", json!({}), "expecting array for the action webhook response"),
            ("Store", json!([]), "got array for the action webhook response, expecting Store"),
            ("Store", json!("x"), "got scalar String for the action webhook response, expecting Store"),
            ("Store", json!(true), "got scalar Boolean for the action webhook response, expecting Store"),
            ("String", json!(5), "got scalar String for the action webhook response, expecting String"),
            ("String!", json!({}), "got object for the action webhook response, expecting String"),
            ("String", json!(["a"]), "got array for the action webhook response, expecting String"),
            ("Int", json!("5"), "got scalar String for the action webhook response, expecting Int"),
            ("Boolean", json!(1), "got scalar String for the action webhook response, expecting Boolean"),
            ("[String]", json!([true]), "got scalar Boolean for the action webhook response, expecting String"),
        ] {
            assert_eq!(outcome(ty, value.clone()), Err(message.to_owned()), "{ty} {value}");
        }
        assert!(holds_nul(&json!([{"a": "x\u{0}"}])) && !holds_nul(&json!({"a": [1, null, "x"]})));
    }
}
