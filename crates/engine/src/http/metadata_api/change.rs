//! Putting edited metadata in force, or saying why not.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::{Command, commands, document};
use crate::error::{ErrorCode, GraphqlError, Result};
use crate::metadata::Metadata;
use crate::schema::Inconsistency;
use crate::serving::{Current, Surface};

/// Which inconsistencies a change may bring.
pub(super) enum Accept {
    /// None that was not there before; the name is the object of the command, whose own reason is then given.
    NothingNew(Option<String>),
    /// None that was not there before: they are what depends on the removed object.
    NoDependents,
    /// New ones, whose objects are then removed as well; queries of collections are not, and keep what they need.
    Cascade,
    /// As before, and queries of collections may break: what they needed is gone already.
    CascadeAfterwards,
    /// None at all.
    Nothing,
    /// Any.
    Anything,
}

/// Runs a command that edits the document; nothing when there is no such command.
pub(super) async fn run(surface: &Surface, command: &Command) -> Option<Result<Value>> {
    let mut document = surface.core.current().metadata.to_document();
    let edit = match commands::edit(command.name(), &command.args, &mut document)? {
        Ok(edit) => edit,
        Err(error) => return Some(Err(error)),
    };
    if !edit.changes {
        return Some(Ok(edit.answer));
    }
    let change = async {
        let metadata = document::parse(&document)?;
        put_in_force(surface, metadata, edit.accept).await?;
        Ok(edit.answer)
    };
    Some(change.await)
}

/// Builds the metadata and puts it in force, unless it brings inconsistencies that are not accepted.
pub(super) async fn put_in_force(surface: &Surface, metadata: Metadata, accept: Accept) -> Result<Current> {
    let known: HashSet<String> =
        surface.core.current().inconsistencies.iter().map(|found| found.name.clone()).collect();
    let mut metadata = metadata;
    // Each round removes at least one object, so this ends.
    loop {
        let found = std::sync::Mutex::new(Vec::new());
        let check = |inconsistencies: &[Inconsistency]| {
            let fresh: Vec<Inconsistency> = inconsistencies
                .iter()
                .filter(|one| !one.is_informational() && !known.contains(&one.name))
                .cloned()
                .collect();
            let verdict = judge(&accept, inconsistencies, &fresh);
            if verdict.is_err() {
                *found.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = fresh;
            }
            verdict
        };
        match surface.core.replace(metadata.clone(), &check).await {
            Ok(current) => {
                surface.metadata_changed(&current).await;
                return Ok(current);
            }
            Err(error) => {
                let fresh = found.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
                if !matches!(accept, Accept::Cascade | Accept::CascadeAfterwards) || fresh.is_empty() {
                    return Err(error);
                }
                let mut edited = metadata.to_document();
                let dependents: Vec<Inconsistency> = fresh.into_iter().filter(|one| !is_query(one)).collect();
                if !drop_objects(&mut edited, &dependents) {
                    return Err(error);
                }
                metadata = document::parse(&edited)?;
            }
        }
    }
}

/// An object that would be left without what it needs, as Hasura names it.
fn dependent(found: &Inconsistency) -> String {
    let definition = &found.definition;
    let text = |key: &str| definition.get(key).and_then(Value::as_str).unwrap_or_default();
    let Some(table) = definition.get("table").and_then(|table| document::qualified(table).ok()) else {
        return found.name.clone();
    };
    match (found.kind.as_str(), found.kind.strip_suffix("_permission")) {
        ("object_relation" | "array_relation", _) => {
            format!("relationship {table}.{} in source \"default\"", text("name"))
        }
        ("remote_relationship", _) => {
            format!("remote relationship {table}.{} in source \"default\"", text("name"))
        }
        (_, Some(kind)) => format!("permission {table}.{}.{kind} in source \"default\"", text("role")),
        _ => found.name.clone(),
    }
}

/// Whether an inconsistency is a query of a collection, which no removal takes along.
fn is_query(found: &Inconsistency) -> bool {
    found.kind == "query_collections"
}

fn judge(accept: &Accept, all: &[Inconsistency], fresh: &[Inconsistency]) -> Result<()> {
    let internal = |list: &[Inconsistency]| json!(list);
    let new = || {
        Err(GraphqlError::new(ErrorCode::Unexpected, "cannot continue due to new inconsistent metadata")
            .with_status(400)
            .with_internal(internal(fresh)))
    };
    match accept {
        Accept::Anything => Ok(()),
        _ if fresh.is_empty() && !matches!(accept, Accept::Nothing) => Ok(()),
        Accept::Nothing if all.is_empty() => Ok(()),
        Accept::Nothing => {
            Err(GraphqlError::new(ErrorCode::Unexpected, "cannot continue due to inconsistent metadata")
                .with_status(400)
                .with_internal(internal(all)))
        }
        Accept::NothingNew(object) => {
            let own: Vec<&Inconsistency> = fresh.iter().filter(|one| Some(&one.name) == object.as_ref()).collect();
            match own.first() {
                Some(first) => {
                    let (code, message) = own_fault(first, &own);
                    Err(GraphqlError::new(code, message).with_internal(internal(fresh)))
                }
                None => new(),
            }
        }
        Accept::CascadeAfterwards if fresh.iter().all(is_query) => Ok(()),
        Accept::NoDependents | Accept::Cascade if fresh.iter().all(is_query) => {
            // Queries of collections depend on nothing by name: they stay, and keep what they need.
            let message = "cannot continue due to newly found inconsistent metadata";
            Err(GraphqlError::unexpected(message).with_status(500).with_internal(internal(fresh)))
        }
        Accept::NoDependents => {
            let mut names: Vec<String> = fresh.iter().filter(|one| !is_query(one)).map(dependent).collect();
            names.sort();
            let message = format!("cannot drop due to the following dependent objects: {}", names.join(", "));
            Err(GraphqlError::new(ErrorCode::DependencyError, message))
        }
        Accept::Cascade | Accept::CascadeAfterwards => new(),
    }
}

/// What is said of the object of a command that does not fit: all its reasons, in Hasura's words for its kind.
fn own_fault(first: &Inconsistency, all: &[&Inconsistency]) -> (ErrorCode, String) {
    let reasons: Vec<&str> = all.iter().map(|one| one.reason.as_str()).collect();
    match first.kind.as_str() {
        "remote_schema_permission" => (ErrorCode::ValidationFailed, reasons.join(", ")),
        "remote_schema" if first.reason.contains("HTTP exception") => {
            let message = first.reason.trim_start_matches("Inconsistent object: ");
            (ErrorCode::RemoteSchemaError, message.to_owned())
        }
        _ => (ErrorCode::InvalidConfiguration, reasons.join(", ")),
    }
}

/// Removes the objects of inconsistencies from the document; says whether anything was removed.
pub(super) fn drop_objects(document: &mut Value, inconsistencies: &[Inconsistency]) -> bool {
    let before = document.clone();
    for found in inconsistencies {
        drop_object(document, found);
    }
    *document != before
}

fn drop_object(document: &mut Value, found: &Inconsistency) {
    let definition = &found.definition;
    let name = definition.get("name").cloned().unwrap_or_default();
    let in_root = |document: &mut Value, list: &str| {
        document::remove(document::list(document, list), "name", &name);
    };
    match found.kind.as_str() {
        "action" => in_root(document, "actions"),
        "remote_schema" => in_root(document, "remote_schemas"),
        "rest_endpoint" => in_root(document, "rest_endpoints"),
        "cron_trigger" => in_root(document, "cron_triggers"),
        "query_collections" | "query_collection" => {
            for collection in document::list(document, "query_collections") {
                if let Some(queries) = collection.pointer_mut("/definition/queries").and_then(Value::as_array_mut) {
                    document::remove(queries, "name", &name);
                }
            }
        }
        "inherited_role" => {
            let role = definition.get("role_name").cloned().unwrap_or(name);
            document::remove(document::list(document, "inherited_roles"), "role_name", &role);
        }
        "action_permission" => {
            for action in document::list(document, "actions") {
                if action.get("name") == definition.get("action")
                    && let Some(permissions) = action.get_mut("permissions").and_then(Value::as_array_mut)
                {
                    document::remove(permissions, "role", definition.get("role").unwrap_or(&Value::Null));
                }
            }
        }
        "remote_schema_remote_relationship" => {
            for schema in document::list(document, "remote_schemas") {
                if schema.get("name") == definition.get("remote_schema")
                    && let Some(schema) = schema.as_object_mut()
                    && let Some(ty) = definition.get("type_name")
                {
                    commands::remove_type_relationship(schema, ty, &name);
                }
            }
        }
        "remote_schema_permission" => {
            for schema in document::list(document, "remote_schemas") {
                if schema.get("name") == definition.get("remote_schema")
                    && let Some(permissions) = schema.get_mut("permissions").and_then(Value::as_array_mut)
                {
                    document::remove(permissions, "role", definition.get("role").unwrap_or(&Value::Null));
                }
            }
        }
        kind => {
            for source in document::list(document, "sources") {
                if let Some(source) = source.as_object_mut() {
                    drop_in_source(source, kind, definition);
                }
            }
        }
    }
}

fn drop_in_source(source: &mut serde_json::Map<String, Value>, kind: &str, definition: &Value) {
    let qualified = |value: &Value| document::qualified(value).ok().map(|name| json!(name));
    match kind {
        "table" => {
            if let Some(name) = qualified(definition) {
                document::remove(document::member_list(source, "tables"), "table", &name);
            }
            return;
        }
        "function" | "function_permission" => {
            let function = definition.get("function").unwrap_or(definition);
            if let Some(name) = qualified(function) {
                document::remove(document::member_list(source, "functions"), "function", &name);
            }
            return;
        }
        _ => {}
    }
    let Some(table) = definition.get("table").and_then(qualified) else { return };
    let Some(table) = document::find(document::member_list(source, "tables"), "table", &table) else { return };
    let (list, key) = match kind {
        "object_relation" => ("object_relationships", "name"),
        "array_relation" => ("array_relationships", "name"),
        "remote_relationship" => ("remote_relationships", "name"),
        "computed_field" => ("computed_fields", "name"),
        "event_trigger" => ("event_triggers", "name"),
        "select_permission" => ("select_permissions", "role"),
        "insert_permission" => ("insert_permissions", "role"),
        "update_permission" => ("update_permissions", "role"),
        "delete_permission" => ("delete_permissions", "role"),
        _ => return,
    };
    document::remove(document::member_list(table, list), key, definition.get(key).unwrap_or(&Value::Null));
}
