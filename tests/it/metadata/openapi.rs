//! The directory against `MetadataV3` of Hasura's own `metadata.openapi.json`.

use serde_json::{Value, json};

use super::document;
use crate::support::shared_directory;

#[test]
fn the_directory_is_valid_metadata_of_version_3() {
    let Some(path) = shared_directory("vendor/hasura/metadata.openapi.json") else { return };
    // The file bounds some numbers by the largest double, written out. JSON's reader refuses that; YAML's gives text.
    let openapi: Value = serde_norway::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let mut components = with_nulls(&openapi["components"]);
    // A fault of the file: it asks of a remote schema what belongs to its relationships, and refuses what Hasura exports.
    let required = &mut components["schemas"]["RemoteSchemaMetadata_RemoteRelationshipDefinition"]["required"];
    required.as_array_mut().unwrap().retain(|key| *key != "type_name");
    let schema = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$ref": "#/components/schemas/MetadataV3",
        "components": components,
    });
    let validator = jsonschema::validator_for(&schema).unwrap();
    let document = document();
    let faults: Vec<String> =
        validator.iter_errors(&document).map(|fault| format!("{}: {fault}", fault.instance_path())).collect();
    assert!(faults.is_empty(), "{faults:#?}");

    // The validator bites: a permission without a filter is refused.
    let mut broken = document;
    let permission = broken.pointer_mut("/sources/0/tables/0/select_permissions/0/permission").unwrap();
    permission.as_object_mut().unwrap().remove("filter");
    assert!(!validator.is_valid(&broken));
}

/// OpenAPI 3.0's `nullable` as JSON Schema says it.
pub fn with_nulls(schema: &Value) -> Value {
    match schema {
        Value::Object(fields) => {
            let nullable = fields.get("nullable") == Some(&Value::Bool(true));
            let bound = |key: &str, value: &Value| matches!(key, "maximum" | "minimum") && value.is_string();
            let fields = fields.iter().filter(|(key, value)| *key != "nullable" && !bound(key, value));
            let inner = Value::Object(fields.map(|(key, value)| (key.clone(), with_nulls(value))).collect());
            if nullable { json!({"anyOf": [inner, {"type": "null"}]}) } else { inner }
        }
        Value::Array(items) => items.iter().map(with_nulls).collect(),
        other => other.clone(),
    }
}
