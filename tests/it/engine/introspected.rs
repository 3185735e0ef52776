//! The graph that a real Hasura showed for the same schema and metadata.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use northstack::engine::metadata::{Metadata, RemoteSchema};
use northstack::engine::{
    ActionAnswer, ActionCall, Callers, Engine, EngineOptions, GraphqlError, MetadataSource, Pending, RemoteCall,
    Request, RequestContext, Session,
};
use serde_json::Value;

use super::ask;
use crate::support::{empty_database, shared_directory};

/// A remote schema that can be introspected and nothing else.
pub struct Sdl(pub String);

impl Callers for Sdl {
    fn action<'a>(&'a self, _: &'a RequestContext, _: ActionCall) -> Pending<'a, Result<ActionAnswer, GraphqlError>> {
        Box::pin(async { Err(GraphqlError::unexpected("no actions here")) })
    }
    fn remote<'a>(
        &'a self,
        _: &'a RequestContext,
        _: RemoteCall,
    ) -> Pending<'a, Result<serde_json::Map<String, Value>, GraphqlError>> {
        Box::pin(async { Err(GraphqlError::unexpected("no remote schema here")) })
    }
    fn introspect<'a>(&'a self, _: &'a RemoteSchema) -> Pending<'a, Result<String, String>> {
        Box::pin(async { Ok(self.0.clone()) })
    }
}

fn reference(ty: &Value) -> String {
    match ty["kind"].as_str().unwrap() {
        "NON_NULL" => format!("{}!", reference(&ty["ofType"])),
        "LIST" => format!("[{}]", reference(&ty["ofType"])),
        _ => ty["name"].as_str().unwrap().to_owned(),
    }
}

/// Every type, field, argument and value on a line of its own, and so every description.
fn lines(schema: &Value) -> BTreeSet<String> {
    let mut lines = BTreeSet::new();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let says = |of: &Value, place: String| {
        let text = of["description"].as_str().filter(|text| !text.is_empty())?;
        // Hasura names a constraint's columns in the order of a hash table.
        let text = match text.split_once("constraint on columns ") {
            Some((start, columns)) => {
                let columns: BTreeSet<&str> = columns.split(", ").collect();
                format!("{start}constraint on columns {columns:?}")
            }
            None => text.to_owned(),
        };
        Some(format!("{place} \"{text}\""))
    };
    for ty in list(&schema["types"]) {
        let name = ty["name"].as_str().unwrap();
        if name.starts_with("__") {
            continue;
        }
        lines.insert(format!("{} {name}", ty["kind"].as_str().unwrap()));
        lines.extend(says(&ty, name.to_owned()));
        for field in list(&ty["fields"]) {
            let own = field["name"].as_str().unwrap();
            lines.insert(format!("{name}.{own}: {}", reference(&field["type"])));
            lines.extend(says(&field, format!("{name}.{own}")));
            for argument in list(&field["args"]) {
                let at = argument["name"].as_str().unwrap();
                lines.insert(format!("{name}.{own}({at}: {})", reference(&argument["type"])));
                lines.extend(says(&argument, format!("{name}.{own}({at})")));
            }
        }
        for field in list(&ty["inputFields"]) {
            let own = field["name"].as_str().unwrap();
            lines.insert(format!("{name}.{own}: {}", reference(&field["type"])));
            lines.extend(says(&field, format!("{name}.{own}")));
        }
        for value in list(&ty["enumValues"]) {
            let own = value["name"].as_str().unwrap();
            lines.insert(format!("{name} = {own}"));
            lines.extend(says(&value, format!("{name} = {own}")));
        }
    }
    lines
}

/// What the engine shows otherwise, with the reason.
const DIFFERENCES: &[(&str, &str)] = &[
    ("query_root.listRegions", "Hasura loses list and null of an action that answers with scalars"),
    ("query_root.serverTime", "as above"),
    ("query_root.unreachable", "as above"),
    ("Boolean \"", "built-in scalars keep the specification's words; Hasura has those of a remote schema or none"),
    ("Float \"", "as above"),
    ("ID \"", "as above"),
    ("Int \"", "as above"),
    ("String \"", "as above"),
];

const QUERY: &str = "query { __schema { types { kind name description
    fields { name description args { name description type { ...T } } type { ...T } }
    inputFields { name description type { ...T } } enumValues { name description } } } }
    fragment T on __Type { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name } } } } }";

#[tokio::test(flavor = "multi_thread")]
async fn the_graph_is_hasuras() {
    let Some(directory) = shared_directory("vendor/hasura/recorded") else { return };
    let read = |file: &str| std::fs::read_to_string(directory.join(file)).unwrap();
    let pool = sqlx::PgPool::connect_with(empty_database().await).await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(read("setup.sql"))).execute(&pool).await.unwrap();
    // Read as it stands, with what a load refuses: what of it has a schema is compared.
    let metadata: Metadata = serde_json::from_str(&read("metadata.json")).unwrap();
    let options = EngineOptions::new(pool, MetadataSource::Document(Box::new(metadata)));
    let engine = Engine::start(&options, Arc::new(Sdl(read("remote-schema.graphql")))).await.unwrap();
    let recorded: Value = serde_json::from_str(&read("introspection.json")).unwrap();
    for entry in recorded["entries"].as_array().unwrap() {
        let role = entry["name"].as_str().unwrap();
        assert_eq!(engine.state().schema(role, false).document().validate(), None, "role {role}");
        let session = Session::new(role, [("x-hasura-user-id", "20000000-0000-4000-8000-000000000001")]);
        let answer = ask(&engine, &session, &Request::new(QUERY)).await;
        assert_eq!(answer["errors"], Value::Null, "{answer}");
        let expected = lines(&entry["response"]["body"]["data"]["__schema"]);
        let got = lines(&answer["data"]["__schema"]);
        let known = |line: &&String| !DIFFERENCES.iter().any(|(start, _)| line.starts_with(start));
        let mut differences: BTreeMap<&str, Vec<&String>> = BTreeMap::new();
        differences.insert("missing", expected.difference(&got).filter(known).collect());
        differences.insert("too much", got.difference(&expected).filter(known).collect());
        let count: usize = differences.values().map(Vec::len).sum();
        assert_eq!(count, 0, "role {role}, {} lines: {differences:#?}", expected.len());
    }
}
