//! JSON values as the texts that are bound for columns, with Hasura's complaints about values that do not fit.

use serde_json::Value;

use crate::engine::error::{ErrorCode, GraphqlError, Result};
use crate::engine::schema::permission::array_literal;
use crate::engine::schema::scalar::ScalarType;

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
            // PostgreSQL's own text form of an array.
            Value::String(text) => whole(text, path).map(Some),
            other => Err(refused(path, "[]", "Array", other)),
        };
    }
    scalar(value, ty, path).map(Some)
}

fn scalar(value: &Value, ty: &ScalarType, path: &str) -> Result<String> {
    match (ty.database.as_str(), value) {
        ("json" | "jsonb", other) => Ok(other.to_string()),
        ("geometry" | "geography", Value::Object(_)) => Ok(value.to_string()),
        (_, Value::String(text)) => whole(text, path),
        ("int2", Value::Number(number)) => {
            integer(number, i64::from(i16::MIN), i64::from(i16::MAX), path).map(|n| n.to_string())
        }
        ("int4", Value::Number(number)) => {
            integer(number, i64::from(i32::MIN), i64::from(i32::MAX), path).map(|n| n.to_string())
        }
        ("int8", Value::Number(number)) => integer(number, i64::MIN, i64::MAX, path).map(|n| n.to_string()),
        ("float4" | "float8" | "numeric" | "money", Value::Number(number)) => Ok(number.to_string()),
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

/// PostgreSQL's texts hold no NUL. (Hasura's client library ends a text there without a word.)
fn whole(text: &str, path: &str) -> Result<String> {
    match text.contains('\0') {
        true => Err(parse_failed(path, "a string must not contain the character NUL".to_owned())),
        false => Ok(text.to_owned()),
    }
}

/// A number within bounds, which must be whole.
pub fn integer(number: &serde_json::Number, least: i64, most: i64, path: &str) -> Result<i64> {
    let whole = number.as_i64().or_else(|| {
        // 1.0 is an integer, as in Hasura.
        number.as_f64().filter(|float| float.fract() == 0.0 && float.abs() < 9.0e15).map(|float| float as i64)
    });
    match whole {
        Some(value) if (least..=most).contains(&value) => Ok(value),
        _ => {
            let message = format!(
                "The value {} lies outside the bounds or is not an integer. Maybe it is a float, or is there integer overflow?",
                scientific(number)
            );
            Err(parse_failed(path, message))
        }
    }
}

/// A number as Haskell's `Scientific` shows it: `40000.0`, `2.147483648e9`.
fn scientific(number: &serde_json::Number) -> String {
    let digits = number.to_string();
    if digits.trim_start_matches('-').len() > 15 && digits.trim_start_matches('-').bytes().all(|b| b.is_ascii_digit()) {
        // More digits than a float holds.
        let (sign, digits) = digits.strip_prefix('-').map_or(("", digits.as_str()), |digits| ("-", digits));
        let (first, rest) = digits.split_at(1);
        let rest = rest.trim_end_matches('0');
        return format!("{sign}{first}.{}e{}", if rest.is_empty() { "0" } else { rest }, digits.len() - 1);
    }
    let Some(float) = number.as_f64() else { return number.to_string() };
    if float != 0.0 && !(0.1..1.0e7).contains(&float.abs()) {
        let text = format!("{float:e}");
        return match text.split_once('e') {
            Some((digits, exponent)) if !digits.contains('.') => format!("{digits}.0e{exponent}"),
            _ => text,
        };
    }
    format!("{float:?}")
}

fn parse_failed(path: &str, message: String) -> GraphqlError {
    GraphqlError::at(path, ErrorCode::ParseFailed, message)
}

fn refused(path: &str, what: &str, expected: &str, found: &Value) -> GraphqlError {
    parse_failed(path, format!("parsing {what} failed, expected {expected}, but encountered {}", kind(found)))
}

fn integer_refused(path: &str, ty: &str, found: &Value) -> GraphqlError {
    let found = kind(found);
    parse_failed(
        path,
        format!("parsing Integer expected for input type: {ty} failed, expected Number, but encountered {found}"),
    )
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "Null",
        Value::Bool(_) => "Boolean",
        Value::Number(_) => "Number",
        Value::String(_) => "String",
        Value::Array(_) => "Array",
        Value::Object(_) => "Object",
    }
}
