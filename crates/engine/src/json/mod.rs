//! JSON whose numbers keep their digits.
//!
//! A number of `serde_json` is an integer of 64 bits or a double; what is neither loses digits. (Its switch
//! `arbitrary_precision` would be thrown for every crate of the build, and Kubernetes' types cannot read numbers then.)
//! So [`read`] keeps such a number as a text that begins with a mark, which no client can send, and [`write`] writes it
//! as the number it was. Every other number is an ordinary one.

mod decimal;

use std::borrow::Cow;

use indexmap::IndexMap;
use serde::de::Error as _;
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

pub use decimal::Decimal;

/// A noncharacter of Unicode: text that is exchanged does not hold it.
const MARK: char = '\u{10FFFE}';
/// Shorter numbers without an exponent are exact as they are.
const EXACT: usize = 16;
/// Nesting that is followed, as by `serde_json` itself.
const DEEPEST: usize = 127;

/// A number from its text, with all its digits.
pub fn number(text: &str) -> Value {
    let plain = match text.contains(['.', 'e', 'E']) {
        false => text.parse::<i64>().map(Value::from).or_else(|_| text.parse::<u64>().map(Value::from)).ok(),
        true => text.parse::<f64>().ok().and_then(serde_json::Number::from_f64).map(Value::Number),
    };
    let same = |value: &Value| Decimal::parse(&value.to_string()) == Decimal::parse(text);
    plain.filter(same).unwrap_or_else(|| Value::String(format!("{MARK}{text}")))
}

/// The digits of a value that is a number.
pub fn digits(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::Number(number) => Some(number.to_string().into()),
        Value::String(text) => marked(text).map(Cow::Borrowed),
        _ => None,
    }
}

/// What a value is, as Hasura's parsers name it.
pub fn kind(value: &Value) -> &'static str {
    match value {
        number if digits(number).is_some() => "Number",
        Value::Null => "Null",
        Value::Bool(_) => "Boolean",
        Value::Number(_) => "Number",
        Value::String(_) => "String",
        Value::Array(_) => "Array",
        Value::Object(_) => "Object",
    }
}

/// The text of a value that is a string.
pub fn text(value: &Value) -> Option<&str> {
    value.as_str().filter(|text| marked(text).is_none())
}

/// A value as the database takes it for a column: texts as they are, anything else as JSON; nothing for null.
pub fn column_text(value: &Value) -> Option<String> {
    match (value, digits(value)) {
        (Value::Null, _) => None,
        (_, Some(digits)) => Some(digits.into_owned()),
        (Value::String(text), None) => Some(text.clone()),
        (other, None) => Some(write(other)),
    }
}

/// The digits behind a mark. What else a text with a mark holds is a text: nothing but a number is written bare.
fn marked(text: &str) -> Option<&str> {
    text.strip_prefix(MARK).filter(|digits| Decimal::parse(digits).is_some())
}

/// Reads JSON.
///
/// # Errors
/// Text that is no JSON, and strings that begin with the mark.
pub fn read(bytes: &[u8]) -> serde_json::Result<Value> {
    match is_plain(bytes) {
        true => serde_json::from_slice(bytes),
        false => exact(serde_json::from_slice(bytes)?, 0),
    }
}

/// Reads JSON with all the digits of its numbers.
fn exact(raw: &RawValue, depth: usize) -> serde_json::Result<Value> {
    let raw = raw.get();
    if depth > DEEPEST {
        return Err(serde_json::Error::custom("recursion limit exceeded"));
    }
    Ok(match raw.as_bytes().first() {
        Some(b'{') => {
            let fields: IndexMap<String, &RawValue> = serde_json::from_str(raw)?;
            let fields = fields.into_iter().map(|(name, value)| Ok((name, exact(value, depth + 1)?)));
            Value::Object(fields.collect::<serde_json::Result<_>>()?)
        }
        Some(b'[') => {
            let items: Vec<&RawValue> = serde_json::from_str(raw)?;
            Value::Array(items.into_iter().map(|item| exact(item, depth + 1)).collect::<serde_json::Result<_>>()?)
        }
        Some(b'0'..=b'9' | b'-') => number(raw),
        _ => match serde_json::from_str(raw)? {
            Value::String(text) if text.starts_with(MARK) => {
                let message = "a string must not begin with the noncharacter U+10FFFE";
                return Err(serde_json::Error::custom(message));
            }
            plain => plain,
        },
    })
}

/// Whether all numbers of a JSON text are exact as ordinary ones, and no string is taken for one.
pub fn is_plain(bytes: &[u8]) -> bool {
    let (mut string, mut escaped, mut length) = (false, false, 0);
    for (place, &byte) in bytes.iter().enumerate() {
        if string {
            match byte {
                _ if escaped => escaped = false,
                // The mark as an escape is a pair of surrogates.
                b'\\' if bytes.get(place + 1..place + 6).is_some_and(|next| next.eq_ignore_ascii_case(b"udbff")) => {
                    return false;
                }
                b'\\' => escaped = true,
                b'"' => string = false,
                // The mark's first byte.
                0xF4 => return false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => (string, length) = (true, 0),
            b'0'..=b'9' | b'.' | b'-' => length += 1,
            b'e' | b'E' if length > 0 => return false,
            _ => length = 0,
        }
        if length >= EXACT {
            return false;
        }
    }
    true
}

/// Writes JSON.
pub fn write(value: &Value) -> String {
    match holds_marks(value) {
        false => value.to_string(),
        true => serde_json::to_string(&Written(value)).unwrap_or_else(|_| value.to_string()),
    }
}

fn holds_marks(value: &Value) -> bool {
    match value {
        Value::String(text) => text.starts_with(MARK),
        Value::Array(items) => items.iter().any(holds_marks),
        Value::Object(fields) => fields.values().any(holds_marks),
        _ => false,
    }
}

/// A value as it is written: numbers with all their digits.
pub struct Written<'a>(pub &'a Value);

impl Serialize for Written<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::String(text) => match marked(text).map(|digits| RawValue::from_string(digits.to_owned())) {
                Some(Ok(digits)) => digits.serialize(serializer),
                _ => text.serialize(serializer),
            },
            Value::Array(items) => {
                let mut list = serializer.serialize_seq(Some(items.len()))?;
                items.iter().try_for_each(|item| list.serialize_element(&Written(item)))?;
                list.end()
            }
            Value::Object(fields) => WrittenMap(fields).serialize(serializer),
            plain => plain.serialize(serializer),
        }
    }
}

/// An object as it is written.
pub struct WrittenMap<'a>(pub &'a Map<String, Value>);

impl Serialize for WrittenMap<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(Some(self.0.len()))?;
        self.0.iter().try_for_each(|(name, value)| object.serialize_entry(name, &Written(value)))?;
        object.end()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_come_out_as_they_went_in() {
        for text in [
            "18446744073709551616",
            "-9223372036854775809",
            "0.1234567890123456789012345678901234567890",
            "{\"a\":[1,-2.5,33.333333333333336,1234567890123456789012345678901234567890],\"b\":\"12345678901234567890123\"}",
            "[1e400,12345678901234567.25]",
        ] {
            let value = read(text.as_bytes()).unwrap();
            assert_eq!(write(&value), text);
        }
        assert_eq!(read(b"[1, 2.50, 18446744073709551615]").unwrap(), json!([1, 2.5, u64::MAX]));
        assert_eq!(read(b"1.50000000000000000000").unwrap(), json!(1.5), "no digit is lost");
        assert_eq!(digits(&read(b"1e400").unwrap()).as_deref(), Some("1e400"));
        assert_eq!(digits(&json!("1")), None);
        assert_eq!([kind(&read(b"1e400").unwrap()), kind(&json!("1"))], ["Number", "String"]);
    }

    #[test]
    fn nobody_sends_a_mark() {
        for text in [
            format!("\"{MARK}1\""),
            "\"\\udbff\\udffe1\"".to_owned(),
            format!("[12345678901234567890123, \"{MARK}1\"]"),
        ] {
            assert!(read(text.as_bytes()).is_err(), "{text}");
        }
        let text = format!("\"a {MARK}\"");
        assert_eq!(read(text.as_bytes()).unwrap(), json!(format!("a {MARK}")));
        // Whatever else stands behind one is no JSON of its own.
        assert_eq!(write(&json!(format!("{MARK}1,\"x\":2"))), format!("\"{MARK}1,\\\"x\\\":2\""));
    }

    #[test]
    fn broken_text_and_deep_text_are_refused() {
        for text in ["", "[1,", "{\"a\":12345678901234567890123", "012345678901234567890", "1234567890123456789e"] {
            assert!(read(text.as_bytes()).is_err(), "{text}");
        }
        let deep = format!("{}12345678901234567890123{}", "[".repeat(200), "]".repeat(200));
        assert!(read(deep.as_bytes()).is_err());
    }
}
