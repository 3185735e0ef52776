//! A value of the wrong kind in each field of each body that the REST interface documents.

use serde_json::{Map, Value, json};

use super::Stack;

/// Every refusal names the field that holds the wrong value, and no other.
pub async fn each_wrong_value_is_named(stack: &Stack, token: &str, document: &Value) {
    let mut seen = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        // Sessions have limits of their own, and fields that are texts alone.
        if !path.starts_with("/api/v1/") || path.starts_with("/api/v1/auth/") {
            continue;
        }
        for method in ["post", "patch", "put"] {
            let schema = &item[method]["requestBody"]["content"]["application/json"]["schema"];
            let Some(properties) = schema["properties"].as_object() else { continue };
            let required = schema["required"].as_array().cloned().unwrap_or_default();
            let good: Map<String, Value> = required
                .iter()
                .map(|name| name.as_str().unwrap())
                .map(|name| (name.to_owned(), right(&properties[name])))
                .collect();
            for (name, property) in properties {
                let Some(wrong) = wrong(property) else { continue };
                let mut body = good.clone();
                body.insert(name.clone(), wrong);
                let url = path.replace("{id}", NOBODY).replace("{user_id}", NOBODY);
                let method = reqwest::Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
                let request = stack.http().request(method, format!("{}{url}", stack.api_url()));
                let answer = request.bearer_auth(token).json(&body).send().await.unwrap();
                let status = answer.status().as_u16();
                let answer: Value = answer.json().await.unwrap_or_default();
                let details = answer["error"]["details"].as_object();
                let named: Vec<&String> = details.iter().flat_map(|details| details.keys()).collect();
                assert_eq!((status, named), (422, vec![name]), "{path} {body:?}: {answer}");
                seen += 1;
            }
        }
    }
    assert!(seen > 50, "{seen}");
}

const NOBODY: &str = "00000000-0000-4000-8000-000000000000";

/// The kind of a property, also where it may be null.
fn kind(property: &Value) -> &str {
    let kinds = property["type"].as_array().map(Vec::as_slice).unwrap_or(std::slice::from_ref(&property["type"]));
    kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null").unwrap_or_default()
}

fn right(property: &Value) -> Value {
    match (kind(property), property["format"].as_str()) {
        (_, Some("uuid")) => json!(NOBODY),
        ("integer" | "number", _) => json!(1),
        ("boolean", _) => json!(true),
        ("object", _) => json!({}),
        _ => json!("name"),
    }
}

/// A value of another kind; none for what takes every kind.
fn wrong(property: &Value) -> Option<Value> {
    match (kind(property), property["format"].as_str()) {
        (_, Some("uuid")) => Some(json!("not-an-id")),
        ("string", _) => Some(json!({ "text": 5 })),
        ("integer" | "number", _) => Some(json!("many")),
        ("boolean", _) => Some(json!("perhaps")),
        _ => None,
    }
}
