//! `/api/openapi.json`: the REST routes for whoever may call them. Hasura's own document, which administrators alone may
//! read, knows nothing of access tokens.

use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode};
use serde_json::{Map, Value, json};

use super::{AppState, RestResult};
use crate::domain::{Code, Error, Result};

/// The longest document that is read.
const LONGEST: usize = 16 * 1024 * 1024;

/// `GET /api/openapi.json`
pub async fn document(State(state): State<AppState>) -> RestResult<Json<Value>> {
    let hasuras = hasuras(&state).await?;
    let paths = hasuras.get("paths").and_then(Value::as_object).cloned().unwrap_or_default();
    let paths: Map<String, Value> =
        paths.into_iter().filter_map(|(path, item)| route(&path, item)).chain(own()).collect();
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

/// A path of Hasura's under its alias.
fn route(path: &str, mut item: Value) -> Option<(String, Value)> {
    let rest = path.strip_prefix("/api/rest/v1/")?;
    for operation in item.as_object_mut()?.values_mut() {
        describe(operation);
    }
    Some((format!("/api/v1/{rest}"), item))
}

fn describe(operation: &mut Value) {
    let text = operation.get("description").and_then(Value::as_str).unwrap_or_default().to_owned();
    let name = operation.get("summary").and_then(Value::as_str).unwrap_or_default().to_owned();
    let has_body = operation.get("requestBody").is_some();
    let parameters = operation.get_mut("parameters").and_then(Value::as_array_mut).map(std::mem::take);
    let kept = parameters.unwrap_or_default().into_iter().filter(|one| match one["in"].as_str() {
        Some("header") => false,
        // What a body may hold is not asked for a second time.
        Some("query") => !has_body,
        _ => true,
    });
    let kept: Vec<Value> = kept
        .map(|mut one| {
            if one["in"] == "query" && one["name"].as_str().is_some_and(|name| has_default(&text, name)) {
                one["required"] = false.into();
            }
            one
        })
        .collect();
    let summary = text.lines().next().filter(|line| !line.starts_with("***")).unwrap_or(&name).to_owned();
    operation["parameters"] = kept.into();
    operation["summary"] = summary.into();
    operation["operationId"] = name.into();
    operation["responses"] = responses();
    if let Some(schema) = operation.pointer_mut("/requestBody/content/application~1json/schema") {
        let names = schema["properties"].as_object().map(|all| all.keys().cloned().collect::<Vec<_>>());
        let required: Vec<String> =
            names.unwrap_or_default().into_iter().filter(|name| is_required(&text, name)).collect();
        if !required.is_empty() {
            schema["required"] = required.into();
        }
    }
}

/// The declaration of a variable in the query that a description shows.
fn declaration<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let start = text.find(&format!("${name}:"))? + name.len() + 2;
    let rest = text.get(start..)?;
    rest.split(['$', ')', '\n', ',']).next()
}

fn has_default(text: &str, name: &str) -> bool {
    declaration(text, name).is_some_and(|declared| declared.contains('='))
}

fn is_required(text: &str, name: &str) -> bool {
    declaration(text, name).is_some_and(|declared| declared.contains('!') && !declared.contains('='))
}

fn responses() -> Value {
    let json = |schema: Value| json!({ "application/json": { "schema": schema } });
    json!({
        // By the name of the query's field.
        "200": {
            "description": "What was asked for",
            "content": json(json!({ "type": "object", "additionalProperties": true })),
        },
        "default": { "description": "What is wrong", "content": json(json!({ "$ref": "#/components/schemas/Error" })) },
    })
}

/// The routes that are not Hasura's.
fn own() -> Vec<(String, Value)> {
    let id = json!([{ "in": "path", "name": "id", "required": true, "schema": { "type": "string" },
                      "description": "The store's public id, such as store-a1b2c3d4" }]);
    let any = |description: &str| {
        let content = json!({ "application/json": { "schema": {} } });
        json!({ "200": { "description": description, "content": content },
                "default": responses()["default"] })
    };
    let body = |fields: Value, required: Value| {
        let schema = json!({ "type": "object", "properties": fields, "required": required });
        json!({ "required": true, "content": { "application/json": { "schema": schema } } })
    };
    let string = json!({ "type": "string" });
    vec![
        (
            "/api/v1/auth/login".to_owned(),
            json!({ "post": {
                "operationId": "Login", "summary": "Sign in", "security": [],
                "requestBody": body(json!({ "email": string, "password": string }), json!(["email", "password"])),
                "responses": responses(),
            }}),
        ),
        (
            "/api/stores".to_owned(),
            json!({
                "get": { "operationId": "Stores", "summary": "List the stores, newest first", "responses": any("The stores") },
                "post": { "operationId": "CreateStore", "summary": "Begin to provision a store",
                    "requestBody": body(json!({ "name": string, "type": string, "idempotencyKey": string }), json!(["name"])),
                    "responses": { "202": any("")["200"], "default": responses()["default"] } },
            }),
        ),
        (
            "/api/stores/{id}".to_owned(),
            json!({
                "parameters": id,
                "get": { "operationId": "Store", "summary": "Show a store with its events", "responses": any("The store") },
                "delete": { "operationId": "DeleteStore", "summary": "Begin to delete a store", "responses": any("Begun") },
            }),
        ),
        (
            "/api/metrics".to_owned(),
            json!({ "get": {
                "operationId": "StoreMetrics", "summary": "Count the stores by status", "responses": any("The counts"),
            }}),
        ),
    ]
}

fn components() -> Value {
    json!({
        "securitySchemes": { "bearer": {
            "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
            "description": "The accessToken that POST /api/v1/auth/login answers.",
        }},
        "schemas": {
            // Ours say `success` and `error` as an object, those of a RESTified query are Hasura's.
            "Error": {
                "type": "object",
                "properties": {
                    "success": { "type": "boolean" },
                    "error": { "oneOf": [
                        { "type": "string" },
                        {
                            "type": "object", "required": ["code", "message"],
                            "properties": {
                                "code": { "type": "string" }, "message": { "type": "string" },
                                "details": { "type": "object", "additionalProperties": { "type": "string" } },
                            },
                        },
                    ]},
                    "code": { "type": "string" },
                    "path": { "type": "string" },
                },
            },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_a_default_is_not_required_and_nobody_is_asked_for_the_admin_secret() {
        let text =
            "Create one\n***\n``` graphql\nmutation A($name: String!, $port: Int! = 8080, $x: String) { a }\n```";
        let item = json!({ "post": {
            "summary": "A", "description": text,
            "parameters": [
                { "in": "header", "name": "x-hasura-admin-secret" },
                { "in": "query", "name": "name", "required": true },
                { "in": "path", "name": "id", "required": true },
            ],
            "requestBody": { "content": { "application/json": { "schema": { "properties": { "name": {}, "port": {}, "x": {} } } } } },
        }});
        let (path, item) = route("/api/rest/v1/apps/{id}", item).unwrap();
        assert_eq!((path.as_str(), &item["post"]["summary"]), ("/api/v1/apps/{id}", &json!("Create one")));
        let names: Vec<&Value> =
            item["post"]["parameters"].as_array().unwrap().iter().map(|one| &one["name"]).collect();
        assert_eq!(names, ["id"]);
        assert_eq!(item["post"]["requestBody"]["content"]["application/json"]["schema"]["required"], json!(["name"]));
        let get = json!({ "get": { "description": "x\n query A($limit: Int! = 50) { a }",
            "parameters": [{ "in": "query", "name": "limit", "required": true }] } });
        assert_eq!(route("/api/rest/v1/apps", get).unwrap().1["get"]["parameters"][0]["required"], json!(false));
    }
}
