//! Finding one's way in the metadata document.

use serde_json::{Map, Value, json};

use crate::error::{ErrorCode, GraphqlError, Result};
use crate::metadata::{LoadError, Metadata, QualifiedName};

/// The typed metadata of a document.
pub(super) fn parse(document: &Value) -> Result<Metadata> {
    Metadata::from_document(document).map_err(|error| refused("$.args", &error))
}

/// A refusal by the metadata reader, as Hasura words one.
pub(super) fn refused(path: &str, error: &LoadError) -> GraphqlError {
    let key = error.key.trim_start_matches('.');
    let path = if key.is_empty() { path.to_owned() } else { format!("{path}.{key}") };
    GraphqlError::at(path, ErrorCode::ParseFailed, error.reason.clone())
}

/// A string argument.
pub(super) fn text<'a>(args: &'a Value, key: &str) -> Result<&'a str> {
    let value = required(args, key)?;
    value.as_str().ok_or_else(|| {
        let found = crate::json::kind(value);
        let message = format!("parsing Text failed, expected String, but encountered {found}");
        GraphqlError::at(format!("$.args.{key}"), ErrorCode::ParseFailed, message)
    })
}

/// An argument that must be there.
pub(super) fn required<'a>(args: &'a Value, key: &str) -> Result<&'a Value> {
    args.get(key)
        .filter(|value| !value.is_null())
        .ok_or_else(|| GraphqlError::at("$.args", ErrorCode::ParseFailed, format!("key {key:?} not found")))
}

/// A table or function argument: a name, or schema and name.
pub(super) fn qualified(value: &Value) -> Result<QualifiedName> {
    use serde::Deserialize;
    QualifiedName::deserialize(value)
        .map_err(|error| GraphqlError::at("$.args", ErrorCode::ParseFailed, error.to_string()))
}

/// The name of the source that a command speaks of.
pub(super) fn source_name(args: &Value) -> &str {
    args.get("source").and_then(Value::as_str).unwrap_or("default")
}

/// The source that a command speaks of.
pub(super) fn source<'d>(document: &'d mut Value, args: &Value) -> Result<&'d mut Map<String, Value>> {
    let name = source_name(args).to_owned();
    list(document, "sources")
        .iter_mut()
        .find(|source| source.get("name").and_then(Value::as_str) == Some(&name))
        .and_then(Value::as_object_mut)
        .ok_or_else(|| GraphqlError::new(ErrorCode::NotExists, format!("source with name {name:?} does not exist")))
}

/// The tracked table that a command speaks of.
pub(super) fn table<'d>(document: &'d mut Value, args: &Value) -> Result<&'d mut Map<String, Value>> {
    let name = qualified(required(args, "table")?)?;
    let source_name = source_name(args).to_owned();
    let tables = member_list(source(document, args)?, "tables");
    find(tables, "table", &json!(name)).ok_or_else(|| {
        let message = format!("table {:?} does not exist in source: {source_name}", name.to_string());
        GraphqlError::new(ErrorCode::NotExists, message)
    })
}

/// A list under the document's root; made when it is missing.
pub(super) fn list<'d>(document: &'d mut Value, key: &str) -> &'d mut Vec<Value> {
    if !document.is_object() {
        *document = json!({});
    }
    match document {
        Value::Object(fields) => member_list(fields, key),
        _ => unreachable!("made an object above"),
    }
}

/// A list under an object; made when it is missing.
pub(super) fn member_list<'d>(fields: &'d mut Map<String, Value>, key: &str) -> &'d mut Vec<Value> {
    let value = fields.entry(key).or_insert_with(|| json!([]));
    if !value.is_array() {
        *value = json!([]);
    }
    match value {
        Value::Array(list) => list,
        _ => unreachable!("made an array above"),
    }
}

/// The member of a list whose `key` has that value.
pub(super) fn find<'d>(list: &'d mut [Value], key: &str, value: &Value) -> Option<&'d mut Map<String, Value>> {
    list.iter_mut().find(|member| member.get(key) == Some(value)).and_then(Value::as_object_mut)
}

/// Removes the members of a list whose `key` has that value; says whether there were any.
pub(super) fn remove(list: &mut Vec<Value>, key: &str, value: &Value) -> bool {
    let before = list.len();
    list.retain(|member| member.get(key) != Some(value));
    list.len() < before
}

/// The named members of `args`, as a new object.
pub(super) fn pick(args: &Value, keys: &[&str]) -> Value {
    let mut picked = Map::new();
    for key in keys {
        if let Some(value) = args.get(*key).filter(|value| !value.is_null()) {
            picked.insert((*key).to_owned(), value.clone());
        }
    }
    Value::Object(picked)
}
