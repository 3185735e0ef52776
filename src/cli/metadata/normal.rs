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
    ordered(&sort_keys(&without_defaults(document, false)))
}

/// The server's document with each expression written as the directory writes it, where both mean the same: Hasura
/// orders keys, and writes lists of conditions on different columns as one object. Both in normal form.
pub fn aligned(server: &Value, directory: &Value) -> Value {
    match (server, directory) {
        (Value::Object(own), Value::Object(other)) => Value::Object(
            own.iter()
                .map(|(key, value)| {
                    let value = match other.get(key) {
                        Some(other) if OPAQUE.contains(&key.as_str()) => match meaning(value) == meaning(other) {
                            true => other.clone(),
                            false => value.clone(),
                        },
                        Some(other) => aligned(value, other),
                        None => value.clone(),
                    };
                    (key.clone(), value)
                })
                .collect(),
        ),
        (Value::Array(own), Value::Array(other)) => {
            let found = |place: usize, item: &Value| match identity(item) {
                name if name.is_empty() => other.get(place),
                name => other.iter().find(|other| identity(other) == name),
            };
            let align = |(place, item)| found(place, item).map_or_else(|| item.clone(), |other| aligned(item, other));
            Value::Array(own.iter().enumerate().map(align).collect())
        }
        (own, _) => own.clone(),
    }
}

/// An expression in the form that all of its meaning share.
fn meaning(expression: &Value) -> Value {
    match expression {
        Value::Object(fields) => {
            let mut conditions = Map::new();
            for (key, value) in fields {
                let key = key.strip_prefix('$').map_or_else(|| key.clone(), |name| format!("_{name}"));
                let value = meaning(value);
                let parts = match &value {
                    Value::Array(parts) if key == "_and" => merged(parts),
                    _ => None,
                };
                match parts {
                    Some(parts) if parts.keys().all(|part| !fields.contains_key(part)) => conditions.extend(parts),
                    _ => drop(conditions.insert(key, value)),
                }
            }
            Value::Object(conditions)
        }
        Value::Array(items) => Value::Array(items.iter().map(meaning).collect()),
        other => other.clone(),
    }
}

/// Conditions that all hold, as one object; nothing when two of them are about the same.
fn merged(parts: &[Value]) -> Option<Map<String, Value>> {
    let mut all = Map::new();
    for (key, value) in parts.iter().filter_map(Value::as_object).flatten() {
        if all.insert(key.clone(), value.clone()).is_some() {
            return None;
        }
    }
    parts.iter().all(Value::is_object).then_some(all)
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

/// Under these an empty comment takes the place of the one in the database, so that there is no description.
const DESCRIBED: &[&str] = &["configuration", "computed_fields", "functions"];

fn without_defaults(value: &Value, described: bool) -> Value {
    match value {
        Value::Object(fields) => {
            let mut kept = Map::new();
            for (key, field) in fields {
                if OPAQUE.contains(&key.as_str()) && !field.is_null() {
                    kept.insert(key.clone(), field.clone());
                    continue;
                }
                let described = described || DESCRIBED.contains(&key.as_str());
                let field = without_defaults(field, described);
                if !is_default(key, &field, described) {
                    kept.insert(key.clone(), field);
                }
            }
            Value::Object(kept)
        }
        Value::Array(items) => Value::Array(items.iter().map(|item| without_defaults(item, described)).collect()),
        other => other.clone(),
    }
}

fn is_default(key: &str, value: &Value, described: bool) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty() && key == "comment" && !described,
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
            {"table": {"schema": "public", "name": "a"}, "configuration": {"custom_root_fields": {}},
                "select_permissions": [{"role": "user", "permission": {"columns": [], "filter": {}}, "comment": ""}]},
        ]});
        let written = json!({"tables": [
            {"table": {"schema": "public", "name": "a"},
                "select_permissions": [{"role": "user", "permission": {"columns": [], "filter": {}}}]},
            {"table": {"schema": "public", "name": "b"}},
        ]});
        assert_eq!(normal(&exported), normal(&written));
    }

    #[test]
    fn an_empty_comment_hides_that_of_the_database() {
        let table = |configuration: Value| normal(&json!({"tables": [{"table": "a", "configuration": configuration}]}));
        assert_ne!(table(json!({"comment": ""})), table(json!({})));
        assert_ne!(table(json!({"column_config": {"id": {"comment": ""}}})), table(json!({})));
        let function = |comment: Value| normal(&json!({"functions": [{"function": "f", "comment": comment}]}));
        assert_ne!(function(json!("")), function(Value::Null));
    }

    #[test]
    fn expressions_of_one_meaning_are_written_as_the_directory_has_them() {
        let permission = |filter: Value| {
            normal(&json!({"tables": [{"table": "b"}, {"table": "a", "select_permissions": [
                {"role": "user", "permission": {"columns": ["id"], "filter": filter}},
                {"role": "other", "permission": {"columns": ["id"], "filter": {}}},
            ]}]}))
        };
        let shown = |server: Value, directory: Value| {
            let (server, directory) = (permission(server), permission(directory));
            // As text: equal values may have their keys in another order.
            let (aligned, directory) = (aligned(&server, &directory).to_string(), directory.to_string());
            aligned == directory
        };
        let written =
            json!({"team": {"members": {"user_id": {"_eq": "X-Hasura-User-Id"}, "left": {"_is_null": true}}}});
        let exported =
            json!({"team": {"members": {"left": {"_is_null": true}, "user_id": {"_eq": "X-Hasura-User-Id"}}}});
        assert!(shown(exported, written));
        assert!(shown(
            json!({"a": {"_eq": 1}, "b": {"_eq": 2}}),
            json!({"_and": [{"a": {"_eq": 1}}, {"b": {"_eq": 2}}]})
        ));
        assert!(shown(json!({"_or": [{"a": {"_eq": 1}}]}), json!({"$or": [{"a": {"_eq": 1}}]})));
        assert!(shown(json!({}), json!({"_and": []})));
        let twice = json!({"_and": [{"a": {"_gt": 1}}, {"a": {"_lt": 5}}]});
        assert!(shown(twice.clone(), twice.clone()) && !shown(json!({"a": {"_lt": 5}}), twice));
        assert!(!shown(json!({"a": {"_eq": 1}}), json!({"a": {"_eq": 2}})));
        assert!(!shown(
            json!({"_or": [{"a": {"_eq": 1}}, {"b": {"_eq": 2}}]}),
            json!({"a": {"_eq": 1}, "b": {"_eq": 2}})
        ));
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
