//! Names that become names of the GraphQL schema.

use serde_json::Value;

use super::LoadError;
use super::unsupported::search;

/// Whether a name can stand in a GraphQL document (GraphQL specification, section 2.1.9).
pub fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.char_indices().all(|(index, c)| c == '_' || c.is_ascii_alphabetic() || index > 0 && c.is_ascii_digit())
}

/// Most lists that a type may have in one another.
const DEEPEST: usize = 16;

/// Whether a text refers to a type: a name or a list of a type, each with `!` where null is not allowed (GraphQL
/// specification, section 2.11).
fn is_type(text: &str) -> bool {
    let mut rest = text;
    for _ in 0..=DEEPEST {
        rest = rest.trim();
        rest = rest.strip_suffix('!').unwrap_or(rest).trim_end();
        match rest.strip_prefix('[').and_then(|list| list.strip_suffix(']')) {
            Some(element) => rest = element,
            None => return is_name(rest),
        }
    }
    false
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

/// Where a document gives types of the schema.
pub(super) const TYPES: &[&str] = &[
    "actions[*].definition.output_type",
    "actions[*].definition.arguments[*].type",
    "custom_types.input_objects[*].fields[*].type",
    "custom_types.objects[*].fields[*].type",
];

/// Refuses a name or a type that GraphQL does not allow, by its key.
pub(super) fn check(document: &Value) -> Result<(), LoadError> {
    let bad = |value: &Value| value.as_str().is_some_and(|name| !is_name(name) && !name.is_empty());
    if let Some((key, value)) = NAMES.iter().find_map(|key| search(document, key, String::new(), bad)) {
        return Err(LoadError::at(key, format!("{value} is not a valid GraphQL name: letters, digits and _ only")));
    }
    let bad = |value: &Value| value.as_str().is_some_and(|ty| !is_type(ty));
    if let Some((key, value)) = TYPES.iter().find_map(|key| search(document, key, String::new(), bad)) {
        return Err(LoadError::at(key, format!("{value} is not a GraphQL type, such as Int, String! or [uuid!]!")));
    }
    Ok(())
}
