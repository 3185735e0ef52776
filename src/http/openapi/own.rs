//! The routes that are no queries of Hasura's.

use serde_json::{Map, Value, json};

use super::{body, envelope, json_response, refusals};

/// Every one of them, by its path.
pub(super) fn paths() -> Vec<(String, Value)> {
    let mut all = health();
    all.extend(identity());
    all.extend(stores());
    all.push((
        "/api/openapi.json".to_owned(),
        json!({ "get": route("OpenApi", "This document", (200, json_response("OpenAPI 3.0", &json!({ "type": "object" })))) }),
    ));
    all.push(("/api/v1/events/stream".to_owned(), json!({ "get": events() })));
    all
}

fn object(fields: &[(&str, Value)]) -> Value {
    let required: Vec<&str> = fields.iter().map(|(name, _)| *name).collect();
    let properties: Map<String, Value> =
        fields.iter().map(|(name, schema)| ((*name).to_owned(), schema.clone())).collect();
    json!({ "type": "object", "properties": properties, "required": required })
}

fn text() -> Value {
    json!({ "type": "string" })
}

fn nullable() -> Value {
    json!({ "type": "string", "nullable": true })
}

fn uuid() -> Value {
    json!({ "type": "string", "format": "uuid" })
}

fn time() -> Value {
    json!({ "type": "string", "format": "date-time" })
}

fn count() -> Value {
    json!({ "type": "integer", "format": "int64" })
}

fn list(items: &Value) -> Value {
    json!({ "type": "array", "items": items })
}

/// A method of a path that takes nothing.
fn route(id: &str, summary: &str, (status, answer): (u16, Value)) -> Value {
    let mut responses = Map::from_iter([(status.to_string(), answer)]);
    responses.extend(refusals(false, false, false));
    json!({ "operationId": id, "summary": summary, "responses": responses })
}

/// The same of what anybody may ask for.
fn open(id: &str, summary: &str, answer: Value) -> Value {
    json!({ "operationId": id, "summary": summary, "security": [], "responses": { "200": answer } })
}

fn with_body(mut route: Value, fields: Value, required: &[&str]) -> Value {
    let required: Vec<String> = required.iter().map(|name| (*name).to_owned()).collect();
    route["requestBody"] = body(fields, &required);
    if let Some(responses) = route["responses"].as_object_mut() {
        responses.extend(refusals(false, true, true));
    }
    route
}

fn health() -> Vec<(String, Value)> {
    let status = || json!({ "type": "string", "enum": ["ok", "unavailable"] });
    let check = object(&[("name", text()), ("status", status()), ("milliseconds", json!({ "type": "number" }))]);
    let mut ready = object(&[("status", status()), ("checks", list(&check))]);
    ready["properties"]["warnings"] = list(&text());
    let mut readiness = open("Ready", "Whether every part that it needs answers", json_response("They do", &ready));
    readiness["responses"]["503"] = json_response("One does not", &ready);
    let health = object(&[("status", status()), ("timestamp", time())]);
    let keys = object(&[("keys", list(&json!({ "type": "object" })))]);
    [
        (
            "/health",
            open("Health", "Whether the process answers, and what time it has", json_response("It does", &health)),
        ),
        (
            "/health/live",
            open("Live", "Whether the process answers", json_response("It does", &object(&[("status", status())]))),
        ),
        ("/health/ready", readiness),
        ("/.well-known/jwks.json", open("Keys", "The keys that sign access tokens", json_response("RFC 7517", &keys))),
    ]
    .map(|(path, route)| (path.to_owned(), json!({ "get": route })))
    .into()
}

fn identity() -> Vec<(String, Value)> {
    let mut session = object(&[("accessToken", text()), ("expiresIn", count()), ("userId", uuid())]);
    session["properties"]["refreshToken"] = json!({
        "type": "string",
        "nullable": true,
        "description": "For clients without cookies: null for a browser's page, and where the cookie was renewed",
    });
    let session = |status: u16| (status, json_response("A session", &envelope(&session, false)));
    let me = object(&[("id", uuid()), ("email", text()), ("name", text()), ("role", text())]);
    let gone = object(&[("success", json!({ "type": "boolean" }))]);
    let token = json!({ "refreshToken": { "type": "string", "description": "By default the cookie's" } });
    let credentials = json!({ "email": text(), "password": text() });
    let mut person = credentials.clone();
    person["name"] = text();
    let public = |mut route: Value| {
        route["security"] = json!([]);
        json!({ "post": route })
    };
    let register =
        with_body(route("Register", "Make an account", session(201)), person, &["email", "password", "name"]);
    let login = with_body(route("Login", "Sign in", session(200)), credentials, &["email", "password"]);
    let refresh =
        with_body(route("Refresh", "Renew a session; the refresh token is used up", session(200)), token.clone(), &[]);
    let out = (200, json_response("Signed out", &envelope(&gone, false)));
    let logout = with_body(route("Logout", "End a session", out), token, &[]);
    let me = route("Me", "Who is signed in", (200, json_response("You", &envelope(&me, false))));
    [
        ("/api/v1/auth/register", public(register)),
        ("/api/v1/auth/login", public(login)),
        ("/api/v1/auth/refresh", public(refresh)),
        ("/api/v1/auth/logout", public(logout)),
        ("/api/v1/auth/me", json!({ "get": me })),
    ]
    .map(|(path, item)| (path.to_owned(), item))
    .into()
}

/// The routes of the store platform, which have no envelope around what they answer.
fn stores() -> Vec<(String, Value)> {
    let fields = [
        ("id", uuid()),
        ("storeId", text()),
        ("teamId", uuid()),
        ("name", text()),
        ("type", text()),
        ("status", text()),
        ("url", text()),
        ("adminUrl", nullable()),
        ("error", nullable()),
        ("createdAt", time()),
        ("updatedAt", time()),
    ];
    let store = object(&fields);
    let event = object(&[("eventType", text()), ("message", text()), ("severity", text()), ("createdAt", time())]);
    let shown = object(&[fields.as_slice(), &[("events", list(&event))]].concat());
    let begun = object(&[("storeId", text()), ("name", text()), ("status", text()), ("url", text())]);
    let counts = object(&[("total", count()), ("active", count()), ("provisioning", count()), ("failed", count())]);
    let id = json!([{ "in": "path", "name": "id", "required": true, "schema": text(),
                      "description": "The store's public id, such as store-a1b2c3d4" }]);
    let key = json!([{ "in": "header", "name": "Idempotency-Key", "schema": text(),
                       "description": "A repeated request with the same key gives the first one's answer" }]);
    let by_id = |mut route: Value, changes: bool| {
        if let Some(responses) = route["responses"].as_object_mut() {
            responses.extend(refusals(true, changes, false));
        }
        route
    };
    let made = route("BeginStore", "Begin to provision a store", (202, json_response("It has begun", &begun)));
    let input = json!({ "name": text(), "type": text(), "teamId": uuid(), "idempotencyKey": text() });
    let mut create = with_body(made, input, &["name"]);
    create["parameters"] = key.clone();
    let message = object(&[("message", text())]);
    let gone = route("EndStore", "Begin to delete a store", (200, json_response("It has begun", &message)));
    let mut delete = by_id(gone, true);
    delete["parameters"] = key;
    let all = route("AllStores", "List the stores, newest first", (200, json_response("The stores", &list(&store))));
    let one = route("OneStore", "Show a store with its events", (200, json_response("The store", &shown)));
    let metrics = route("StoreMetrics", "Count the stores by status", (200, json_response("The counts", &counts)));
    vec![
        ("/api/stores".to_owned(), json!({ "get": all, "post": create })),
        ("/api/stores/{id}".to_owned(), json!({ "parameters": id, "get": by_id(one, false), "delete": delete })),
        ("/api/metrics".to_owned(), json!({ "get": metrics })),
    ]
}

/// Events as they come.
fn events() -> Value {
    let event = object(&[
        ("id", uuid()),
        ("sequence", count()),
        ("type", text()),
        ("source", text()),
        ("stream", text()),
        ("subject", text()),
        ("entityId", nullable()),
        ("data", json!({})),
        ("correlationId", nullable()),
        ("timestamp", time()),
    ]);
    let told = json!({
        "description": "Server-sent events: the `id` of each is its place in the log, its `data` is JSON of this schema. \
                        The stream ends with the access token",
        "content": { "text/event-stream": { "schema": event } },
    });
    let mut stream = route("FollowEvents", "Tell of events as they come", (200, told));
    stream["parameters"] = json!([
        { "in": "query", "name": "subject", "schema": { "type": "string", "default": ">" },
          "description": "The subjects: `*` stands for one word and `>` for the rest, such as `deployment.*.<id>`" },
        { "in": "header", "name": "Last-Event-ID", "schema": text(),
          "description": "Go on after this event and miss nothing" },
        { "in": "query", "name": "lastEventId", "schema": text(),
          "description": "The same, for clients that cannot set the header" },
    ]);
    if let Some(responses) = stream["responses"].as_object_mut() {
        responses.extend(refusals(true, false, false));
    }
    stream
}
