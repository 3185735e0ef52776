//! Tracking tables and naming them.

use serde_json::{Value, json};

use super::super::document;
use super::Edit;
use crate::error::{ErrorCode, GraphqlError, Result};

pub(super) fn edit(name: &str, args: &Value, document: &mut Value) -> Option<Result<Edit>> {
    Some(match name {
        "track_table" | "add_existing_table_or_view" => track(args, document),
        "track_tables" => many(args, "tables", document, track),
        "untrack_table" => untrack(args, document),
        "untrack_tables" => many(args, "tables", document, untrack),
        "set_table_customization" => set(args, document, "configuration", args.get("configuration").cloned()),
        "set_table_custom_fields" => set(
            args,
            document,
            "configuration",
            Some(document::pick(args, &["custom_root_fields", "custom_column_names"])),
        ),
        "set_apollo_federation_config" => {
            set(args, document, "apollo_federation_config", args.get("apollo_federation_config").cloned())
        }
        "set_table_is_enum" => set(args, document, "is_enum", args.get("is_enum").cloned()),
        _ => return None,
    })
}

/// Does one edit for each member of the list under `key`: all or none.
pub(super) fn many(
    args: &Value,
    key: &str,
    document: &mut Value,
    one: fn(&Value, &mut Value) -> Result<Edit>,
) -> Result<Edit> {
    let missing = || GraphqlError::at("$.args", ErrorCode::ParseFailed, format!("key {key:?} not found"));
    let members = args.get(key).or(Some(args)).and_then(Value::as_array).ok_or_else(missing)?;
    let mut last = Edit::of(key);
    for member in members.clone() {
        last = one(&member, document)?;
    }
    last.accept = match last.accept {
        super::Accept::NothingNew(_) => super::Accept::NothingNew(None),
        other => other,
    };
    Ok(last)
}

/// `{table: ...}` or the older form where the arguments are the table.
fn named(args: &Value) -> Result<crate::metadata::QualifiedName> {
    match args.get("table") {
        Some(table) => document::qualified(table),
        None => document::qualified(&match args {
            Value::String(_) => args.clone(),
            other => document::pick(other, &["name", "schema"]),
        }),
    }
}

fn track(args: &Value, document: &mut Value) -> Result<Edit> {
    let name = named(args)?;
    let source = document::source_name(args).to_owned();
    let tables = document::member_list(document::source(document, args)?, "tables");
    let key = json!(name);
    if document::find(tables, "table", &key).is_some() {
        let message = format!("view/table already tracked: {:?}", name.to_string());
        return Err(GraphqlError::new(ErrorCode::AlreadyTracked, message));
    }
    let mut table = document::pick(args, &["configuration", "is_enum", "apollo_federation_config", "logical_model"]);
    if let Some(fields) = table.as_object_mut() {
        fields.insert("table".into(), key);
    }
    tables.push(table);
    Ok(Edit::of(format!("table {name} in source {source}")))
}

fn untrack(args: &Value, document: &mut Value) -> Result<Edit> {
    let name = named(args)?;
    let tables = document::member_list(document::source(document, args)?, "tables");
    if !document::remove(tables, "table", &json!(name)) {
        let message = format!("view/table already untracked: {:?}", name.to_string());
        return Err(GraphqlError::new(ErrorCode::AlreadyUntracked, message));
    }
    Ok(Edit::removal(args))
}

fn set(args: &Value, document: &mut Value, key: &str, value: Option<Value>) -> Result<Edit> {
    let name = named(args)?;
    let source = document::source_name(args).to_owned();
    let table = document::table(document, args)?;
    match value {
        Some(value) => table.insert(key.to_owned(), value),
        None => table.remove(key),
    };
    Ok(Edit::of(format!("table {name} in source {source}")))
}
