//! One form for metadata that means the same, so that only real differences show, in a diff and in version control.

use serde_json::{Map, Value};

/// What identifies an element of each list whose order has no meaning.
const IDENTITIES: &[&str] = &["name", "role", "table", "role_name", "collection", "role_set", "type_name"];

/// Lists whose order is a part of their meaning, or that hold none of the above.
const ORDERED: &[&str] = &["arguments", "fields", "values", "lhs_fields", "columns", "payload", "methods"];

/// Keys whose value is a user's own and is left as it is.
const OPAQUE: &[&str] = &["filter", "check", "set", "payload", "request_transform", "response_transform"];

/// The client headers that Hasura holds back by default and writes out in an export.
const IGNORED_HEADERS: [&str; 14] = [
    "Content-Length",
    "Content-MD5",
    "User-Agent",
    "Host",
    "Origin",
    "Referer",
    "Accept",
    "Accept-Encoding",
    "Accept-Language",
    "Accept-Datetime",
    "Cache-Control",
    "Connection",
    "DNT",
    "Content-Type",
];

/// The document without what is default anyway, its keys and its unordered lists in order.
///
/// Permissions' own expressions are left as they are: serde_json compares objects without regard to order.
pub fn normal(document: &Value) -> Value {
    ordered(&sort_keys(&without_defaults(document)))
}

/// The value with its unordered lists in order.
fn ordered(value: &Value) -> Value {
    match value {
        Value::Object(fields) => Value::Object(
            fields
                .iter()
                .map(|(key, field)| {
                    let mut field = if OPAQUE.contains(&key.as_str()) { field.clone() } else { ordered(field) };
                    if let (Value::Array(items), false) = (&mut field, ORDERED.contains(&key.as_str())) {
                        items.sort_by_cached_key(identity);
                    }
                    (key.clone(), field)
                })
                .collect(),
        ),
        Value::Array(items) => Value::Array(items.iter().map(ordered).collect()),
        other => other.clone(),
    }
}

/// By what an element is found: its name, role or table; nothing for other elements, whose order then stays.
fn identity(item: &Value) -> String {
    IDENTITIES.iter().find_map(|key| item.get(key)).map(Value::to_string).unwrap_or_default()
}

fn without_defaults(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut kept = Map::new();
            for (key, field) in fields {
                if OPAQUE.contains(&key.as_str()) && !field.is_null() {
                    kept.insert(key.clone(), field.clone());
                    continue;
                }
                let field = without_defaults(field);
                if !is_default(key, &field) {
                    kept.insert(key.clone(), field);
                }
            }
            Value::Object(kept)
        }
        Value::Array(items) => Value::Array(items.iter().map(without_defaults).collect()),
        other => other.clone(),
    }
}

fn is_default(key: &str, value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty() && key == "comment",
        Value::Array(items) if key == "ignored_client_headers" => {
            items.iter().filter_map(Value::as_str).eq(IGNORED_HEADERS)
        }
        // An empty list of columns is not the same as none: it means no column rather than every column.
        Value::Array(items) => items.is_empty() && !ORDERED.contains(&key),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}

fn sort_keys(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let sorted = |key: &str, value: &Value| match OPAQUE.contains(&key) {
                true => value.clone(),
                false => sort_keys(value),
            };
            let mut pairs: Vec<(String, Value)> = fields.iter().map(|(k, v)| (k.clone(), sorted(k, v))).collect();
            pairs.sort_by(|a, b| rank(&a.0).cmp(&rank(&b.0)).then_with(|| a.0.cmp(&b.0)));
            Value::Object(pairs.into_iter().collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(sort_keys).collect()),
        other => other.clone(),
    }
}

/// The order of keys in a file: what a thing is, what belongs to it, who may do what with it; the rest by name.
const KEYS: &[&str] = &[
    "version",
    "name",
    "role",
    "role_name",
    "type_name",
    "kind",
    "table",
    "function",
    "schema",
    "url",
    "methods",
    "definition",
    "handler",
    "permission",
    "columns",
    "filter",
    "check",
    "set",
    "configuration",
    "object_relationships",
    "array_relationships",
    "remote_relationships",
    "computed_fields",
    "insert_permissions",
    "select_permissions",
    "update_permissions",
    "delete_permissions",
    "event_triggers",
    "permissions",
];

fn rank(key: &str) -> usize {
    KEYS.iter().position(|first| *first == key).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn defaults_and_order_make_no_difference() {
        let exported = json!({"tables": [
            {"table": {"name": "b", "schema": "public"}, "is_enum": false, "event_triggers": []},
            {"table": {"schema": "public", "name": "a"}, "configuration": {"custom_root_fields": {}, "comment": ""}},
        ]});
        let written = json!({"tables": [
            {"table": {"schema": "public", "name": "a"}},
            {"table": {"schema": "public", "name": "b"}},
        ]});
        assert_eq!(normal(&exported), normal(&written));
    }

    #[test]
    fn permissions_are_compared_to_the_letter() {
        let permission = |filter: Value, columns: Value| {
            normal(&json!({"select_permissions": [
                {"role": "user", "permission": {"filter": filter, "columns": columns}},
            ]}))
        };
        assert_ne!(permission(json!({"id": {"_in": []}}), json!("*")), permission(json!({}), json!("*")));
        assert_ne!(permission(json!({}), json!([])), permission(json!({}), json!("*")));
        assert_ne!(permission(json!({"a": {"_is_null": false}}), json!([])), permission(json!({"a": {}}), json!([])));
    }
}
