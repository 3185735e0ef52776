//! `/api/openapi.json`: the REST routes for whoever may call them. Hasura's own document, which administrators alone may
//! read, knows nothing of access tokens, of the envelope, and of what an answer holds.

mod own;

use std::sync::OnceLock;

use apollo_compiler::ast::Type;
use apollo_compiler::executable::{Field, Operation, Selection, SelectionSet};
use apollo_compiler::schema::ExtendedType;
use apollo_compiler::validation::Valid;
use apollo_compiler::{ExecutableDocument, Schema};
use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode};
use serde_json::{Map, Value, json};
use strum::IntoEnumIterator;

use super::edge::alias;
use super::{AppState, RestResult};
use crate::domain::{Code, Error, Result};

/// What a user's role sees: the types of what the routes answer.
const GRAPH: &str = include_str!("../../schema.graphql");
/// The longest document that is read.
const LONGEST: usize = 16 * 1024 * 1024;

/// `GET /api/openapi.json`
pub async fn document(State(state): State<AppState>) -> RestResult<Json<Value>> {
    let hasuras = hasuras(&state).await?;
    let paths = hasuras.get("paths").and_then(Value::as_object).cloned().unwrap_or_default();
    let paths: Map<String, Value> =
        paths.into_iter().filter_map(|(path, item)| route(&path, &item)).chain(own::paths()).collect();
    Ok(Json(json!({
        "openapi": "3.0.3",
        "info": {
            "title": "NorthStack",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "The REST routes of the NorthStack API. GraphQL, with subscriptions, is at /v1/graphql.",
            "license": { "name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0" },
        },
        "servers": [{ "url": "/" }],
        "security": [{ "bearer": [] }],
        "paths": paths,
        "components": components(),
    })))
}

async fn hasuras(state: &AppState) -> Result<Value> {
    let config = state.settings.live.get();
    let unavailable = |reason: String| Error::unavailable("reading the document of the REST routes", reason);
    let secret = config.hasura.admin_secret.as_ref().map(|secret| secret.expose().clone()).unwrap_or_default();
    let mut secret = HeaderValue::from_str(&secret).map_err(|error| unavailable(error.to_string()))?;
    secret.set_sensitive(true);
    let request = Request::get("/api/swagger/json").header("x-hasura-admin-secret", secret);
    let request = request.body(Body::empty()).map_err(|error| unavailable(error.to_string()))?;
    let response = state.backend.clone().answer(request).await;
    if response.status() != StatusCode::OK {
        return Err(unavailable(format!("it was answered with {}", response.status())));
    }
    let body = to_bytes(response.into_body(), LONGEST).await.map_err(|error| unavailable(error.to_string()))?;
    serde_json::from_slice(&body)
        .map_err(|error| Error::new(Code::Internal, "the document is no JSON").caused_by(error))
}

fn graph() -> Result<&'static Valid<Schema>> {
    static PARSED: OnceLock<Option<Valid<Schema>>> = OnceLock::new();
    let parse = || Schema::parse(GRAPH, "schema.graphql").ok().map(Valid::assume_valid);
    PARSED.get_or_init(parse).as_ref().ok_or_else(|| Error::new(Code::Internal, "the schema is none"))
}

/// A path of Hasura's under its alias, with the methods that a user may call.
fn route(path: &str, item: &Value) -> Option<(String, Value)> {
    let rest = path.strip_prefix("/api/rest/v1/")?;
    let methods = item.as_object()?.iter();
    let methods = methods.filter_map(|(method, told)| Some((method.clone(), operation(path, method, told)?)));
    let methods: Map<String, Value> = methods.collect();
    (!methods.is_empty()).then(|| (format!("/api/v1/{rest}"), Value::Object(methods)))
}

/// One method of a path. Hasura shows the query that it runs, which says what is needed and what is answered;
/// one that asks for what a user's role does not see is an administrator's.
fn operation(path: &str, method: &str, told: &Value) -> Option<Value> {
    let text = told["description"].as_str().unwrap_or_default();
    let name = told["summary"].as_str().unwrap_or_default();
    let summary = text.lines().next().filter(|line| !line.starts_with("***")).unwrap_or(name);
    let mut described = json!({ "operationId": name, "summary": summary });
    let (query, _) = text.split_once("``` graphql\n")?.1.rsplit_once("\n```")?;
    let graph = graph().ok()?;
    let parsed = ExecutableDocument::parse(graph, query, "query.graphql").ok()?;
    let operation = parsed.operations.iter().next()?;
    let (parameters, body) = asked(graph, path, method, operation);
    let (status, answer) = answered(graph, method, operation);
    let mut responses = Map::from_iter([(status.as_str().to_owned(), answer)]);
    let by_id = path.contains('{') || operation.selection_set.selections.len() > 1;
    responses.extend(refusals(by_id, method != "get", body.is_some()));
    described["parameters"] = parameters.into();
    described["responses"] = responses.into();
    if let Some(body) = body {
        described["requestBody"] = body;
    }
    Some(described)
}

/// What a request gives, in path and query or in its body.
fn asked(graph: &Schema, path: &str, method: &str, operation: &Operation) -> (Vec<Value>, Option<Value>) {
    let (mut parameters, mut properties, mut required) = (Vec::new(), Map::new(), Vec::new());
    for variable in &operation.variables {
        let name = variable.name.as_str();
        let mut schema = typed(&variable.ty, &mut |name| given(graph, name, 0));
        let default = variable.default_value.as_ref();
        let default = default.and_then(|value| serde_json::from_str::<Value>(&value.to_string()).ok());
        let needed = variable.ty.is_non_null() && variable.default_value.is_none();
        if let Some(default) = default.filter(|value| value.is_number() || value.is_boolean() || value.is_string()) {
            schema["default"] = default;
        }
        if path.contains(&format!("{{{name}}}")) {
            parameters.push(json!({ "in": "path", "name": name, "required": true, "schema": schema }));
        } else if method == "get" {
            parameters.push(json!({ "in": "query", "name": name, "required": needed, "schema": schema }));
        } else {
            properties.insert(name.to_owned(), schema);
            required.extend(needed.then(|| name.to_owned()));
        }
    }
    let body = (!properties.is_empty()).then(|| body(properties.into(), &required));
    (parameters, body)
}

/// The status of a success, and what it says.
fn answered(graph: &Schema, method: &str, operation: &Operation) -> (StatusCode, Value) {
    let fields: Vec<&Field> =
        operation.selection_set.selections.iter().filter_map(|one| one.as_field()).map(|one| &**one).collect();
    // The alias takes the same apart.
    let beside =
        |field: &Field| fields.len() > 1 && ["_by_pk", "_aggregate"].iter().any(|end| field.name.ends_with(end));
    let counted = fields.len() > 1 && fields.iter().any(|field| field.name.ends_with("_aggregate"));
    let Some(field) = fields.iter().find(|field| !beside(field)) else {
        return (StatusCode::OK, json!({ "description": "What was asked for" }));
    };
    let has =
        |name: &str| field.selection_set.selections.iter().filter_map(Selection::as_field).any(|one| one.name == name);
    let method = Method::from_bytes(method.to_ascii_uppercase().as_bytes()).unwrap_or_default();
    let status = alias::status(&method, &field.name, has("operationId"));
    let description = match status {
        StatusCode::ACCEPTED => "The operation has begun",
        StatusCode::CREATED => "It is made",
        StatusCode::NO_CONTENT => return (status, json!({ "description": "It is gone" })),
        _ => "What was asked for",
    };
    // What is null is answered with 404.
    let mut data = typed(field.ty(), &mut |name| selected(graph, name, &field.selection_set));
    if let Some(fields) = data.as_object_mut() {
        fields.shift_remove("nullable");
    }
    (status, json_response(description, &envelope(&data, counted)))
}

/// A type with its lists, of what `inner` says of its name.
fn typed(ty: &Type, inner: &mut dyn FnMut(&str) -> Value) -> Value {
    let mut schema = match ty {
        Type::List(item) | Type::NonNullList(item) => json!({ "type": "array", "items": typed(item, inner) }),
        Type::Named(name) | Type::NonNullNamed(name) => inner(name),
    };
    // A schema that says nothing takes null as well.
    if !ty.is_non_null() && schema.get("type").is_some() {
        schema["nullable"] = true.into();
    }
    schema
}

/// What is selected of a type.
fn selected(graph: &Schema, name: &str, set: &SelectionSet) -> Value {
    if set.selections.is_empty() {
        return scalar(graph, name);
    }
    let (mut properties, mut required) = (Map::new(), Vec::new());
    for field in set.selections.iter().filter_map(Selection::as_field) {
        let mut schema = typed(field.ty(), &mut |name| selected(graph, name, &field.selection_set));
        if let (Some(text), true) = (&field.definition.description, field.selection_set.selections.is_empty()) {
            schema["description"] = text.as_str().into();
        }
        // What is not for the caller to see is null, whatever Hasura's type says.
        if !field.selection_set.selections.is_empty() && !field.ty().is_list() {
            schema["nullable"] = true.into();
        }
        properties.insert(field.response_key().to_string(), schema);
        required.push(field.response_key().to_string());
    }
    json!({ "type": "object", "properties": properties, "required": required })
}

/// What is given of a type.
fn given(graph: &Schema, name: &str, depth: usize) -> Value {
    let Some(ExtendedType::InputObject(object)) = graph.types.get(name) else { return scalar(graph, name) };
    let fields = object.fields.iter().filter(|_| depth < 3);
    let fields =
        fields.map(|(name, field)| (name.to_string(), typed(&field.ty, &mut |name| given(graph, name, depth + 1))));
    json!({ "type": "object", "properties": fields.collect::<Map<String, Value>>() })
}

fn scalar(graph: &Schema, name: &str) -> Value {
    match name {
        "Int" => json!({ "type": "integer", "format": "int32" }),
        "bigint" | "smallint" => json!({ "type": "integer", "format": "int64" }),
        "Float" | "float8" | "numeric" => json!({ "type": "number" }),
        "Boolean" => json!({ "type": "boolean" }),
        "String" | "ID" | "bpchar" | "citext" | "inet" => json!({ "type": "string" }),
        "uuid" | "UUID" => json!({ "type": "string", "format": "uuid" }),
        "timestamptz" | "timestamp" | "DateTime" => json!({ "type": "string", "format": "date-time" }),
        _ => match graph.types.get(name) {
            Some(ExtendedType::Enum(values)) => {
                json!({ "type": "string", "enum": values.values.keys().map(ToString::to_string).collect::<Vec<_>>() })
            }
            _ => json!({}),
        },
    }
}

fn json_response(description: &str, schema: &Value) -> Value {
    json!({ "description": description, "content": { "application/json": { "schema": schema } } })
}

fn body(properties: Value, required: &[String]) -> Value {
    let mut schema = json!({ "type": "object", "properties": properties, "additionalProperties": false });
    if !required.is_empty() {
        schema["required"] = required.into();
    }
    json!({ "required": !required.is_empty(), "content": { "application/json": { "schema": schema } } })
}

fn envelope(data: &Value, counted: bool) -> Value {
    let mut properties = json!({ "success": { "type": "boolean", "enum": [true] }, "data": data });
    let mut required = vec!["success", "data"];
    if counted {
        properties["meta"] = json!({ "$ref": "#/components/schemas/Meta" });
        required.push("meta");
    }
    json!({ "type": "object", "properties": properties, "required": required })
}

/// The errors that a route may answer, by status.
fn refusals(by_id: bool, changes: bool, has_body: bool) -> impl Iterator<Item = (String, Value)> {
    let some = [
        ("401", true),
        ("403", changes),
        ("404", by_id),
        ("409", changes),
        ("413", has_body),
        ("415", has_body),
        ("422", by_id || has_body),
        ("429", true),
        ("default", true),
    ];
    let named = |status: &str| json!({ "$ref": format!("#/components/responses/{status}") });
    some.into_iter().filter(|(_, may)| *may).map(move |(status, _)| (status.to_owned(), named(status)))
}

fn components() -> Value {
    let responses = [
        ("401", "No access token, or one that has expired"),
        ("403", "Your role in the team does not allow that"),
        ("404", "It is not there, or not for you to see"),
        ("409", "Its state, or something else of that name, does not allow it"),
        ("413", "The body is too large"),
        ("415", "The body is no application/json"),
        ("422", "A field is wrong: `details` says which and what would be right"),
        ("429", "Too many requests, or a limit is reached"),
        ("default", "What is wrong"),
    ];
    let error = json!({ "$ref": "#/components/schemas/Error" });
    let responses: Map<String, Value> =
        responses.iter().map(|(status, text)| ((*status).to_owned(), json_response(text, &error))).collect();
    json!({
        "securitySchemes": { "bearer": {
            "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
            "description": "The accessToken that POST /api/v1/auth/login answers.",
        }},
        "responses": responses,
        "schemas": {
            "Error": {
                "type": "object", "required": ["success", "error"],
                "properties": {
                    "success": { "type": "boolean", "enum": [false] },
                    "error": {
                        "type": "object", "required": ["code", "message"],
                        "properties": {
                            "code": { "type": "string", "enum": Code::iter().map(Code::as_str).collect::<Vec<_>>() },
                            "message": { "type": "string" },
                            "details": {
                                "type": "object", "additionalProperties": { "type": "string" },
                                "description": "What is wrong with a field, by its name",
                            },
                        },
                    },
                },
            },
            "Meta": {
                "type": "object", "required": ["count", "total"],
                "properties": {
                    "count": { "type": "integer", "description": "How many are in this answer" },
                    "total": { "type": "integer", "description": "How many there are" },
                },
            },
        },
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::http::Access;
    use crate::http::router::routes;

    /// A route as Hasura's document tells of it.
    fn told(path: &str, method: &str, name: &str, query: &str) -> Value {
        let text = format!("Do it\n***\nThe GraphQl query for this endpoint is:\n``` graphql\n{query}\n```");
        let (_, item) = route(path, &json!({ method: { "summary": name, "description": text } })).unwrap();
        item[method].clone()
    }

    #[test]
    fn what_is_asked_and_answered_is_typed_by_the_query() {
        let query = "mutation A($project_id: uuid!, $name: String!, $port: Int! = 8080, $image: String) {
            insert_applications_one(object: {project_id: $project_id, name: $name, port: $port, image: $image}) { id image }
        }";
        let made = told("/api/rest/v1/applications", "post", "A", query);
        assert_eq!((&made["summary"], &made["operationId"]), (&json!("Do it"), &json!("A")));
        let body = &made["requestBody"]["content"]["application/json"]["schema"];
        assert_eq!(body["required"], json!(["project_id", "name"]));
        assert_eq!(body["properties"]["port"]["default"], 8080);
        assert_eq!(made["parameters"], json!([]));
        let answer = &made["responses"]["201"]["content"]["application/json"]["schema"]["properties"]["data"];
        assert_eq!(answer["required"], json!(["id", "image"]));
        assert_eq!(answer["properties"]["id"]["format"], "uuid");
        assert_eq!(answer["properties"]["image"]["nullable"], true);
        for status in ["401", "409", "415", "422", "429"] {
            assert!(made["responses"][status].is_object(), "{status} in {made:#}");
        }

        let query = "query L($id: uuid!, $limit: Int = 50) {
            applications(where: {project_id: {_eq: $id}}, limit: $limit) { name created_at }
            applications_aggregate(where: {project_id: {_eq: $id}}) { aggregate { count } }
            projects_by_pk(id: $id) { id }
        }";
        let list = told("/api/rest/v1/projects/{id}/applications", "get", "L", query);
        let names: Vec<&Value> = list["parameters"].as_array().unwrap().iter().map(|one| &one["in"]).collect();
        assert_eq!(names, ["path", "query"]);
        let answer = &list["responses"]["200"]["content"]["application/json"]["schema"];
        assert_eq!(answer["required"], json!(["success", "data", "meta"]));
        assert_eq!(answer["properties"]["data"]["items"]["properties"]["created_at"]["format"], "date-time");
        assert!(list["responses"]["404"].is_object());

        let query =
            "mutation D($id: uuid!) { update_projects_by_pk(pk_columns: {id: $id}, _set: {name: \"x\"}) { id } }";
        assert!(told("/api/rest/v1/projects/{id}", "delete", "D", query)["responses"]["204"]["content"].is_null());
        let query = "mutation X($id: uuid!) { deployApplication(id: $id) { operationId } }";
        assert!(told("/api/rest/v1/applications/{id}/deploy", "post", "X", query)["responses"]["202"].is_object());
        let text = "``` graphql\nquery C { clusterRuntime { version } }\n```";
        let administrators = json!({ "get": { "summary": "C", "description": text } });
        assert_eq!(route("/api/rest/v1/cluster", &administrators), None);
    }

    #[test]
    fn every_route_of_the_service_that_people_call_is_in_the_document_and_no_other() {
        let documented: BTreeSet<String> = own::paths()
            .iter()
            .flat_map(|(path, item)| {
                item.as_object()
                    .unwrap()
                    .keys()
                    .filter(|key| *key != "parameters")
                    .map(move |method| format!("{method} {path}"))
            })
            .collect();
        let pages =
            |path: &str| path == "/" || path == "/explorer" || path.starts_with("/assets/") || path == "/favicon.svg";
        let served: BTreeSet<String> = routes()
            .into_iter()
            .filter(|route| matches!(route.access, Access::Public | Access::SignedIn) && !pages(route.path))
            .map(|route| format!("{} {}", route.method.unwrap().as_str().to_ascii_lowercase(), route.path))
            .collect();
        assert_eq!(documented, served);
    }
}
