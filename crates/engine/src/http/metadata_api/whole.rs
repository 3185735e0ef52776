//! Commands on the whole of the metadata.

use serde_json::{Value, json};

use super::change::{self, Accept};
use super::{Command, document, success};
use crate::error::{ErrorCode, GraphqlError, Result};
use crate::metadata::{Metadata, RemoteSchema};
use crate::remote;
use crate::serving::{Current, Surface};

/// Runs the command if it is one of these.
pub(super) async fn run(surface: &Surface, command: &Command) -> Option<Result<Value>> {
    Some(match command.name() {
        "export_metadata" => Ok(export(&surface.core.current(), command.version)),
        "replace_metadata" => replace(surface, command).await,
        "reload_metadata" => match known(surface, &command.args) {
            Ok(()) => reload(surface).await,
            Err(error) => Err(error),
        },
        "reload_source" => reload(surface).await.map(|_| success()),
        "reload_remote_schema" => reload_remote(surface, &command.args).await,
        "introspect_remote_schema" => introspect_remote(surface, &command.args).await,
        "clear_metadata" => clear(surface).await,
        "get_inconsistent_metadata" => Ok(consistency(&surface.core.current(), surface)),
        "drop_inconsistent_metadata" => drop_inconsistent(surface).await,
        "get_source_tables" => source_tables(surface).await,
        "list_source_kinds" => Ok(json!({"sources": [{
            "kind": "postgres", "builtin": true, "available": true, "display_name": "pg", "release_name": null,
        }]})),
        _ => return None,
    })
}

fn export(current: &Current, version: u64) -> Value {
    let mut document = current.metadata.to_document();
    document::list(&mut document, "cron_triggers")
        .retain(|trigger| trigger.get("include_in_metadata") != Some(&false.into()));
    if let Some(fields) = document.as_object_mut() {
        fields.retain(|name, value| name != "cron_triggers" || value.as_array().is_some_and(|list| !list.is_empty()));
    }
    if version == 2 {
        return json!({"resource_version": current.resource_version, "metadata": document});
    }
    document
}

fn consistency(current: &Current, surface: &Surface) -> Value {
    let objects = inconsistent_objects(current, surface);
    json!({"is_consistent": objects.is_empty(), "inconsistent_objects": objects})
}

fn inconsistent_objects(current: &Current, surface: &Surface) -> Vec<Value> {
    current.inconsistencies.iter().chain(surface.metadata.faults.load().iter()).map(|one| json!(one)).collect()
}

async fn replace(surface: &Surface, command: &Command) -> Result<Value> {
    let args = &command.args;
    let second = command.version == 2 || args.get("metadata").is_some();
    let (given, path) =
        if second { (document::required(args, "metadata")?, "$.args.metadata") } else { (args, "$.args") };
    let given = match given {
        Value::Object(_) => given.clone(),
        other => {
            let found = crate::json::kind(other);
            let message = format!("parsing ReplaceMetadataV1 failed, expected Object, but encountered {found}");
            return Err(GraphqlError::at(path, ErrorCode::ParseFailed, message));
        }
    };
    let mut metadata = Metadata::from_document(&given).map_err(|error| document::refused(path, &error))?;
    keep_cron_triggers(&mut metadata, &surface.core.current().metadata)?;
    let lenient = args.get("allow_inconsistent_metadata").and_then(Value::as_bool).unwrap_or(!second);
    let accept = if lenient { Accept::Anything } else { Accept::Nothing };
    let current = change::put_in_force(surface, metadata, accept).await?;
    Ok(if second { consistency(&current, surface) } else { success() })
}

/// Cron triggers that are not part of the metadata stay when it is replaced.
fn keep_cron_triggers(metadata: &mut Metadata, old: &Metadata) -> Result<()> {
    for kept in old.cron_triggers.iter().filter(|trigger| !trigger.include_in_metadata) {
        if metadata.cron_triggers.iter().any(|trigger| trigger.name == kept.name) {
            let message = format!(
                "cron trigger with name {:?} already exists as a cron trigger with \"included_in_metadata\" as false",
                kept.name
            );
            return Err(GraphqlError::new(ErrorCode::AlreadyExists, message));
        }
        metadata.cron_triggers.push(kept.clone());
    }
    Ok(())
}

/// Refuses to reload sources and remote schemas that the metadata does not have.
fn known(surface: &Surface, args: &Value) -> Result<()> {
    let metadata = surface.core.current().metadata;
    let sources: Vec<&str> = metadata.sources.iter().map(|source| source.name.as_str()).collect();
    let remotes: Vec<&str> = metadata.remote_schemas.iter().map(|remote| remote.name.as_str()).collect();
    for (key, what, known) in
        [("reload_sources", "Source", sources), ("reload_remote_schemas", "Remote schema", remotes)]
    {
        let given = args.get(key).and_then(Value::as_array).into_iter().flatten();
        if let Some(unknown) = given.filter_map(Value::as_str).find(|name| !known.contains(name)) {
            let message = format!("{what} with name {unknown} not found in metadata");
            return Err(GraphqlError::new(ErrorCode::NotExists, message));
        }
    }
    Ok(())
}

async fn reload(surface: &Surface) -> Result<Value> {
    let metadata = surface.core.current().metadata.as_ref().clone();
    let current = change::put_in_force(surface, metadata, Accept::Anything).await?;
    let objects = inconsistent_objects(&current, surface);
    Ok(if objects.is_empty() {
        json!({"is_consistent": true, "message": "success"})
    } else {
        json!({"inconsistent_objects": objects, "is_consistent": false, "message": "success"})
    })
}

fn remote_schema(surface: &Surface, args: &Value) -> Result<RemoteSchema> {
    let name = document::text(args, "name")?;
    let current = surface.core.current();
    let found = current.metadata.remote_schemas.iter().find(|schema| schema.name == name).cloned();
    found.ok_or_else(|| {
        GraphqlError::new(ErrorCode::NotExists, format!("remote schema with name {name:?} does not exist"))
    })
}

/// Asks the remote schemas again; one that does not fit is an error when it is the one that was named.
async fn reload_remote(surface: &Surface, args: &Value) -> Result<Value> {
    let schema = remote_schema(surface, args)?;
    reload(surface).await?;
    let current = surface.core.current();
    let object = format!("remote_schema {}", schema.name);
    match current.inconsistencies.iter().find(|one| one.name == object) {
        None => Ok(success()),
        Some(fault) => {
            let message = fault.reason.trim_start_matches("Inconsistent object: ");
            Err(GraphqlError::new(ErrorCode::RemoteSchemaError, message).with_internal(json!([fault])))
        }
    }
}

/// The introspection answer of a remote schema, in its own names.
async fn introspect_remote(surface: &Surface, args: &Value) -> Result<Value> {
    let schema = remote_schema(surface, args)?;
    remote::introspection(&surface.outbound, &schema).await
}

async fn clear(surface: &Surface) -> Result<Value> {
    let mut metadata = Metadata::default();
    for source in &surface.core.current().metadata.sources {
        let mut emptied = source.clone();
        emptied.tables.clear();
        emptied.functions.clear();
        metadata.sources.push(emptied);
    }
    change::put_in_force(surface, metadata, Accept::Anything).await?;
    Ok(success())
}

async fn drop_inconsistent(surface: &Surface) -> Result<Value> {
    // Removing objects may leave others without what they need.
    loop {
        let current = surface.core.current();
        let mut document = current.metadata.to_document();
        if current.inconsistencies.is_empty() || !change::drop_objects(&mut document, &current.inconsistencies) {
            return Ok(success());
        }
        change::put_in_force(surface, document::parse(&document)?, Accept::Anything).await?;
    }
}

async fn source_tables(surface: &Surface) -> Result<Value> {
    sqlx::query_scalar(
        "select coalesce(json_agg(json_build_object('name', c.relname, 'schema', n.nspname) order by n.nspname, c.relname), '[]') \
         from pg_class c join pg_namespace n on n.oid = c.relnamespace \
         where c.relkind in ('r', 'v', 'm', 'f', 'p') and n.nspname not in ('information_schema', 'hdb_catalog') \
         and n.nspname !~ '^pg_'",
    )
    .fetch_one(surface.core.pool())
    .await
    .map_err(|_| GraphqlError::unexpected("database query error"))
}
