//! Enum tables: whose rows are the values of a GraphQL enum.

use std::collections::HashMap;

use super::scalar::ScalarType;
use crate::engine::catalog::Table;
use crate::engine::metadata::{QualifiedName, is_name};

/// The values of enum tables, with their comments.
pub type EnumValues = HashMap<QualifiedName, Vec<(String, Option<String>)>>;

/// Why a table cannot be an enum, if it cannot: its key must be one column of text, beside at most one comment, and
/// its rows must be names that a GraphQL enum allows.
pub(super) fn refusal(table: &Table, values: Option<&Vec<(String, Option<String>)>>) -> Option<String> {
    let reason = reason(table, values.map_or(&[], Vec::as_slice))?;
    Some(format!("the table \"{}\" cannot be used as an enum because {reason}", table.name))
}

fn reason(table: &Table, values: &[(String, Option<String>)]) -> Option<String> {
    let not_text = |name: &str| {
        let column = table.columns.iter().find(|column| column.name == name)?;
        let ty = ScalarType::of(&column.ty);
        (ty.list || !ty.is_text()).then_some(ty.name)
    };
    let Some(key) = &table.primary_key else { return Some("the table must have a primary key".to_owned()) };
    let [key] = key.columns.as_slice() else {
        let columns: Vec<String> = key.columns.iter().map(|column| format!("\"{column}\"")).collect();
        return Some(format!("the table's primary key must not span multiple columns ({})", columns.join(", ")));
    };
    if let Some(ty) = not_text(key) {
        return Some(format!("the table's primary key (\"{key}\") must have type \"text\", not type \"{ty}\""));
    }
    let others: Vec<&str> =
        table.columns.iter().map(|column| column.name.as_str()).filter(|name| name != key).collect();
    match others.as_slice() {
        [] => {}
        [comment] => {
            if let Some(ty) = not_text(comment) {
                return Some(format!(
                    "the table's comment column (\"{comment}\") must have type \"text\", not type \"{ty}\""
                ));
            }
        }
        more => {
            let names: Vec<String> = more.iter().map(|column| format!("\"{column}\"")).collect();
            return Some(format!(
                "the table must have exactly one primary key and optionally one comment column, not {} columns ({})",
                more.len() + 1,
                names.join(", ")
            ));
        }
    }
    if values.is_empty() {
        return Some("the table must have at least one row".to_owned());
    }
    let allowed = |value: &str| is_name(value) && !["true", "false", "null"].contains(&value);
    let bad: Vec<String> =
        values.iter().filter(|(value, _)| !allowed(value)).map(|(value, _)| format!("\"{value}\"")).collect();
    match bad.as_slice() {
        [] => None,
        [one] => Some(format!("value {one} is not a valid GraphQL enum value name")),
        [first, second] => Some(format!("values {first} and {second} are not valid GraphQL enum value names")),
        [others @ .., last] => {
            Some(format!("values {}, and {last} are not valid GraphQL enum value names", others.join(", ")))
        }
    }
}
