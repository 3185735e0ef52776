//! Tracked functions and their permissions.

use serde_json::{Value, json};

use super::super::document;
use super::tables::many;
use super::{Edit, exists, missing};
use crate::error::{ErrorCode, GraphqlError, Result};

pub(super) fn edit(name: &str, args: &Value, document: &mut Value) -> Option<Result<Edit>> {
    Some(match name {
        "track_function" => track(args, document),
        "track_functions" => many(args, "functions", document, track),
        "untrack_function" => untrack(args, document),
        "untrack_functions" => many(args, "functions", document, untrack),
        "set_function_customization" => customise(args, document),
        "create_function_permission" => permit(args, document),
        "drop_function_permission" => forbid(args, document),
        _ => return None,
    })
}

/// `{function: ...}` or the older form where the arguments are the function.
fn named(args: &Value) -> Result<crate::metadata::QualifiedName> {
    match args.get("function") {
        Some(function) => document::qualified(function),
        None => document::qualified(&match args {
            Value::String(_) => args.clone(),
            other => document::pick(other, &["name", "schema"]),
        }),
    }
}

fn track(args: &Value, document: &mut Value) -> Result<Edit> {
    let name = named(args)?;
    let source = document::source_name(args).to_owned();
    let functions = document::member_list(document::source(document, args)?, "functions");
    if document::find(functions, "function", &json!(name)).is_some() {
        let message = format!("function already tracked: {:?}", name.to_string());
        return Err(GraphqlError::new(ErrorCode::AlreadyTracked, message));
    }
    let mut function = document::pick(args, &["configuration", "comment"]);
    if let Some(fields) = function.as_object_mut() {
        fields.insert("function".into(), json!(name));
    }
    functions.push(function);
    Ok(Edit::of(format!("function {name} in source {source}")))
}

fn untrack(args: &Value, document: &mut Value) -> Result<Edit> {
    let name = named(args)?;
    let functions = document::member_list(document::source(document, args)?, "functions");
    if !document::remove(functions, "function", &json!(name)) {
        let message = format!("function {:?} does not exist", name.to_string());
        return Err(GraphqlError::new(ErrorCode::AlreadyUntracked, message));
    }
    Ok(Edit::removal(args))
}

fn function<'d>(args: &Value, document: &'d mut Value) -> Result<&'d mut serde_json::Map<String, Value>> {
    let name = named(args)?;
    let functions = document::member_list(document::source(document, args)?, "functions");
    document::find(functions, "function", &json!(name))
        .ok_or_else(|| missing(format!("function {:?} does not exist", name.to_string())))
}

fn customise(args: &Value, document: &mut Value) -> Result<Edit> {
    let configuration = args.get("configuration").cloned().unwrap_or_else(|| json!({}));
    function(args, document)?.insert("configuration".into(), configuration);
    Ok(Edit::of(format!("function {} in source {}", named(args)?, document::source_name(args))))
}

fn permit(args: &Value, document: &mut Value) -> Result<Edit> {
    let role = document::text(args, "role")?;
    let permissions = document::member_list(function(args, document)?, "permissions");
    if document::find(permissions, "role", &Value::from(role)).is_some() {
        return Err(exists(format!("permission of role {role:?} already exists for function")));
    }
    permissions.push(json!({"role": role}));
    Ok(Edit::of(format!("function_permission of {}", named(args)?)))
}

fn forbid(args: &Value, document: &mut Value) -> Result<Edit> {
    let role = document::text(args, "role")?;
    let permissions = document::member_list(function(args, document)?, "permissions");
    if !document::remove(permissions, "role", &Value::from(role)) {
        return Err(missing(format!("permission of role {role:?} does not exist for function")));
    }
    Ok(Edit::removal(args))
}
