//! Remote schemas and their permissions.

use serde_json::Value;

use super::super::document;
use super::{Edit, exists, missing};
use crate::engine::error::Result;

pub(super) fn edit(name: &str, args: &Value, document: &mut Value) -> Option<Result<Edit>> {
    Some(match name {
        "add_remote_schema" => add(args, document),
        "update_remote_schema" => update(args, document),
        "remove_remote_schema" => remove(args, document),
        "add_remote_schema_permissions" => permit(args, document),
        "drop_remote_schema_permissions" => forbid(args, document),
        _ => return None,
    })
}

fn add(args: &Value, document: &mut Value) -> Result<Edit> {
    let name = document::text(args, "name")?;
    document::required(args, "definition")?;
    let schemas = document::list(document, "remote_schemas");
    if document::find(schemas, "name", &Value::from(name)).is_some() {
        return Err(exists(format!("remote schema with name {name:?} already exists")));
    }
    schemas.push(document::pick(args, &["name", "definition", "comment"]));
    Ok(Edit::of(format!("remote_schema {name}")))
}

fn schema<'d>(name: &str, document: &'d mut Value) -> Result<&'d mut serde_json::Map<String, Value>> {
    document::find(document::list(document, "remote_schemas"), "name", &Value::from(name))
        .ok_or_else(|| missing(format!("remote schema with name {name:?} does not exist")))
}

fn update(args: &Value, document: &mut Value) -> Result<Edit> {
    let name = document::text(args, "name")?;
    let definition = document::required(args, "definition")?.clone();
    schema(name, document)?.insert("definition".into(), definition);
    Ok(Edit::of(format!("remote_schema {name}")))
}

fn remove(args: &Value, document: &mut Value) -> Result<Edit> {
    let name = document::text(args, "name")?;
    schema(name, document)?;
    document::remove(document::list(document, "remote_schemas"), "name", &Value::from(name));
    Ok(Edit::removal(args))
}

fn permit(args: &Value, document: &mut Value) -> Result<Edit> {
    let (name, role) = (document::text(args, "remote_schema")?, document::text(args, "role")?);
    let permissions = document::member_list(schema(name, document)?, "permissions");
    if document::find(permissions, "role", &Value::from(role)).is_some() {
        return Err(exists(format!("permissions for role: {role:?} for remote schema: {name:?} already exists")));
    }
    permissions.push(document::pick(args, &["role", "definition", "comment"]));
    Ok(Edit::of(format!("remote_schema_permission {role} of {name}")))
}

fn forbid(args: &Value, document: &mut Value) -> Result<Edit> {
    let (name, role) = (document::text(args, "remote_schema")?, document::text(args, "role")?);
    let permissions = document::member_list(schema(name, document)?, "permissions");
    if !document::remove(permissions, "role", &Value::from(role)) {
        return Err(missing(format!("permissions for role: {role:?} for remote schema: {name:?} doesn't exist")));
    }
    Ok(Edit::removal(args))
}
