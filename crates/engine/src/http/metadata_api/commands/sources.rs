//! The one source: added, named, configured, dropped.

use serde_json::{Value, json};

use super::super::change::Accept;
use super::super::document;
use super::{Edit, exists, missing};
use crate::error::{ErrorCode, GraphqlError, Result};

pub(super) fn edit(name: &str, args: &Value, document: &mut Value) -> Option<Result<Edit>> {
    Some(match name {
        "add_source" => add(args, document),
        "update_source" => update(args, document),
        "rename_source" => rename(args, document),
        "drop_source" => drop(args, document),
        _ => return None,
    })
}

fn place(document: &mut Value, name: &str) -> Option<usize> {
    document::list(document, "sources")
        .iter()
        .position(|source| source.get("name").and_then(Value::as_str) == Some(name))
}

fn add(args: &Value, document: &mut Value) -> Result<Edit> {
    let name = document::text(args, "name")?;
    let configuration = document::required(args, "configuration")?.clone();
    let customization = args.get("customization").filter(|given| !given.is_null()).cloned();
    let replaces = args.get("replace_configuration").and_then(Value::as_bool).unwrap_or(false);
    let found = place(document, name);
    let sources = document::list(document, "sources");
    let taken = !sources.is_empty();
    match found.and_then(|place| sources.get_mut(place)).and_then(Value::as_object_mut) {
        Some(source) if replaces => {
            source.insert("configuration".into(), configuration);
            source.insert("customization".into(), customization.unwrap_or_else(|| json!({})));
        }
        Some(_) => return Err(exists(format!("source with name {name:?} already exists"))),
        None if taken => {
            let message = "the engine serves one source; drop it first, or name it";
            return Err(GraphqlError::new(ErrorCode::NotSupported, message));
        }
        None => {
            let mut source = json!({"name": name, "kind": "postgres", "tables": [], "configuration": configuration});
            if let (Some(customization), Some(fields)) = (customization, source.as_object_mut()) {
                fields.insert("customization".into(), customization);
            }
            sources.push(source);
        }
    }
    Ok(Edit::of(format!("source {name}")))
}

fn unknown(name: &str) -> GraphqlError {
    missing(format!("source with name {name:?} does not exist"))
}

fn update(args: &Value, document: &mut Value) -> Result<Edit> {
    let name = document::text(args, "name")?;
    let place = place(document, name).ok_or_else(|| unknown(name))?;
    let source = document::list(document, "sources").get_mut(place).and_then(Value::as_object_mut);
    if let Some(source) = source {
        for key in ["configuration", "customization", "health_check"] {
            if let Some(given) = args.get(key).filter(|given| !given.is_null()) {
                source.insert(key.to_owned(), given.clone());
            }
        }
    }
    Ok(Edit::of(format!("source {name}")))
}

fn rename(args: &Value, document: &mut Value) -> Result<Edit> {
    let (name, new) = (document::text(args, "name")?, document::text(args, "new_name")?);
    let place_of_new = place(document, new);
    let place = place(document, name).ok_or_else(|| missing(format!("Could not find source with name {name:?}")))?;
    if place_of_new.is_some() {
        return Err(exists(format!("Source with name {new:?} already exists")));
    }
    if let Some(source) = document::list(document, "sources").get_mut(place).and_then(Value::as_object_mut) {
        source.insert("name".into(), new.into());
    }
    Ok(Edit::of(format!("source {new}")))
}

fn drop(args: &Value, document: &mut Value) -> Result<Edit> {
    let name = document::text(args, "name")?;
    let place = place(document, name).ok_or_else(|| unknown(name))?;
    document::list(document, "sources").remove(place);
    let mut edit = Edit::removal(args);
    if matches!(edit.accept, Accept::NoDependents) {
        edit.accept = Accept::NothingNew(None);
    }
    Ok(edit)
}
