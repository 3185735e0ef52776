//! Names of types and root fields, by Hasura's two conventions.

use std::collections::HashMap;

use super::{Model, RootNames};
use crate::metadata::{QualifiedName, RootFieldName, TableRootFields};

/// The GraphQL name of a table or function: the schema in front unless it is `public`.
pub fn table(name: &QualifiedName, camel: bool) -> String {
    let full = match name.schema.as_str() {
        "public" => name.name.clone(),
        schema => format!("{schema}_{}", name.name),
    };
    field(&full, camel)
}

/// A field's name: as in the database, or in camel case.
pub fn field(name: &str, camel: bool) -> String {
    if camel { camel_case(name, false) } else { name.to_owned() }
}

/// A value of an enum table: as in the database, or in upper case.
pub fn enum_value(value: &str, camel: bool) -> String {
    if camel { value.to_uppercase() } else { value.to_owned() }
}

/// A root field that derives from a base name: `base_suffix` or `baseSuffix`.
pub fn joined(base: &str, suffix: &str, camel: bool) -> String {
    match camel {
        true => format!("{}{}", camel_case(base, false), camel_case(suffix, true)),
        false => format!("{base}_{suffix}"),
    }
}

/// A type that derives from a base name: `base_suffix` or `BaseSuffix`.
pub fn joined_type(base: &str, suffix: &str, camel: bool) -> String {
    match camel {
        true => format!("{}{}", camel_case(base, true), camel_case(suffix, true)),
        false => format!("{base}_{suffix}"),
    }
}

/// A name with prefix and suffix.
pub fn affixed(name: &str, (prefix, suffix): &(String, String)) -> String {
    format!("{prefix}{name}{suffix}")
}

/// `snake_case` to `camelCase`, or to `CamelCase` when `first` is set.
pub fn camel_case(name: &str, first: bool) -> String {
    let mut text = String::with_capacity(name.len());
    let mut upper = first;
    for (index, character) in name.char_indices() {
        if character == '_' && index > 0 {
            upper = true;
        } else if upper {
            text.extend(character.to_uppercase());
            upper = false;
        } else if index == 0 {
            text.extend(character.to_lowercase());
        } else {
            text.push(character);
        }
    }
    text
}

/// The names of a table's root fields, and the descriptions that were given.
pub fn roots(base: &str, custom: &TableRootFields, model: &Model) -> (RootNames, HashMap<&'static str, String>) {
    let camel = model.camel_case;
    let own = if camel { camel_case(base, false) } else { base.to_owned() };
    let suffixed = |suffix: &str| joined(base, suffix, camel);
    let verb = |verb: &str, suffix: &str| match (camel, suffix) {
        (true, suffix) => format!("{verb}{}{}", camel_case(base, true), camel_case(suffix, true)),
        (false, "") => format!("{verb}_{base}"),
        (false, suffix) => format!("{verb}_{base}_{suffix}"),
    };
    let by_pk = "by_pk";
    let mut comments = HashMap::new();
    let mut pick = |key: &'static str, chosen: &Option<RootFieldName>, default: String| {
        if let Some(comment) = chosen.as_ref().and_then(RootFieldName::comment) {
            comments.insert(key, comment.to_owned());
        }
        let name = chosen.as_ref().and_then(RootFieldName::name).map(str::to_owned).unwrap_or(default);
        affixed(&name, &model.root_affixes)
    };
    let names = RootNames {
        select: pick("select", &custom.select, own),
        select_by_pk: pick("select_by_pk", &custom.select_by_pk, suffixed(by_pk)),
        select_aggregate: pick("select_aggregate", &custom.select_aggregate, suffixed("aggregate")),
        select_stream: pick("select_stream", &custom.select_stream, suffixed("stream")),
        insert: pick("insert", &custom.insert, verb("insert", "")),
        insert_one: pick("insert_one", &custom.insert_one, verb("insert", "one")),
        update: pick("update", &custom.update, verb("update", "")),
        update_by_pk: pick("update_by_pk", &custom.update_by_pk, verb("update", by_pk)),
        update_many: pick("update_many", &custom.update_many, verb("update", "many")),
        delete: pick("delete", &custom.delete, verb("delete", "")),
        delete_by_pk: pick("delete_by_pk", &custom.delete_by_pk, verb("delete", by_pk)),
    };
    (names, comments)
}
