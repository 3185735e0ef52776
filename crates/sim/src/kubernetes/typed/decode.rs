//! A serde deserializer over JSON that records the name of each Go struct, each unknown field and the first wrong
//! type on its way, in the words of Go's `encoding/json`.

use std::cell::RefCell;

use serde::de::value::{StrDeserializer, StringDeserializer};
use serde::de::{self, DeserializeOwned, DeserializeSeed, Deserializer, IntoDeserializer, Visitor};
use serde_json::Value;

/// What decoding an object found.
#[derive(Debug, Default)]
pub(crate) struct Decoded {
    /// Paths of fields that the type does not have, such as `spec.template.spec.containers[0].imag`.
    pub(crate) unknown: Vec<String>,
    /// The first wrong type, as Go words it.
    pub(crate) error: Option<String>,
    /// The same as server-side apply words it: path and complaint.
    pub(crate) apply_error: Option<(String, String)>,
}

/// Decodes `value` as `T` and says what a typed API server would find.
pub(crate) fn check<T: DeserializeOwned>(value: &Value) -> Decoded {
    let trace = Trace::default();
    let node = Node { value, trace: &trace, place: Place::default() };
    let outcome = T::deserialize(node);
    let mut found = Decoded {
        unknown: trace.unknown.into_inner(),
        error: trace.error.into_inner(),
        apply_error: trace.apply_error.into_inner(),
    };
    if let (Err(error), None) = (outcome, &found.error) {
        found.error = Some(go_words(error.0));
    }
    found
}

/// A value's own complaint, in the words of Go where they are known.
fn go_words(error: String) -> String {
    let offset = error.strip_prefix("Invalid symbol ").and_then(|rest| rest.split("offset ").nth(1));
    match offset {
        Some(offset) => format!("illegal base64 data at input byte {}", offset.trim_end_matches('.')),
        None => error,
    }
}

#[derive(Default)]
struct Trace {
    unknown: RefCell<Vec<String>>,
    error: RefCell<Option<String>>,
    apply_error: RefCell<Option<(String, String)>>,
}

/// Where a value stands: its path with indices, its path of struct fields, and the struct that holds it.
#[derive(Clone, Default)]
struct Place {
    path: String,
    fields: String,
    holder: &'static str,
}

struct Node<'a> {
    value: &'a Value,
    trace: &'a Trace,
    place: Place,
}

/// An error of decoding; its text is for values whose own check failed (a bad time, a bad quantity).
#[derive(Debug)]
pub(crate) struct Wrong(String);

impl std::fmt::Display for Wrong {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Wrong {}

impl de::Error for Wrong {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Wrong(message.to_string())
    }
}

impl Node<'_> {
    fn mismatch(&self, go_type: &str) -> Wrong {
        let got = match self.value {
            Value::Null => "null",
            Value::Bool(_) => "bool",
            Value::Number(number) if go_type.starts_with("int") => {
                return self.fail(&format!("number {number}"), go_type);
            }
            Value::Number(_) => "number",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        self.fail(got, go_type)
    }

    fn fail(&self, got: &str, go_type: &str) -> Wrong {
        let holder = self.place.holder;
        let message = if self.place.fields.is_empty() {
            format!("json: cannot unmarshal {got} into Go value of type {go_type}")
        } else {
            format!(
                "json: cannot unmarshal {got} into Go struct field {holder}.{} of type {go_type}",
                self.place.fields
            )
        };
        let wanted = match go_type {
            "int32" | "int64" | "float64" => "expected numeric (int or float)",
            "bool" => "expected boolean",
            "string" => "expected string",
            other if other.starts_with("[]") => "expected list",
            _ => "expected map",
        };
        let yaml_got = match self.value {
            Value::Null => "null".to_owned(),
            Value::Bool(_) => "bool".to_owned(),
            Value::Number(number) => format!("&value.valueUnstructured{{Value:{number}}}"),
            Value::String(_) => "string".to_owned(),
            Value::Array(_) => "list".to_owned(),
            Value::Object(_) => "map".to_owned(),
        };
        self.trace.error.borrow_mut().get_or_insert(message.clone());
        self.trace
            .apply_error
            .borrow_mut()
            .get_or_insert((format!(".{}", self.place.path), format!("{wanted}, got {yaml_got}")));
        Wrong(message)
    }

    fn scalar_name(&self) -> &'static str {
        "string"
    }
}

impl Node<'_> {
    fn whole<N: TryFrom<i64>>(&self, go_type: &str) -> Result<N, Wrong> {
        self.value.as_i64().and_then(|number| N::try_from(number).ok()).ok_or_else(|| self.mismatch(go_type))
    }
}

impl<'de> Deserializer<'de> for Node<'_> {
    type Error = Wrong;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match self.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(flag) => visitor.visit_bool(*flag),
            Value::Number(number) => match (number.as_i64(), number.as_f64()) {
                (Some(whole), _) => visitor.visit_i64(whole),
                (None, Some(real)) => visitor.visit_f64(real),
                (None, None) => Err(self.mismatch("float64")),
            },
            Value::String(text) => visitor.visit_string(text.clone()),
            Value::Array(_) => self.deserialize_seq(visitor),
            Value::Object(_) => self.deserialize_map(visitor),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match self.value {
            Value::Bool(flag) => visitor.visit_bool(*flag),
            _ => Err(self.mismatch("bool")),
        }
    }

    fn deserialize_i8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_i8(self.whole("int8")?)
    }

    fn deserialize_i16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_i16(self.whole("int16")?)
    }

    fn deserialize_i32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_i32(self.whole("int32")?)
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_i64(self.whole("int64")?)
    }

    fn deserialize_u8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_u8(self.whole("uint8")?)
    }

    fn deserialize_u16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_u16(self.whole("uint16")?)
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_u32(self.whole("uint32")?)
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_u64(self.whole("uint64")?)
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match self.value.as_f64() {
            Some(number) => visitor.visit_f64(number),
            None => Err(self.mismatch("float64")),
        }
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        self.deserialize_string(visitor)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        self.deserialize_string(visitor)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match self.value {
            Value::String(text) => visitor.visit_string(text.clone()),
            _ => Err(self.mismatch(self.scalar_name())),
        }
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        self.deserialize_string(visitor)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        self.deserialize_string(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match self.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, Wrong> {
        match (name, self.value) {
            ("Quantity", Value::String(text)) => {
                if super::Quantity::parse(text).is_none() {
                    let message = "quantities must match the regular expression \
                                   '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
                    self.trace.error.borrow_mut().get_or_insert(message.to_owned());
                    return Err(Wrong(message.to_owned()));
                }
                visitor.visit_newtype_struct(self)
            }
            ("Quantity", Value::Number(number)) => {
                visitor.visit_newtype_struct(StringDeserializer::<Wrong>::new(number.to_string()))
            }
            ("Time" | "MicroTime", Value::String(text)) => {
                let parsed = time::OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339).is_ok();
                if !parsed {
                    let message = format!(
                        "parsing time {:?} as \"2006-01-02T15:04:05Z07:00\": cannot parse {:?} as \"2006\"",
                        text, text
                    );
                    self.trace.error.borrow_mut().get_or_insert(message.clone());
                    return Err(Wrong(message));
                }
                visitor.visit_newtype_struct(self)
            }
            _ => visitor.visit_newtype_struct(self),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match self.value {
            Value::Array(items) => {
                visitor.visit_seq(Items { items: items.iter().enumerate(), trace: self.trace, place: &self.place })
            }
            _ => Err(self.mismatch("[]string")),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Wrong> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match self.value {
            Value::Object(map) => visitor.visit_map(Entries {
                entries: map.iter(),
                pending: None,
                trace: self.trace,
                place: &self.place,
                of_struct: None,
            }),
            _ => Err(self.mismatch("map[string]string")),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        known: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        let Value::Object(map) = self.value else {
            return Err(self.mismatch(&format!("v1.{name}")));
        };
        visitor.visit_map(Entries {
            entries: map.iter(),
            pending: None,
            trace: self.trace,
            place: &self.place,
            of_struct: Some((name, known)),
        })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        match self.value {
            Value::String(text) => visitor.visit_enum(text.as_str().into_deserializer()),
            _ => Err(self.mismatch("string")),
        }
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        self.deserialize_string(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_unit()
    }
}

struct Items<'a, I> {
    items: I,
    trace: &'a Trace,
    place: &'a Place,
}

impl<'de, 'a, I: Iterator<Item = (usize, &'a Value)>> de::SeqAccess<'de> for Items<'a, I> {
    type Error = Wrong;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Wrong> {
        let Some((index, value)) = self.items.next() else { return Ok(None) };
        let place = Place { path: format!("{}[{index}]", self.place.path), ..self.place.clone() };
        seed.deserialize(Node { value, trace: self.trace, place }).map(Some)
    }
}

struct Entries<'a, I> {
    entries: I,
    pending: Option<(&'a String, &'a Value)>,
    trace: &'a Trace,
    place: &'a Place,
    of_struct: Option<(&'static str, &'static [&'static str])>,
}

fn join(parent: &str, key: &str) -> String {
    if parent.is_empty() { key.to_owned() } else { format!("{parent}.{key}") }
}

impl<'de, 'a, I: Iterator<Item = (&'a String, &'a Value)>> de::MapAccess<'de> for Entries<'a, I> {
    type Error = Wrong;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Wrong> {
        for (key, value) in self.entries.by_ref() {
            if let Some((_, known)) = self.of_struct {
                if !known.contains(&key.as_str()) {
                    self.trace.unknown.borrow_mut().push(join(&self.place.path, key));
                    continue;
                }
                if value.is_null() {
                    continue;
                }
            }
            self.pending = Some((key, value));
            return seed.deserialize(StrDeserializer::<Wrong>::new(key)).map(Some);
        }
        Ok(None)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Wrong> {
        let Some((key, value)) = self.pending.take() else {
            return Err(de::Error::custom("a value was asked before its key"));
        };
        let mut place = Place { path: join(&self.place.path, key), ..self.place.clone() };
        if let Some((name, _)) = self.of_struct {
            place.fields = join(&self.place.fields, key);
            place.holder = name;
        }
        seed.deserialize(Node { value, trace: self.trace, place })
    }
}
