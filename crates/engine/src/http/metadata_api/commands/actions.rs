//! Actions, their permissions and custom types.

use serde_json::{Value, json};

use super::super::document;
use super::{Edit, exists, missing};
use crate::error::Result;

pub(super) fn edit(name: &str, args: &Value, document: &mut Value) -> Option<Result<Edit>> {
    Some(match name {
        "create_action" => create(args, document),
        "update_action" => update(args, document),
        "drop_action" => drop(args, document),
        "create_action_permission" => permit(args, document),
        "drop_action_permission" => forbid(args, document),
        "set_custom_types" => {
            if let Some(fields) = document.as_object_mut() {
                fields.insert("custom_types".into(), args.clone());
            }
            Ok(Edit::of("custom_types custom_types"))
        }
        _ => return None,
    })
}

fn create(args: &Value, document: &mut Value) -> Result<Edit> {
    let name = document::text(args, "name")?;
    let actions = document::list(document, "actions");
    if document::find(actions, "name", &Value::from(name)).is_some() {
        return Err(exists(format!("action with name {name:?} already exists")));
    }
    document::required(args, "definition")?;
    actions.push(document::pick(args, &["name", "definition", "comment"]));
    Ok(Edit::of(format!("action {name}")))
}

fn action<'d>(name: &str, document: &'d mut Value) -> Result<&'d mut serde_json::Map<String, Value>> {
    document::find(document::list(document, "actions"), "name", &Value::from(name))
        .ok_or_else(|| missing(format!("action with name {name:?} does not exist")))
}

fn update(args: &Value, document: &mut Value) -> Result<Edit> {
    let name = document::text(args, "name")?;
    let definition = document::required(args, "definition")?.clone();
    let comment = args.get("comment").filter(|comment| !comment.is_null()).cloned();
    let action = action(name, document)?;
    action.insert("definition".into(), definition);
    match comment {
        Some(comment) => action.insert("comment".into(), comment),
        None => action.remove("comment"),
    };
    Ok(Edit::of(format!("action {name}")))
}

fn drop(args: &Value, document: &mut Value) -> Result<Edit> {
    let name = document::text(args, "name")?;
    action(name, document)?;
    document::remove(document::list(document, "actions"), "name", &Value::from(name));
    Ok(Edit::removal(args))
}

fn permit(args: &Value, document: &mut Value) -> Result<Edit> {
    let (name, role) = (document::text(args, "action")?, document::text(args, "role")?);
    let permissions = document::member_list(action(name, document)?, "permissions");
    if document::find(permissions, "role", &Value::from(role)).is_some() {
        return Err(exists(format!("permission for role {role:?} is already defined on {name:?}")));
    }
    permissions.push(match args.get("comment") {
        Some(comment) => json!({"role": role, "comment": comment}),
        None => json!({"role": role}),
    });
    Ok(Edit::of(format!("action_permission {role} of {name}")))
}

fn forbid(args: &Value, document: &mut Value) -> Result<Edit> {
    let (name, role) = (document::text(args, "action")?, document::text(args, "role")?);
    let permissions = document::member_list(action(name, document)?, "permissions");
    if !document::remove(permissions, "role", &Value::from(role)) {
        return Err(missing(format!("permission for role {role:?} is not defined on {name:?}")));
    }
    Ok(Edit::removal(args))
}
