//! The commands that edit the document, one function each.

mod actions;
mod collections;
mod functions;
mod permissions;
mod relationships;
mod remote;
mod sources;
mod tables;
mod triggers;

pub(super) use remote::remove_type_relationship;

use serde_json::{Value, json};

use super::change::Accept;
use super::success;
use crate::error::{ErrorCode, GraphqlError, Result};

/// What an edit came to.
pub(super) struct Edit {
    /// The answer when the edited document is put in force.
    pub answer: Value,
    /// Which inconsistencies it may bring.
    pub accept: Accept,
    /// Whether the document has changed at all.
    pub changes: bool,
}

impl Edit {
    /// An edit that makes or changes an object of that name (as inconsistencies name it).
    fn of(object: impl Into<String>) -> Self {
        Self { answer: success(), accept: Accept::NothingNew(Some(object.into())), changes: true }
    }

    /// An edit that removes something; with `cascade`, also what depends on it.
    fn removal(args: &Value) -> Self {
        let cascade = args.get("cascade").and_then(Value::as_bool).unwrap_or(false);
        let accept = if cascade { Accept::Cascade } else { Accept::NoDependents };
        Self { answer: success(), accept, changes: true }
    }

    /// Nothing to do, but something to say.
    fn remark(answer: Value) -> Self {
        Self { answer, accept: Accept::Anything, changes: false }
    }
}

/// A group of commands: edits the document, unless the command is not of the group.
type Group = fn(&str, &Value, &mut Value) -> Option<Result<Edit>>;

/// Edits the document by a command; nothing when there is no such command.
pub(super) fn edit(name: &str, args: &Value, document: &mut Value) -> Option<Result<Edit>> {
    let groups: [Group; 9] = [
        sources::edit,
        tables::edit,
        relationships::edit,
        permissions::edit,
        functions::edit,
        triggers::edit,
        actions::edit,
        remote::edit,
        collections::edit,
    ];
    groups.iter().find_map(|group| group(name, args, document)).or_else(|| settings(name, args, document))
}

fn exists(message: String) -> GraphqlError {
    GraphqlError::new(ErrorCode::AlreadyExists, message)
}

fn missing(message: String) -> GraphqlError {
    GraphqlError::new(ErrorCode::NotExists, message)
}

fn query_tags(args: &Value, document: &mut Value) -> Result<Edit> {
    let name = super::document::text(args, "source_name")?;
    let tags = super::document::required(args, "tags")?.clone();
    super::document::source(document, &json!({"source": name}))?.insert("query_tags".to_owned(), tags);
    Ok(Edit::of(format!("source {name}")))
}

/// Commands that set one section of the document.
fn settings(name: &str, args: &Value, document: &mut Value) -> Option<Result<Edit>> {
    let (section, value) = match name {
        "set_api_limits" => ("api_limits", args.clone()),
        "remove_api_limits" => ("api_limits", json!({})),
        "set_graphql_schema_introspection_options" => ("graphql_schema_introspection", args.clone()),
        "set_metrics_config" => ("metrics_config", args.clone()),
        "remove_metrics_config" => ("metrics_config", json!({})),
        "set_opentelemetry_config" => ("opentelemetry", args.clone()),
        "set_opentelemetry_status" => ("opentelemetry", json!({"status": args})),
        "set_query_tags" => return Some(query_tags(args, document)),
        _ => return None,
    };
    if let Some(fields) = document.as_object_mut() {
        fields.insert(section.to_owned(), value);
    }
    Some(Ok(Edit::of(section)))
}
