//! Event triggers and cron triggers.

use serde_json::{Value, json};

use super::super::document;
use super::{Edit, exists, missing};
use crate::error::Result;

pub(super) fn edit(name: &str, args: &Value, document: &mut Value) -> Option<Result<Edit>> {
    Some(match name {
        "create_event_trigger" => create(args, document),
        "delete_event_trigger" => delete(args, document),
        "create_cron_trigger" => create_cron(args, document),
        "delete_cron_trigger" => document::text(args, "name").and_then(|name| {
            if document::remove(document::list(document, "cron_triggers"), "name", &Value::from(name)) {
                Ok(Edit::removal(args))
            } else {
                Err(missing(format!("cron trigger with name: {name} does not exist")))
            }
        }),
        _ => return None,
    })
}

fn create(args: &Value, document: &mut Value) -> Result<Edit> {
    let name = document::text(args, "name")?.to_owned();
    let source_name = document::source_name(args).to_owned();
    let table_name = document::qualified(document::required(args, "table")?)?;
    let replaces = args.get("replace").and_then(Value::as_bool).unwrap_or(false);
    let source = document::source(document, args)?;
    let key = Value::from(name.as_str());
    let mut found = false;
    for table in document::member_list(source, "tables") {
        if let Some(table) = table.as_object_mut() {
            found |= document::remove(document::member_list(table, "event_triggers"), "name", &key);
        }
    }
    if found && !replaces {
        return Err(exists(format!("event trigger with name {name:?} already exists")));
    }
    let mut trigger = document::pick(
        args,
        &[
            "name",
            "webhook",
            "webhook_from_env",
            "headers",
            "request_transform",
            "response_transform",
            "cleanup_config",
        ],
    );
    if let Some(fields) = trigger.as_object_mut() {
        let mut definition = document::pick(args, &["insert", "update", "delete"]);
        if let Some(definition) = definition.as_object_mut() {
            let manual = args.get("enable_manual").and_then(Value::as_bool).unwrap_or(false);
            definition.insert("enable_manual".into(), manual.into());
        }
        fields.insert("definition".into(), definition);
        let retries = args.get("retry_conf").filter(|conf| !conf.is_null()).cloned();
        let default = || json!({"num_retries": 0, "interval_sec": 10, "timeout_sec": 60});
        fields.insert("retry_conf".into(), retries.unwrap_or_else(default));
    }
    document::member_list(document::table(document, args)?, "event_triggers").push(trigger);
    Ok(Edit::of(format!("event_trigger {name} in table {table_name} in source {source_name}")))
}

fn delete(args: &Value, document: &mut Value) -> Result<Edit> {
    let name = document::text(args, "name")?;
    let source = document::source(document, args)?;
    let mut found = false;
    for table in document::member_list(source, "tables") {
        if let Some(table) = table.as_object_mut() {
            found |= document::remove(document::member_list(table, "event_triggers"), "name", &Value::from(name));
        }
    }
    if !found {
        return Err(missing(format!("event trigger {name:?} does not exist")));
    }
    Ok(Edit::removal(args))
}

fn create_cron(args: &Value, document: &mut Value) -> Result<Edit> {
    let name = document::text(args, "name")?.to_owned();
    let replaces = args.get("replace").and_then(Value::as_bool).unwrap_or(false);
    for key in ["webhook", "schedule", "include_in_metadata"] {
        document::required(args, key)?;
    }
    let triggers = document::list(document, "cron_triggers");
    let found = document::remove(triggers, "name", &Value::from(name.as_str()));
    if found && !replaces {
        return Err(exists(format!("cron trigger with name: {name} already exists")));
    }
    if replaces && !found {
        return Err(missing(format!("cron trigger with name: {name} does not exist")));
    }
    let mut trigger = args.clone();
    if let Some(fields) = trigger.as_object_mut() {
        fields.remove("replace");
    }
    triggers.push(trigger);
    Ok(Edit::of(format!("cron_trigger {name}")))
}
