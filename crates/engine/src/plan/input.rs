//! Input values of a document and of variables, seen alike.

use apollo_compiler::ast;
use serde_json::{Map, Value};

use super::document::Variables;
use crate::error::{GraphqlError, Result};
use crate::json::{self, Decimal};

/// An input value: of the document, or of a variable.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// Of the document.
    Ast(&'a ast::Value),
    /// Of a variable.
    Json(&'a Value),
}

impl<'a> Input<'a> {
    /// The variable that the value is, if it is one.
    pub fn variable(self) -> Option<&'a str> {
        match self {
            Self::Ast(ast::Value::Variable(name)) => Some(name.as_str()),
            _ => None,
        }
    }

    /// The value itself: variables are replaced, and noted as ones on whose value the plan depends.
    pub fn resolve(self, variables: &Variables<'a>, path: &str) -> Result<Input<'a>> {
        match self.variable() {
            None => Ok(self),
            Some(name) => variables.inspect(name, path),
        }
    }

    /// Whether a resolved value is null.
    pub fn is_null(self) -> bool {
        matches!(self, Self::Ast(ast::Value::Null) | Self::Json(Value::Null))
    }

    /// What a resolved value is, in the words of Hasura's GraphQL errors; those of its JSON parsers are `json::kind`'s.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Ast(value) => match value {
                ast::Value::Null => "null",
                ast::Value::Enum(_) => "an enum value",
                ast::Value::Variable(_) => "a variable",
                ast::Value::String(_) => "a string",
                ast::Value::Float(_) => "a float",
                ast::Value::Int(_) => "an integer",
                ast::Value::Boolean(_) => "a boolean",
                ast::Value::List(_) => "a list",
                ast::Value::Object(_) => "an object",
            },
            Self::Json(value) => match value {
                Value::Null => "null",
                Value::Bool(_) => "a boolean",
                number if json::digits(number).is_some() => "a number",
                Value::Number(_) => "a number",
                Value::String(_) => "a string",
                Value::Array(_) => "a list",
                Value::Object(_) => "an object",
            },
        }
    }

    /// The fields of a resolved object.
    pub fn object(self) -> Option<Vec<(&'a str, Input<'a>)>> {
        match self {
            Self::Ast(ast::Value::Object(fields)) => {
                Some(fields.iter().map(|(name, value)| (name.as_str(), Self::Ast(value))).collect())
            }
            Self::Json(Value::Object(fields)) => {
                Some(fields.iter().map(|(name, value)| (name.as_str(), Self::Json(value))).collect())
            }
            _ => None,
        }
    }

    /// The items of a resolved list; any other value counts as a list of itself.
    pub fn list(self) -> Vec<Input<'a>> {
        match self {
            Self::Ast(ast::Value::List(items)) => items.iter().map(|item| Self::Ast(item)).collect(),
            Self::Json(Value::Array(items)) => items.iter().map(Self::Json).collect(),
            other => vec![other],
        }
    }

    /// The name of a resolved enum value; of a variable it is a string.
    pub fn enum_value(self) -> Option<&'a str> {
        match self {
            Self::Ast(ast::Value::Enum(name)) => Some(name.as_str()),
            Self::Json(value) => json::text(value),
            _ => None,
        }
    }

    /// A resolved integer of the document, or any number of a variable.
    pub fn whole_number(self) -> Option<Decimal> {
        match self {
            Self::Ast(ast::Value::Int(number)) => Decimal::parse(number.as_str()),
            Self::Json(value) => Decimal::parse(&json::digits(value)?),
            _ => None,
        }
    }

    /// Whether a resolved value is a number.
    pub fn is_number(self) -> bool {
        match self {
            Self::Ast(value) => matches!(value, ast::Value::Int(_) | ast::Value::Float(_)),
            Self::Json(value) => json::digits(value).is_some(),
        }
    }

    /// A resolved string.
    pub fn text(self) -> Option<&'a str> {
        match self {
            Self::Ast(ast::Value::String(text)) => Some(text),
            Self::Json(value) => json::text(value),
            _ => None,
        }
    }

    /// A resolved boolean.
    pub fn boolean(self) -> Option<bool> {
        match self {
            Self::Ast(ast::Value::Boolean(value)) | Self::Json(Value::Bool(value)) => Some(*value),
            _ => None,
        }
    }

    /// The value as JSON, with variables inside it replaced.
    pub fn json(self, variables: &Variables<'a>, path: &str) -> Result<Value> {
        Ok(match self {
            Self::Json(value) => value.clone(),
            Self::Ast(value) => match value {
                ast::Value::Null => Value::Null,
                ast::Value::Enum(name) => Value::String(name.to_string()),
                ast::Value::String(text) => Value::String(text.clone()),
                ast::Value::Boolean(value) => Value::Bool(*value),
                ast::Value::Int(number) => json::number(number.as_str()),
                ast::Value::Float(number) => json::number(number.as_str()),
                ast::Value::Variable(name) => variables.inspect(name, path)?.json(variables, path)?,
                ast::Value::List(items) => Value::Array(
                    items.iter().map(|item| Input::Ast(item).json(variables, path)).collect::<Result<_>>()?,
                ),
                ast::Value::Object(fields) => {
                    let mut object = Map::with_capacity(fields.len());
                    for (name, value) in fields {
                        object.insert(name.to_string(), Input::Ast(value).json(variables, path)?);
                    }
                    Value::Object(object)
                }
            },
        })
    }
}

/// A value of another form than was expected.
pub fn mismatch(path: &str, expected: &str, ty: &str, found: Input<'_>) -> GraphqlError {
    GraphqlError::validation(path, format!("expected {expected} for type '{ty}', but found {}", found.kind()))
}
