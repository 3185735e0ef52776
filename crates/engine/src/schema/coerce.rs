//! JSON values as the texts that are bound for columns, with Hasura's complaints about values that do not fit.

use serde_json::Value;

use crate::error::{ErrorCode, GraphqlError, Result};
use crate::json::{self, Decimal};
use crate::schema::model::array::array_literal;
use crate::schema::model::boolexp::Source;
use crate::schema::model::scalar::ScalarType;
use crate::session::is_session_variable;

/// A literal of the metadata as a bound value: session variables by name, anything else as text.
pub fn literal(value: &Value) -> Source {
    match json::text(value) {
        Some(text) if is_session_variable(text) => Source::Session(text.to_ascii_lowercase().into()),
        _ => json::column_text(value).map_or(Source::Null, |text| Source::Text(text.into())),
    }
}

/// A literal of the metadata as a bound value of a type: lists for arrays, and JSON for documents.
pub fn constant(value: &Value, ty: &ScalarType) -> Source {
    match (literal(value), coerce(value, ty, "$")) {
        (session @ Source::Session(_), _) => session,
        (_, Ok(Some(text))) => Source::Text(text.into()),
        (plain, _) => plain,
    }
}

/// The text of a value for a type; nothing for null.
pub fn coerce(value: &Value, ty: &ScalarType, path: &str) -> Result<Option<String>> {
    if value.is_null() {
        return Ok(None);
    }
    if ty.list {
        return match value {
            Value::Array(items) => {
                let element = ScalarType { list: false, ..ty.clone() };
                let items = items.iter().map(|item| coerce(item, &element, path)).collect::<Result<Vec<_>>>()?;
                Ok(Some(array_literal(items.into_iter())))
            }
            other => match json::text(other) {
                // PostgreSQL's own text form of an array.
                Some(text) => whole(text, path).map(Some),
                None => Err(refused(path, "[]", "Array", other)),
            },
        };
    }
    scalar(value, ty, path).map(Some)
}

fn scalar(value: &Value, ty: &ScalarType, path: &str) -> Result<String> {
    match ty.database.as_str() {
        "json" | "jsonb" => return Ok(json::write(value)),
        "geometry" | "geography" if value.is_object() => return Ok(json::write(value)),
        _ => {}
    }
    if let Some(digits) = json::digits(value) {
        let bounds = match ty.database.as_str() {
            "int2" => (i64::from(i16::MIN), i64::from(i16::MAX)),
            "int4" => (i64::from(i32::MIN), i64::from(i32::MAX)),
            "int8" => (i64::MIN, i64::MAX),
            "float4" | "float8" | "numeric" | "money" => return Ok(digits.into_owned()),
            _ => return other(value, ty, path),
        };
        if let Some(whole) = value.as_i64().filter(|whole| (bounds.0..=bounds.1).contains(whole)) {
            return Ok(whole.to_string());
        }
        let number = Decimal::parse(&digits).ok_or_else(|| GraphqlError::unexpected("a number without digits"))?;
        return integer(&number, bounds.0, bounds.1, path).map(|number| number.to_string());
    }
    other(value, ty, path)
}

/// A value that is no number.
fn other(value: &Value, ty: &ScalarType, path: &str) -> Result<String> {
    if let Some(text) = json::text(value) {
        return match ty.database.as_str() {
            "ltree" => label_path(text, path),
            _ => whole(text, path),
        };
    }
    match (ty.database.as_str(), value) {
        ("bool", Value::Bool(value)) => Ok(value.to_string()),
        ("int2", other) => Err(integer_refused(path, "PGSmallInt", other)),
        ("int4", other) => Err(integer_refused(path, "PGInteger", other)),
        ("int8", other) => Err(integer_refused(path, "PGBigInt", other)),
        ("float4", other) => Err(refused(path, "Float", "Number", other)),
        ("float8", other) => Err(refused(path, "Double", "Number", other)),
        ("numeric", other) => Err(refused(path, "Scientific", "Number", other)),
        ("bool", other) => Err(refused(path, "Bool", "Bool", other)),
        ("text" | "varchar" | "bpchar" | "citext", other) => Err(refused(path, "Text", "String", other)),
        ("uuid", other) => Err(refused(path, "UUID", "String", other)),
        ("timestamptz" | "timestamp", other) => Err(refused(path, "UTCTime", "String", other)),
        ("date", other) => Err(refused(path, "Day", "String", other)),
        (name, _) => Err(parse_failed(path, format!("A string is expected for type: {name}"))),
    }
}

/// A path of an ltree: labels between dots, none of them empty.
fn label_path(text: &str, path: &str) -> Result<String> {
    if text.split('.').any(str::is_empty) {
        let form = "a sequence of zero or more labels separated by dots, for example L1.L2.L3";
        return Err(parse_failed(path, format!("Expecting label path: {form}")));
    }
    whole(text, path)
}

/// The error for null where a value of a type stands.
pub fn unexpected_null(path: &str, ty: &ScalarType) -> GraphqlError {
    GraphqlError::validation(path, format!("unexpected null value for type '{}'", ty.name))
}

/// PostgreSQL's texts hold no NUL. (Hasura's client library ends a text there without a word.)
fn whole(text: &str, path: &str) -> Result<String> {
    match text.contains('\0') {
        true => Err(parse_failed(path, "a string must not contain the character NUL".to_owned())),
        false => Ok(text.to_owned()),
    }
}

/// A number within bounds, which must be whole; 1.0 is, as in Hasura.
pub fn integer(number: &Decimal, least: i64, most: i64, path: &str) -> Result<i64> {
    match number.integer() {
        Some(value) if (least..=most).contains(&value) => Ok(value),
        _ => {
            let message = format!(
                "The value {} lies outside the bounds or is not an integer. Maybe it is a float, or is there integer overflow?",
                number.scientific()
            );
            Err(parse_failed(path, message))
        }
    }
}

fn parse_failed(path: &str, message: String) -> GraphqlError {
    GraphqlError::at(path, ErrorCode::ParseFailed, message)
}

fn refused(path: &str, what: &str, expected: &str, found: &Value) -> GraphqlError {
    parse_failed(path, format!("parsing {what} failed, expected {expected}, but encountered {}", json::kind(found)))
}

fn integer_refused(path: &str, ty: &str, found: &Value) -> GraphqlError {
    let found = json::kind(found);
    parse_failed(
        path,
        format!("parsing Integer expected for input type: {ty} failed, expected Number, but encountered {found}"),
    )
}
