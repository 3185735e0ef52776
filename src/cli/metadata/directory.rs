//! A metadata document as the files of the Hasura CLI's directory (config version 3).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path, PathBuf};

use serde_json::{Map, Value, json};

use super::sdl;
use crate::domain::{Code, Error, Result};

/// Sections of the document that have a file of their own.
const SECTIONS: &[(&str, &str)] = &[
    ("remote_schemas", "remote_schemas.yaml"),
    ("query_collections", "query_collections.yaml"),
    ("allowlist", "allow_list.yaml"),
    ("cron_triggers", "cron_triggers.yaml"),
    ("rest_endpoints", "rest_endpoints.yaml"),
    ("inherited_roles", "inherited_roles.yaml"),
    ("api_limits", "api_limits.yaml"),
    ("graphql_schema_introspection", "graphql_schema_introspection.yaml"),
    ("network", "network.yaml"),
    ("backend_configs", "backend_configs.yaml"),
    ("metrics_config", "metrics_config.yaml"),
    ("opentelemetry", "opentelemetry.yaml"),
];

/// What a section's file holds when the document has none.
fn empty(section: &str) -> Value {
    match section {
        "graphql_schema_introspection" => json!({"disabled_for_roles": []}),
        "api_limits" | "network" | "backend_configs" | "metrics_config" | "opentelemetry" => json!({}),
        _ => json!([]),
    }
}

/// The files of a document by their path in the directory.
pub fn files(document: &Value) -> Result<BTreeMap<PathBuf, String>> {
    let mut files = BTreeMap::new();
    let version = document.get("version").cloned().unwrap_or_else(|| json!(3));
    add(&mut files, "version.yaml", &json!({"version": version}))?;
    for (section, file) in SECTIONS {
        add(&mut files, file, &document.get(section).cloned().unwrap_or_else(|| empty(section)))?;
    }
    actions(&mut files, document)?;
    let mut databases = Vec::new();
    for source in document.get("sources").and_then(Value::as_array).into_iter().flatten() {
        databases.push(database(&mut files, source)?);
    }
    add(&mut files, "databases/databases.yaml", &Value::Array(databases))?;
    Ok(files)
}

/// Writes the files below a directory and removes what an earlier export left of other objects.
pub fn write(directory: &Path, files: &BTreeMap<PathBuf, String>) -> Result<()> {
    let doing = |source| Error::internal("writing the metadata directory", source);
    for source in fs::read_dir(directory.join("databases")).into_iter().flatten().flatten() {
        for kind in ["tables", "functions"] {
            match fs::remove_dir_all(source.path().join(kind)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound && source.path().is_dir() => {
                    return Err(doing(error));
                }
                _ => {}
            }
        }
    }
    for (file, text) in files {
        let path = directory.join(file);
        path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(&path, text)).map_err(doing)?;
    }
    Ok(())
}

/// The entry of `databases.yaml`; tables and functions get a file each.
fn database(files: &mut BTreeMap<PathBuf, String>, source: &Value) -> Result<Value> {
    let name = segment(source.get("name"))?;
    let mut entry = source.as_object().cloned().unwrap_or_default();
    for (kind, qualified) in [("tables", "table"), ("functions", "function")] {
        let objects = entry.get(kind).and_then(Value::as_array).cloned().unwrap_or_default();
        if objects.is_empty() && kind == "functions" {
            entry.shift_remove(kind);
            continue;
        }
        let mut includes = Vec::new();
        for object in &objects {
            let file = format!("{}.yaml", qualified_name(object.get(qualified))?);
            add(files, &format!("databases/{name}/{kind}/{file}"), object)?;
            includes.push(json!(format!("!include {file}")));
        }
        add(files, &format!("databases/{name}/{kind}/{kind}.yaml"), &Value::Array(includes))?;
        entry.insert(kind.to_owned(), json!(format!("!include {name}/{kind}/{kind}.yaml")));
    }
    Ok(Value::Object(entry))
}

/// `actions.yaml` without the types, and `actions.graphql` with them.
fn actions(files: &mut BTreeMap<PathBuf, String>, document: &Value) -> Result<()> {
    let actions = document.get("actions").and_then(Value::as_array).cloned().unwrap_or_default();
    let types = document.get("custom_types").cloned().unwrap_or_default();
    files.insert(PathBuf::from("actions.graphql"), sdl::print(&actions, &types));
    let mut bare = actions;
    for action in &mut bare {
        if let Some(definition) = action.get_mut("definition").and_then(Value::as_object_mut) {
            for key in ["arguments", "output_type", "type"] {
                definition.shift_remove(key);
            }
        }
    }
    let mut bare_types = Map::new();
    for kind in ["enums", "input_objects", "objects", "scalars"] {
        let mut list = types.get(kind).and_then(Value::as_array).cloned().unwrap_or_default();
        for object in list.iter_mut().filter_map(Value::as_object_mut) {
            for key in ["fields", "values", "description"] {
                object.shift_remove(key);
            }
        }
        bare_types.insert(kind.to_owned(), Value::Array(list));
    }
    add(files, "actions.yaml", &json!({"actions": bare, "custom_types": bare_types}))
}

fn add(files: &mut BTreeMap<PathBuf, String>, path: &str, value: &Value) -> Result<()> {
    let text = serde_norway::to_string(value).map_err(|source| Error::internal("writing YAML", source))?;
    files.insert(PathBuf::from(path), text);
    Ok(())
}

/// `schema_name`, or the name alone where there is no schema.
fn qualified_name(qualified: Option<&Value>) -> Result<String> {
    match qualified.and_then(Value::as_object) {
        Some(parts) => {
            let name = segment(parts.get("name"))?;
            match parts.get("schema") {
                Some(schema) => Ok(format!("{}_{name}", segment(Some(schema))?)),
                None => Ok(name),
            }
        }
        None => segment(qualified),
    }
}

/// A name that is to become a file's: one that leads elsewhere is refused.
fn segment(name: Option<&Value>) -> Result<String> {
    let name = name.and_then(Value::as_str).unwrap_or_default();
    let mut parts = Path::new(name).components();
    match (parts.next(), parts.next()) {
        (Some(Component::Normal(_)), None) => Ok(name.to_owned()),
        _ => Err(Error::new(Code::VendorRejected, format!("the server's metadata has an object named {name:?}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::metadata::Metadata;

    #[test]
    fn a_document_survives_the_way_through_a_directory() {
        let document = json!({
            "version": 3,
            "sources": [{
                "name": "default", "kind": "postgres",
                "tables": [{"table": {"name": "stores", "schema": "public"}, "select_permissions": [
                    {"role": "user", "permission": {"columns": ["id"], "filter": {"id": {"_eq": "X-Hasura-User-Id"}}}}
                ]}],
                "configuration": {"connection_info": {"database_url": {"from_env": "DATABASE_URL"}}},
            }],
            "actions": [{"name": "createStore", "definition": {
                "handler": "{{URL}}/createStore", "output_type": "Created", "type": "mutation", "kind": "synchronous",
                "arguments": [{"name": "name", "type": "String!"}, {"name": "kind", "type": "Kind"}],
            }}],
            "custom_types": {
                "objects": [{"name": "Created", "fields": [{"name": "id", "type": "uuid!"}]}],
                "enums": [{"name": "Kind", "values": [{"value": "woocommerce"}]}],
            },
        });
        let directory = tempfile::tempdir().expect("a directory");
        write(directory.path(), &files(&document).expect("files")).expect("written");
        let read = Metadata::from_directory(directory.path()).expect("a sound directory").to_document();
        assert_eq!(super::super::normal::normal(&read), super::super::normal::normal(&document));
    }

    #[test]
    fn a_name_cannot_lead_out_of_the_directory() {
        for name in ["../../etc/passwd", "..", "/etc/passwd", "a/b", ""] {
            assert!(segment(Some(&json!(name))).is_err(), "{name}");
        }
    }
}
