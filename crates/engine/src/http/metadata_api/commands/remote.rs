//! Remote schemas and their permissions.

use serde_json::{Map, Value, json};

use super::super::document;
use super::{Edit, exists, missing};
use crate::error::Result;

pub(super) fn edit(name: &str, args: &Value, document: &mut Value) -> Option<Result<Edit>> {
    Some(match name {
        "add_remote_schema" => add(args, document),
        "update_remote_schema" => update(args, document),
        "remove_remote_schema" => remove(args, document),
        "add_remote_schema_permissions" => permit(args, document),
        "drop_remote_schema_permissions" => forbid(args, document),
        "create_remote_schema_remote_relationship" => relate(args, document, false),
        "update_remote_schema_remote_relationship" => relate(args, document, true),
        "delete_remote_schema_remote_relationship" => unrelate(args, document),
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

/// Where a relationship of a remote type is told of: schema, type and name.
fn place(args: &Value) -> Result<(&str, &str, &str)> {
    Ok((document::text(args, "remote_schema")?, document::text(args, "type_name")?, document::text(args, "name")?))
}

/// Removes a relationship of a remote type, and the type's entry with the last one; says whether it was there.
pub(in crate::http::metadata_api) fn remove_type_relationship(
    schema: &mut Map<String, Value>,
    ty: &Value,
    name: &Value,
) -> bool {
    let types = document::member_list(schema, "remote_relationships");
    let Some(entry) = document::find(types, "type_name", ty) else { return false };
    let relationships = document::member_list(entry, "relationships");
    let removed = document::remove(relationships, "name", name);
    if relationships.is_empty() {
        document::remove(types, "type_name", ty);
    }
    removed
}

fn no_relationship(name: &str, ty: &str, remote: &str) -> crate::error::GraphqlError {
    missing(format!("remote relationship {name:?} on type {ty:?} of remote schema {remote:?} does not exist"))
}

fn relate(args: &Value, document: &mut Value, replaces: bool) -> Result<Edit> {
    let (remote, ty, name) = place(args)?;
    document::required(args, "definition")?;
    let schema = schema(remote, document)?;
    let removed = find_or_remove(schema, ty, name, replaces);
    if replaces && !removed {
        return Err(no_relationship(name, ty, remote));
    }
    if !replaces && removed {
        return Err(exists(format!("remote relationship {name:?} on type {ty:?} already exists")));
    }
    let types = document::member_list(schema, "remote_relationships");
    if document::find(types, "type_name", &Value::from(ty)).is_none() {
        types.push(json!({"type_name": ty, "relationships": []}));
    }
    if let Some(entry) = document::find(types, "type_name", &Value::from(ty)) {
        document::member_list(entry, "relationships").push(document::pick(args, &["name", "definition"]));
    }
    Ok(Edit::of(format!("remote_relationship {name} on type {ty} in remote schema {remote}")))
}

/// Whether the relationship is there; it is removed to be replaced.
fn find_or_remove(schema: &mut Map<String, Value>, ty: &str, name: &str, replaces: bool) -> bool {
    let (ty, name) = (Value::from(ty), Value::from(name));
    if replaces {
        return remove_type_relationship(schema, &ty, &name);
    }
    let types = document::member_list(schema, "remote_relationships");
    let Some(entry) = document::find(types, "type_name", &ty) else { return false };
    document::find(document::member_list(entry, "relationships"), "name", &name).is_some()
}

fn unrelate(args: &Value, document: &mut Value) -> Result<Edit> {
    let (remote, ty, name) = place(args)?;
    if !remove_type_relationship(schema(remote, document)?, &Value::from(ty), &Value::from(name)) {
        return Err(no_relationship(name, ty, remote));
    }
    Ok(Edit::removal(args))
}
