//! Permissions on tables and inherited roles.

use serde_json::Value;

use super::super::document;
use super::{Edit, exists, missing};
use crate::error::{ErrorCode, GraphqlError, Result};

pub(super) fn edit(name: &str, args: &Value, document: &mut Value) -> Option<Result<Edit>> {
    if let Some(kind) = between(name, "create_", "_permission") {
        return Some(create(args, document, kind));
    }
    if let Some(kind) = between(name, "drop_", "_permission") {
        return Some(drop(args, document, kind));
    }
    Some(match name {
        "set_permission_comment" => comment(args, document),
        "add_inherited_role" => add_role(args, document),
        "drop_inherited_role" => drop_role(args, document),
        _ => return None,
    })
}

fn between<'n>(name: &'n str, before: &str, after: &str) -> Option<&'n str> {
    let kind = name.strip_prefix(before)?.strip_suffix(after)?;
    ["select", "insert", "update", "delete"].contains(&kind).then_some(kind)
}

fn create(args: &Value, document: &mut Value, kind: &str) -> Result<Edit> {
    let role = document::text(args, "role")?.to_owned();
    let source = document::source_name(args).to_owned();
    let table_name = document::qualified(document::required(args, "table")?)?;
    let permission = document::required(args, "permission")?;
    for key in match kind {
        "select" => &["columns", "filter"][..],
        "insert" => &["check"][..],
        _ => &["filter"][..],
    } {
        if permission.get(*key).is_none() {
            return Err(incomplete(kind, key));
        }
    }
    let table = document::table(document, args)?;
    let permissions = document::member_list(table, &format!("{kind}_permissions"));
    if role == "admin" || document::find(permissions, "role", &Value::from(role.as_str())).is_some() {
        let table = table_name.to_string();
        return Err(exists(format!("{kind} permission already defined on table {table:?} with role {role:?}")));
    }
    permissions.push(document::pick(args, &["role", "permission", "comment"]));
    Ok(Edit::of(format!("{kind}_permission {role} in table {table_name} in source {source}")))
}

fn incomplete(kind: &str, key: &str) -> GraphqlError {
    let message = format!(
        "Error when parsing command create_{kind}_permission.\nSee our documentation at \
         https://hasura.io/docs/latest/graphql/core/api-reference/metadata-api/index.html#metadata-apis.\n\
         Internal error message: key {key:?} not found"
    );
    GraphqlError::at("$.args.permission", ErrorCode::ParseFailed, message)
}

fn drop(args: &Value, document: &mut Value, kind: &str) -> Result<Edit> {
    let role = document::text(args, "role")?.to_owned();
    let table_name = document::qualified(document::required(args, "table")?)?;
    let table = document::table(document, args)?;
    let permissions = document::member_list(table, &format!("{kind}_permissions"));
    if !document::remove(permissions, "role", &Value::from(role.as_str())) {
        let table = table_name.to_string();
        let message = format!("{kind} permission on {table:?} for role {role:?} does not exist");
        return Err(GraphqlError::new(ErrorCode::PermissionDenied, message).with_status(400));
    }
    Ok(Edit::removal(args))
}

fn comment(args: &Value, document: &mut Value) -> Result<Edit> {
    let role = Value::from(document::text(args, "role")?);
    let kind = document::text(args, "type")?.to_owned();
    let comment = args.get("comment").cloned().unwrap_or(Value::Null);
    let table = document::table(document, args)?;
    match document::find(document::member_list(table, &format!("{kind}_permissions")), "role", &role) {
        Some(permission) => permission.insert("comment".into(), comment),
        None => return Err(missing(format!("{kind} permission for role {role} does not exist"))),
    };
    Ok(Edit::of("permission"))
}

fn add_role(args: &Value, document: &mut Value) -> Result<Edit> {
    let name = document::text(args, "role_name")?.to_owned();
    let set = document::required(args, "role_set")?;
    if set.as_array().is_some_and(|set| set.iter().any(|role| role.as_str() == Some(&name))) {
        let message = "an inherited role name cannot be in the role combination";
        return Err(GraphqlError::new(ErrorCode::InvalidParams, message));
    }
    let roles = document::list(document, "inherited_roles");
    document::remove(roles, "role_name", &Value::from(name.as_str()));
    roles.push(document::pick(args, &["role_name", "role_set"]));
    Ok(Edit::of(format!("inherited role {name}")))
}

fn drop_role(args: &Value, document: &mut Value) -> Result<Edit> {
    let name = document::text(args, "role_name")?;
    if !document::remove(document::list(document, "inherited_roles"), "role_name", &Value::from(name)) {
        return Err(missing(format!("{name:?} inherited role doesn't exist")));
    }
    Ok(Edit::removal(args))
}
