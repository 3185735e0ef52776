//! Names that become names of the GraphQL schema.

use serde_json::Value;

use super::LoadError;
use super::unsupported::search;

/// Whether a name can stand in a GraphQL document (GraphQL specification, section 2.1.9).
pub fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.char_indices().all(|(index, c)| c == '_' || c.is_ascii_alphabetic() || index > 0 && c.is_ascii_digit())
}

/// Where a document gives names of the schema, with `[*]` for every item of a list and `*` for every value of an object.
pub(super) const NAMES: &[&str] = &[
    "sources[*].customization.root_fields.prefix",
    "sources[*].customization.root_fields.suffix",
    "sources[*].customization.type_names.prefix",
    "sources[*].customization.type_names.suffix",
    "sources[*].tables[*].configuration.custom_name",
    "sources[*].tables[*].configuration.custom_root_fields.*",
    "sources[*].tables[*].configuration.custom_root_fields.*.name",
    "sources[*].tables[*].configuration.custom_column_names.*",
    "sources[*].tables[*].configuration.column_config.*.custom_name",
    "sources[*].functions[*].configuration.custom_name",
    "sources[*].functions[*].configuration.custom_root_fields.*",
    "actions[*].name",
    "actions[*].definition.arguments[*].name",
    "custom_types.*[*].name",
    "custom_types.input_objects[*].fields[*].name",
    "custom_types.objects[*].fields[*].name",
    "custom_types.objects[*].relationships[*].name",
    "custom_types.enums[*].values[*].value",
];

/// Refuses a name that GraphQL does not allow, by its key.
pub(super) fn check(document: &Value) -> Result<(), LoadError> {
    let bad = |value: &Value| value.as_str().is_some_and(|name| !is_name(name) && !name.is_empty());
    match NAMES.iter().find_map(|key| search(document, key, String::new(), bad)) {
        None => Ok(()),
        Some((key, value)) => {
            Err(LoadError::at(key, format!("{value} is not a valid GraphQL name: letters, digits and _ only")))
        }
    }
}
