//! The functions that templates may call.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};

use super::SessionVariables;
use crate::json::{self, Decimal};

/// What URIs may hold unescaped: RFC 3986's unreserved characters.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

type Result<T = Value> = std::result::Result<T, String>;
type Function = fn(&Value) -> Result;

const FUNCTIONS: [(&str, Function); 15] = [
    ("empty", empty),
    ("size", size),
    ("inverse", inverse),
    ("head", head),
    ("tail", tail),
    ("toCaseFold", |value| text(value).map(|text| text.to_lowercase().replace('ß', "ss").into())),
    ("toLower", |value| text(value).map(|text| text.to_lowercase().into())),
    ("toUpper", |value| text(value).map(|text| text.to_uppercase().into())),
    ("toTitle", |value| text(value).map(title)),
    ("escapeUri", |value| text(value).map(|text| utf8_percent_encode(text, RESERVED).to_string().into())),
    ("fromPairs", from_pairs),
    ("toPairs", to_pairs),
    ("removeNulls", |value| Ok(list("Array", value)?.iter().filter(|item| !item.is_null()).cloned().collect())),
    ("concat", concat),
    ("not", |value| match value {
        Value::Bool(flag) => Ok((!flag).into()),
        other => Err(expected("Bool", "Boolean", other)),
    }),
];

/// Whether there is a function of that name.
pub(super) fn exists(name: &str) -> bool {
    name == "getSessionVariable" || FUNCTIONS.iter().any(|(known, _)| *known == name)
}

/// Calls a function; nothing when there is none of that name.
pub(super) fn call(name: &str, argument: &Value, session: Option<&SessionVariables>) -> Option<Result> {
    if name == "getSessionVariable" {
        return Some(session_variable(argument, session));
    }
    FUNCTIONS.iter().find(|(known, _)| *known == name).map(|(_, function)| function(argument))
}

fn session_variable(name: &Value, session: Option<&SessionVariables>) -> Result {
    match (name, json::text(name)) {
        (Value::Null, _) => Ok(Value::Null),
        (_, Some(name)) => {
            let lower = name.to_ascii_lowercase();
            let found = session.and_then(|session| session.get(&lower));
            found.map(|value| value.as_str().into()).ok_or_else(|| format!("Session variable {name:?} not found"))
        }
        _ => Err("Session variable name should be a string".to_owned()),
    }
}

fn expected(context: &str, expected: &str, value: &Value) -> String {
    format!("parsing {context} failed, expected {expected}, but encountered {}", json::kind(value))
}

fn text(value: &Value) -> Result<&str> {
    json::text(value).ok_or_else(|| expected("String", "String", value))
}

fn decimal(value: &Value) -> Option<Decimal> {
    json::digits(value).and_then(|digits| Decimal::parse(&digits))
}

fn list<'v>(context: &str, value: &'v Value) -> Result<&'v Vec<Value>> {
    value.as_array().ok_or_else(|| expected(context, "Array", value))
}

fn empty(value: &Value) -> Result {
    Ok(Value::Bool(match value {
        Value::Object(fields) => fields.is_empty(),
        Value::Array(items) => items.is_empty(),
        number if json::digits(number).is_some() => decimal(number).is_some_and(|number| number.integer() == Some(0)),
        Value::String(text) => text.trim().is_empty(),
        Value::Number(_) => false,
        Value::Bool(_) => return Err("Cannot define emptiness for a boolean".to_owned()),
        Value::Null => true,
    }))
}

fn size(value: &Value) -> Result {
    Ok(match value {
        Value::Object(fields) => fields.len().into(),
        Value::Array(items) => items.len().into(),
        number if json::digits(number).is_some() => value.clone(),
        Value::String(text) => text.chars().count().into(),
        Value::Number(_) => value.clone(),
        Value::Bool(flag) => u8::from(*flag).into(),
        Value::Null => 0.into(),
    })
}

fn inverse(value: &Value) -> Result {
    Ok(match value {
        Value::Array(items) => items.iter().rev().cloned().collect(),
        number if json::digits(number).is_some() => {
            let number = json::digits(number).and_then(|digits| digits.parse::<f64>().ok());
            let inverse = number.map(|number| 1.0 / number).filter(|inverse| inverse.is_finite());
            let inverse = inverse.ok_or("Cannot divide by zero")?;
            // A whole number stays one.
            if inverse.fract() == 0.0 && inverse.abs() < 1e15 { (inverse as i64).into() } else { inverse.into() }
        }
        Value::String(text) => text.chars().rev().collect::<String>().into(),
        Value::Bool(flag) => (!flag).into(),
        Value::Object(_) | Value::Number(_) | Value::Null => value.clone(),
    })
}

fn head(value: &Value) -> Result {
    match value {
        Value::Array(items) => items.first().cloned().ok_or_else(|| "Empty array".to_owned()),
        Value::String(text) if json::text(value).is_some() => {
            text.chars().next().map(|c| c.to_string().into()).ok_or_else(|| "Empty string".to_owned())
        }
        _ => Err("Expected an array or string".to_owned()),
    }
}

fn tail(value: &Value) -> Result {
    match value {
        Value::Array(items) => {
            let (_, tail) = items.split_first().ok_or("Empty array")?;
            Ok(tail.to_vec().into())
        }
        Value::String(text) if json::text(value).is_some() => {
            let mut characters = text.chars();
            characters.next().ok_or("Empty string")?;
            Ok(characters.as_str().into())
        }
        _ => Err("Expected an array or string".to_owned()),
    }
}

fn title(text: &str) -> Value {
    let mut titled = String::with_capacity(text.len());
    let mut inside = false;
    for c in text.chars() {
        if inside {
            titled.extend(c.to_lowercase());
        } else {
            titled.extend(c.to_uppercase());
        }
        inside = c.is_alphabetic() || (inside && c == '\'');
    }
    titled.into()
}

fn to_pairs(value: &Value) -> Result {
    let fields = value.as_object().ok_or_else(|| expected("Object", "Object", value))?;
    Ok(fields.iter().map(|(name, value)| Value::from(vec![name.as_str().into(), value.clone()])).collect())
}

fn from_pairs(value: &Value) -> Result {
    let shape = || "Expected an array of shape [ [k1,v1], [k2,v2] ... ] - With String keys.".to_owned();
    let pairs = list("Nested Arrays", value)?.iter().map(|pair| match list("Array of Pair", pair)?.as_slice() {
        [name, value] => Ok((json::text(name).ok_or_else(shape)?.to_owned(), value.clone())),
        _ => Err(shape()),
    });
    Ok(Value::Object(pairs.collect::<Result<Map<_, _>>>()?))
}

/// Joins lists, strings or objects; of objects the last value of a name stays.
fn concat(value: &Value) -> Result {
    let items = list("Array", value)?;
    if items.iter().all(Value::is_array) {
        return Ok(items.iter().filter_map(Value::as_array).flatten().cloned().collect());
    }
    if items.iter().all(|item| json::text(item).is_some()) {
        return Ok(items.iter().filter_map(json::text).collect::<String>().into());
    }
    let mut joined = Map::new();
    for item in items {
        let fields = item.as_object().ok_or_else(|| expected("Nested Object", "Object", item))?;
        joined.extend(fields.iter().map(|(name, value)| (name.clone(), value.clone())));
    }
    Ok(joined.into())
}
