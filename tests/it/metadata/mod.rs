//! `hasura/metadata`: valid by Hasura's own schema, sound by our rules, and as `northstack metadata export` writes it.

pub mod openapi;
mod rules;

use std::path::{Path, PathBuf};

use northstack::engine::metadata::Metadata;
use serde_json::Value;

/// The repository's metadata directory.
fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("hasura/metadata")
}

/// The directory, assembled into the document that the metadata API takes.
fn document() -> Value {
    match Metadata::from_directory(&directory()) {
        Ok(metadata) => metadata.to_document(),
        Err(fault) => panic!("{fault}"),
    }
}

/// The elements of a list in the document.
fn list<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value.get(key).and_then(Value::as_array).into_iter().flatten()
}

/// A text in the document.
fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The tracked tables.
fn tables(document: &Value) -> Vec<&Value> {
    list(&document["sources"][0], "tables").collect()
}
