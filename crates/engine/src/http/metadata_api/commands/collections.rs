//! Query collections, the allow list and RESTified endpoints.

use apollo_compiler::ast::{Definition, OperationType};
use serde_json::{Value, json};

use super::super::document;
use super::{Edit, exists, missing};
use crate::error::{ErrorCode, GraphqlError, Result};
use crate::http::rest;
use crate::metadata::RestEndpoint;

pub(super) fn edit(name: &str, args: &Value, document: &mut Value) -> Option<Result<Edit>> {
    Some(match name {
        "create_query_collection" => create(args, document),
        "drop_query_collection" => drop(args, document),
        "rename_query_collection" => rename(args, document),
        "add_query_to_collection" => add_query(args, document),
        "drop_query_from_collection" => drop_query(args, document),
        "add_collection_to_allowlist" => allow(args, document),
        "drop_collection_from_allowlist" => disallow(args, document),
        "update_scope_of_collection_in_allowlist" => rescope(args, document),
        "create_rest_endpoint" => create_endpoint(args, document),
        "drop_rest_endpoint" => drop_endpoint(args, document),
        _ => return None,
    })
}

fn parses(query: &str) -> bool {
    apollo_compiler::parser::Parser::new().parse_ast(query, "query.graphql").is_ok()
}

fn create(args: &Value, document: &mut Value) -> Result<Edit> {
    let name = document::text(args, "name")?;
    let definition = document::required(args, "definition")?;
    let queries = definition.get("queries").and_then(Value::as_array).into_iter().flatten();
    for (index, query) in queries.enumerate() {
        if !query.get("query").and_then(Value::as_str).is_some_and(parses) {
            let path = format!("$.args.definition.queries[{index}].query");
            return Err(GraphqlError::at(path, ErrorCode::ParseFailed, "parsing the graphql query failed"));
        }
    }
    let collections = document::list(document, "query_collections");
    if document::find(collections, "name", &Value::from(name)).is_some() {
        return Err(exists(format!("query collection with name {name:?} already exists")));
    }
    collections.push(document::pick(args, &["name", "definition", "comment"]));
    Ok(Edit::of(format!("query_collection {name}")))
}

fn collection<'d>(name: &str, document: &'d mut Value) -> Result<&'d mut serde_json::Map<String, Value>> {
    document::find(document::list(document, "query_collections"), "name", &Value::from(name))
        .ok_or_else(|| missing(format!("query collection with name {name:?} does not exist")))
}

fn drop(args: &Value, document: &mut Value) -> Result<Edit> {
    let name = document::text(args, "collection")?;
    collection(name, document)?;
    let cascade = args.get("cascade").and_then(Value::as_bool).unwrap_or(false);
    let key = Value::from(name);
    let allowed = document::list(document, "allowlist");
    if document::find(allowed, "collection", &key).is_some() {
        if !cascade {
            let message = format!(
                "query collection with name {name:?} is present in the allowlist; cannot proceed to drop. please remove it \
                 from the allowlist first"
            );
            return Err(GraphqlError::new(ErrorCode::DependencyError, message));
        }
        document::remove(allowed, "collection", &key);
    }
    if cascade {
        document::list(document, "rest_endpoints")
            .retain(|endpoint| endpoint.pointer("/definition/query/collection_name") != Some(&key));
    }
    document::remove(document::list(document, "query_collections"), "name", &key);
    Ok(Edit::removal(args))
}

fn rename(args: &Value, document: &mut Value) -> Result<Edit> {
    let (name, new) = (document::text(args, "name")?, document::text(args, "new_name")?);
    if collection(new, document).is_ok() {
        return Err(exists(format!("query collection with name {new:?} already exists")));
    }
    collection(name, document)?.insert("name".into(), new.into());
    for entry in document::list(document, "allowlist") {
        if entry.get("collection").and_then(Value::as_str) == Some(name)
            && let Some(entry) = entry.as_object_mut()
        {
            entry.insert("collection".into(), new.into());
        }
    }
    Ok(Edit::of(format!("query_collection {new}")))
}

fn queries<'d>(name: &str, document: &'d mut Value) -> Result<&'d mut Vec<Value>> {
    let definition = collection(name, document)?.entry("definition").or_insert_with(|| json!({"queries": []}));
    Ok(document::list(definition, "queries"))
}

fn add_query(args: &Value, document: &mut Value) -> Result<Edit> {
    let (name, query_name) = (document::text(args, "collection_name")?, document::text(args, "query_name")?);
    let query = document::text(args, "query")?;
    if !parses(query) {
        return Err(GraphqlError::at("$.args.query", ErrorCode::ParseFailed, "parsing the graphql query failed"));
    }
    let queries = queries(name, document)?;
    if document::find(queries, "name", &Value::from(query_name)).is_some() {
        let message = format!("query with name {query_name:?} already exists in collection {name:?}");
        return Err(exists(message));
    }
    queries.push(json!({"name": query_name, "query": query}));
    Ok(Edit::of(format!("query_collection {name}")))
}

fn drop_query(args: &Value, document: &mut Value) -> Result<Edit> {
    let (name, query_name) = (document::text(args, "collection_name")?, document::text(args, "query_name")?);
    if !document::remove(queries(name, document)?, "name", &Value::from(query_name)) {
        return Err(missing(format!("query with name {query_name:?} not found in collection {name:?}")));
    }
    Ok(Edit::removal(args))
}

fn allow(args: &Value, document: &mut Value) -> Result<Edit> {
    let name = document::text(args, "collection")?;
    collection(name, document)?;
    let allowed = document::list(document, "allowlist");
    if document::find(allowed, "collection", &Value::from(name)).is_some() {
        return Ok(Edit::remark(json!({"message": format!(
            "collection {name:?} already exists in the allowlist, scope ignored; to change scope, use \
             update_scope_of_collection_in_allowlist"
        )})));
    }
    allowed.push(document::pick(args, &["collection", "scope"]));
    Ok(Edit::of("allowlist"))
}

fn disallow(args: &Value, document: &mut Value) -> Result<Edit> {
    let name = document::text(args, "collection")?;
    if !document::remove(document::list(document, "allowlist"), "collection", &Value::from(name)) {
        return Err(missing(format!("collection {name:?} doesn't exist in the allowlist")));
    }
    Ok(Edit::removal(args))
}

fn rescope(args: &Value, document: &mut Value) -> Result<Edit> {
    disallow(args, document)?;
    document::list(document, "allowlist").push(document::pick(args, &["collection", "scope"]));
    Ok(Edit::of("allowlist"))
}

fn create_endpoint(args: &Value, document: &mut Value) -> Result<Edit> {
    let name = document::text(args, "name")?;
    let url = document::text(args, "url")?;
    if url.is_empty() {
        return Err(GraphqlError::at("$.url", ErrorCode::ParseFailed, "empty string not allowed"));
    }
    let endpoints = document::list(document, "rest_endpoints");
    if document::find(endpoints, "name", &Value::from(name)).is_some() {
        return Err(exists(format!("endpoint with name: {name:?} already exists")));
    }
    let endpoint = document::pick(args, &["name", "url", "methods", "definition", "comment"]);
    endpoints.push(endpoint.clone());
    let listed: Vec<RestEndpoint> =
        endpoints.iter().filter_map(|endpoint| serde_json::from_value(endpoint.clone()).ok()).collect();
    let inconsistent = |reason: String| {
        let mut shown = endpoint.clone();
        if let Some(fields) = shown.as_object_mut() {
            fields.entry("comment").or_insert(Value::Null);
        }
        let internal = json!([{
            "definition": shown, "name": format!("rest_endpoint {name}"), "reason": reason, "type": "rest_endpoint",
        }]);
        GraphqlError::new(ErrorCode::InvalidConfiguration, reason).with_internal(internal)
    };
    rest::check_url(url).map_err(inconsistent)?;
    let mut clashing = rest::ambiguous(&listed);
    if clashing.iter().any(|one| one.name == name) {
        clashing.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        let urls: Vec<&str> = clashing.iter().map(|one| one.url.as_str()).collect();
        let reason = format!("Ambiguous URL paths: {}", urls.join(", "));
        let conflicts: Vec<Value> = clashing.iter().map(|one| resolved(one, document)).collect();
        // Hasura counts such a conflict as a fault of its first endpoint.
        let own = clashing.first().is_some_and(|first| first.name == name);
        let error = match own {
            true => GraphqlError::new(ErrorCode::InvalidConfiguration, reason.clone()),
            false => GraphqlError::new(ErrorCode::Unexpected, "cannot continue due to new inconsistent metadata"),
        };
        return Err(error.with_status(400).with_internal(json!([{"conflicts": conflicts, "reason": reason}])));
    }
    let reference = |key: &str| endpoint.pointer(&format!("/definition/query/{key}")).and_then(Value::as_str);
    let (collection_name, query_name) =
        (reference("collection_name").unwrap_or_default(), reference("query_name").unwrap_or_default());
    let query = collection(collection_name, document)
        .map_err(|_| {
            inconsistent(format!(
                "Inconsistent object: in endpoint {name}: query collection with name {collection_name} does not exist"
            ))
        })
        .map(|collection| collection.clone())?;
    let query = query
        .get("definition")
        .and_then(|definition| definition.get("queries"))
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .find(|query| query.get("name").and_then(Value::as_str) == Some(query_name))
        .and_then(|query| query.get("query"))
        .and_then(Value::as_str)
        .ok_or_else(|| {
            inconsistent(format!(
                "Inconsistent object: in endpoint {name}: query with name {query_name} does not exist in collection {collection_name}"
            ))
        })?;
    if is_subscription(query) {
        return Err(inconsistent(format!(
            "Inconsistent object: in endpoint {name}: query with name {query_name} is a subscription"
        )));
    }
    Ok(Edit::of(format!("rest_endpoint {name}")))
}

/// An endpoint with its query in place of the reference to it.
fn resolved(endpoint: &RestEndpoint, document: &Value) -> Value {
    let reference = &endpoint.definition.query;
    let list = |value: &Value, key: &str| value.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
    let named = |list: Vec<Value>, name: &str| list.into_iter().find(|one| one.get("name").is_some_and(|n| n == name));
    let collection = named(list(document, "query_collections"), &reference.collection_name).unwrap_or_default();
    let queries = collection.get("definition").map(|definition| list(definition, "queries")).unwrap_or_default();
    let query = named(queries, &reference.query_name).and_then(|query| query.get("query").cloned());
    json!({
        "comment": endpoint.comment,
        "definition": {"query": query},
        "methods": endpoint.methods,
        "name": endpoint.name,
        "url": endpoint.url,
    })
}

fn is_subscription(query: &str) -> bool {
    apollo_compiler::parser::Parser::new().parse_ast(query, "query.graphql").is_ok_and(|document| {
        document.definitions.iter().any(|definition| {
            matches!(definition, Definition::OperationDefinition(operation)
                if operation.operation_type == OperationType::Subscription)
        })
    })
}

fn drop_endpoint(args: &Value, document: &mut Value) -> Result<Edit> {
    let name = document::text(args, "name")?;
    if !document::remove(document::list(document, "rest_endpoints"), "name", &Value::from(name)) {
        return Err(missing(format!("endpoint with name: {name:?} does not exist")));
    }
    Ok(Edit::removal(args))
}
