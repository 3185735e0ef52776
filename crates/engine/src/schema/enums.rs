//! Enum tables: whose rows are the values of a GraphQL enum.

use std::collections::HashMap;

use super::model::scalar::ScalarType;
use crate::catalog::Table;
use crate::metadata::{QualifiedName, is_name};

/// The values of enum tables, with their comments.
pub type EnumValues = HashMap<QualifiedName, Vec<(String, Option<String>)>>;

/// Why a table cannot be an enum, if it cannot: its key must be one column of text, beside at most one comment, and
/// its rows must be names that a GraphQL enum allows.
pub(super) fn refusal(table: &Table, values: Option<&Vec<(String, Option<String>)>>) -> Option<String> {
    let mut reasons = of_shape(table);
    if reasons.is_empty() {
        reasons.extend(of_values(values.map_or(&[], Vec::as_slice)));
    }
    Some(format!("the table \"{}\" cannot be used as an enum {}", table.name, because(&reasons)?))
}

/// Reasons as Hasura strings them together; nothing when there are none.
pub(super) fn because(reasons: &[String]) -> Option<String> {
    match reasons {
        [] => None,
        [only] => Some(format!("because {only}")),
        several => {
            let listed: Vec<String> = several.iter().map(|reason| format!("  • {reason}\n")).collect();
            Some(format!("for the following reasons:\n{}", listed.concat()))
        }
    }
}

fn of_shape(table: &Table) -> Vec<String> {
    let not_text = |what: &str, name: &str| {
        let column = table.columns.iter().find(|column| column.name == name)?;
        let ty = ScalarType::of(&column.ty);
        let differs = ty.list || !ty.is_text();
        let found = ty.database_name();
        differs.then(|| format!("the table’s {what} (\"{name}\") must have type \"text\", not type \"{found}\""))
    };
    let listed = |mut names: Vec<&str>| {
        names.sort_unstable();
        names.join(", ")
    };
    let key: &[String] = table.primary_key.as_ref().map_or(&[], |key| &key.columns);
    let mut reasons = Vec::new();
    match key {
        [] => reasons.push("the table must have a primary key".to_owned()),
        [key] => reasons.extend(not_text("primary key", key)),
        several => reasons.push(format!(
            "the table’s primary key must not span multiple columns ({})",
            listed(several.iter().map(String::as_str).collect())
        )),
    }
    let all: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
    match all.iter().filter(|name| !key.iter().any(|key| key == *name)).collect::<Vec<_>>().as_slice() {
        [] => {}
        [comment] => reasons.extend(not_text("comment column", comment)),
        _ => reasons.push(format!(
            "the table must have exactly one primary key and optionally one comment column, not {} columns ({})",
            all.len(),
            listed(all)
        )),
    }
    reasons
}

fn of_values(values: &[(String, Option<String>)]) -> Option<String> {
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
