//! `/api/v1/...`: the RESTified endpoints of `/api/rest/v1/...` as a client of REST expects them: in the envelope, under
//! the status that fits, with errors in our own codes.

use std::collections::BTreeMap;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{ACCEPT_ENCODING, ALLOW, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, RETRY_AFTER};
use axum::http::response::Parts;
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use strum::IntoEnumIterator;
use uuid::Uuid;

use super::limits::RATE_LIMIT_HEADERS;
use crate::domain::{Code, Error};
use crate::http::{AppState, RestError, RestResult, extract, parse_json};

/// The longest answer that is looked at.
const LONGEST: usize = 64 * 1024 * 1024;

/// Answers by the endpoint of the same path under `/api/rest/`.
pub async fn forward(State(state): State<AppState>, request: Request) -> Response {
    answer(&state, request).await.unwrap_or_else(IntoResponse::into_response)
}

async fn answer(state: &AppState, mut request: Request) -> RestResult<Response> {
    let uri = rest_uri(request.uri()).ok_or_else(|| Error::new(Code::NotFound, "no such route"))?;
    *request.uri_mut() = uri;
    // The answer is read here.
    request.headers_mut().remove(ACCEPT_ENCODING);
    let method = request.method().clone();
    let names = [AUTHORIZATION.as_str(), COOKIE.as_str(), "x-hasura-admin-secret", "x-hasura-access-key"];
    let anonymous = !names.iter().any(|name| request.headers().contains_key(*name));
    let (request, given) = with_json(state, request).await?;
    let (parts, body) = state.backend.clone().answer(request).await.into_parts();
    let body = to_bytes(body, LONGEST).await.map_err(|error| Error::unavailable("reading an answer", error))?;
    match parts.status {
        StatusCode::OK => told(&method, parts, body),
        _ => Ok(refused(parts, body, anonymous, &given)),
    }
}

/// Hasura takes a body that is no JSON object for an empty one, and then misses its fields.
async fn with_json(state: &AppState, request: Request) -> RestResult<(Request, Given)> {
    let (parts, body) = request.into_parts();
    let body = extract::read(Request::from_parts(parts.clone(), body), state).await?;
    let mut given = Given::default();
    if !body.is_empty() {
        extract::require_json(&parts.headers)?;
        let fields: BTreeMap<String, Value> = parse_json(&body)?;
        given.0.extend(fields.into_iter().filter_map(|(name, value)| Some((name, value.as_str()?.to_owned()))));
    }
    let query = parts.uri.query().unwrap_or_default();
    given.0.extend(url::form_urlencoded::parse(query.as_bytes()).into_owned());
    Ok((Request::from_parts(parts, Body::from(body)), given))
}

/// The texts that a request gives beside its path, by the fields that hold them.
#[derive(Default)]
struct Given(Vec<(String, String)>);

impl Given {
    /// The field that holds a text.
    fn holds(&self, text: &str) -> Option<&str> {
        self.0.iter().find(|(_, held)| held == text).map(|(name, _)| name.as_str())
    }

    /// The field that should hold an id and holds none.
    fn no_id(&self) -> Option<&str> {
        let broken = |(name, held): &&(String, String)| {
            (name.ends_with("_id") || name.ends_with("Id")) && held.parse::<Uuid>().is_err()
        };
        self.0.iter().find(broken).map(|(name, _)| name.as_str())
    }
}

/// An answer in the envelope. Of several fields, one that is read by its key is there to be found missing, and a count goes
/// to `meta`.
fn told(method: &Method, parts: Parts, body: Bytes) -> RestResult<Response> {
    let Ok(mut fields) = serde_json::from_slice::<BTreeMap<String, Box<RawValue>>>(&body) else {
        return Ok(Response::from_parts(parts, Body::from(body)));
    };
    let alone = fields.len() == 1;
    let absent = |name: &str, value: &RawValue| {
        value.get() == "null" && (alone || name.ends_with("_by_pk")) || changed_nothing(name, value)
    };
    if let Some(name) = fields.iter().find(|(name, value)| absent(name, value)).map(|(name, _)| name) {
        return Err(Error::not_found(&thing(name)).into());
    }
    let mut total = None;
    if !alone {
        fields.retain(|name, value| {
            let count = name.ends_with("_aggregate").then(|| parsed::<Counted>(value)).flatten();
            total = count.as_ref().map(|counted| counted.aggregate.count).or(total);
            count.is_none() && !name.ends_with("_by_pk")
        });
    }
    let (name, data) = match fields.len() {
        1 => fields.pop_first().unwrap_or_else(|| (String::new(), RawValue::NULL.to_owned())),
        _ => (
            String::new(),
            serde_json::value::to_raw_value(&fields).map_err(|error| Error::internal("writing an answer", error))?,
        ),
    };
    // A list of one would pass for a struct of one field.
    let object = data.get().starts_with('{');
    let begun = object && parsed::<Begun>(&data).is_some_and(|begun| begun.operation_id.is_some());
    let status = status(method, &name, begun);
    if status == StatusCode::NO_CONTENT {
        return Ok(with_body(parts, status, Body::empty()));
    }
    let meta =
        total.map(|total| json!({ "count": parsed::<Vec<IgnoredAny>>(&data).map(|all| all.len()), "total": total }));
    let mut envelope = BTreeMap::from([("success", to_raw(&true)?), ("data", data)]);
    if let Some(meta) = meta {
        envelope.insert("meta", to_raw(&meta)?);
    }
    let text = serde_json::to_vec(&envelope).map_err(|error| Error::internal("writing an answer", error))?;
    Ok(with_body(parts, status, Body::from(text)))
}

/// What a successful answer stands under, by the name of the field that it answers; the document of the routes says the
/// same.
pub(in crate::http) fn status(method: &Method, field: &str, begins: bool) -> StatusCode {
    match () {
        () if begins => StatusCode::ACCEPTED,
        () if method == Method::DELETE => StatusCode::NO_CONTENT,
        () if method == Method::POST && (field.starts_with("insert_") || field == "setSecret") => StatusCode::CREATED,
        () => StatusCode::OK,
    }
}

#[derive(Deserialize)]
struct Begun {
    #[serde(rename = "operationId")]
    operation_id: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Counted {
    aggregate: Count,
}

#[derive(Deserialize)]
struct Count {
    count: u64,
}

#[derive(Deserialize)]
struct Affected {
    affected_rows: u64,
}

/// The value, where it has that form.
fn parsed<'v, T: Deserialize<'v>>(value: &'v RawValue) -> Option<T> {
    serde_json::from_str(value.get()).ok()
}

fn to_raw(value: &impl serde::Serialize) -> RestResult<Box<RawValue>> {
    Ok(serde_json::value::to_raw_value(value).map_err(|error| Error::internal("writing an answer", error))?)
}

fn changed_nothing(name: &str, value: &RawValue) -> bool {
    let changes = name.starts_with("update_") || name.starts_with("delete_");
    changes && parsed::<Affected>(value).is_some_and(|affected| affected.affected_rows == 0)
}

fn with_body(mut parts: Parts, status: StatusCode, body: Body) -> Response {
    parts.status = status;
    parts.headers.remove(CONTENT_LENGTH);
    match status {
        StatusCode::NO_CONTENT => parts.headers.remove(CONTENT_TYPE),
        _ => parts.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json")),
    };
    Response::from_parts(parts, body)
}

/// An error of Hasura's form in the envelope; what has another form is ours already.
fn refused(parts: Parts, body: Bytes, anonymous: bool, given: &Given) -> Response {
    let error: Map<String, Value> = serde_json::from_slice(&body).unwrap_or_default();
    let text = |name: &str| error.get(name).and_then(Value::as_str);
    let (Some(said), Some(code)) = (text("error"), text("code")) else {
        return Response::from_parts(parts, Body::from(body));
    };
    let said = Said {
        text: said,
        code: text("reason").unwrap_or(code),
        field: text("field"),
        path: text("path").unwrap_or_default(),
        anonymous,
        given,
    };
    let (error, status) = said.in_words(parts.status);
    let mut response = match status {
        Some(status) => RestError::with_status(error, status),
        None => RestError::from(error),
    }
    .into_response();
    let kept = [RETRY_AFTER, ALLOW].into_iter().chain(RATE_LIMIT_HEADERS.map(HeaderName::from_static));
    for name in kept {
        if let Some(value) = parts.headers.get(&name) {
            response.headers_mut().insert(name, value.clone());
        }
    }
    response
}

const IDS: &str = "ids look like 6f1c0a3e-9d0b-4a51-8a57-0f4f2d1f5e0b";

/// What Hasura, or the engine, says of an error.
struct Said<'a> {
    text: &'a str,
    code: &'a str,
    field: Option<&'a str>,
    path: &'a str,
    anonymous: bool,
    given: &'a Given,
}

impl Said<'_> {
    /// The same in our words, under the status of our code unless another is named.
    fn in_words(&self, given: StatusCode) -> (Error, Option<StatusCode>) {
        let quoted = self.text.split('"').nth(1).unwrap_or_default();
        let plain = |error: Error| (error, None);
        // Who shows no credentials has no schema, so that nothing is found in it.
        if self.text.ends_with("not found in type: 'query_root'") || self.text.ends_with("type: 'mutation_root'") {
            return plain(match self.anonymous {
                true => Error::new(Code::Unauthenticated, "send an access token as `Authorization: Bearer ...`"),
                false => Error::new(Code::Forbidden, "that is for administrators"),
            });
        }
        if self.text.starts_with("expecting a value for non-nullable variable") {
            return plain(Error::invalid(quoted, format!("{quoted}: is required")));
        }
        if let Some(name) = self.text.strip_prefix("Unexpected variable ") {
            return plain(Error::invalid(name, format!("{name}: is not a known field")));
        }
        // PostgreSQL quotes the value that it could not read, and does not know whose it is.
        let value = self.text.split_once(": \"").and_then(|(_, rest)| rest.rsplit_once('"')).map(|(value, _)| value);
        let field = value.and_then(|value| self.given.holds(value));
        let uuid = self.text.contains("syntax for type uuid");
        if uuid || self.text.starts_with("Failed to parse \"UUID\"") {
            let field = if uuid { field } else { self.given.no_id() };
            let message = match field {
                Some(field) => format!("{field}: {IDS}"),
                None => format!("id: the address holds none: {IDS}"),
            };
            return plain(Error::invalid(field.unwrap_or("id"), message));
        }
        if let Some(field) = field.filter(|_| self.code == "data-exception") {
            return plain(Error::invalid(field, format!("{field}: {}", self.text)));
        }
        if self.text.starts_with("check constraint of an insert/update permission") {
            return plain(Error::new(Code::Forbidden, "your role in the team does not allow that"));
        }
        let code = match self.code {
            "permission-error" | "access-denied" => Code::Forbidden,
            "rate-limit-exceeded" => Code::RateLimited,
            "constraint-violation" => Code::Conflict,
            "invalid-headers" => Code::Unauthenticated,
            code if code.starts_with("invalid-jwt") || code.starts_with("jwt-") => Code::InvalidToken,
            "method-not-allowed" => {
                let message = format!("that route does not take that method. {}", self.text);
                return (Error::invalid("method", message), Some(StatusCode::METHOD_NOT_ALLOWED));
            }
            code => match Code::iter().find(|ours| ours.as_str() == code) {
                Some(ours) => ours,
                None if given.is_server_error() => return (Error::new(Code::Internal, self.text), Some(given)),
                None => Code::InvalidInput,
            },
        };
        let mut message = self.text.to_owned();
        // The error's own field; a name before its words; or the argument that has another type than it should have.
        let named = self.text.split_once(": ").map(|(name, _)| name).filter(|name| is_field(name));
        let argument = self.path.split_once(".args.").and_then(|(_, rest)| rest.rsplit('.').next());
        let field = self.field.or(named).or(argument);
        if let (None, None, Some(argument)) = (self.field, named, argument) {
            message = format!("{argument}: {message}");
        }
        plain(match field {
            Some(field) if code == Code::InvalidInput => Error::invalid(field, message),
            _ => Error::new(code, message),
        })
    }
}

fn is_field(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|letter| letter.is_ascii_alphanumeric() || "_.[]-".contains(letter))
}

/// What a field of Hasura's is about: `application` for `applications_by_pk`, `update_applications_by_pk` and the like.
fn thing(name: &str) -> String {
    let name = ["insert_", "update_", "delete_"].iter().find_map(|act| name.strip_prefix(act)).unwrap_or(name);
    let table = ["_by_pk", "_one"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
    let words = table.strip_suffix('s').unwrap_or(table).replace('_', " ");
    if words.is_empty() { "object".to_owned() } else { words }
}

fn rest_uri(uri: &Uri) -> Option<Uri> {
    let rest = uri.path_and_query()?.as_str().strip_prefix("/api/v1/")?;
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(format!("/api/rest/v1/{rest}")).ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_alias_keeps_path_and_query() {
        let alias = |uri: &'static str| rest_uri(&Uri::from_static(uri)).map(|uri| uri.to_string());
        assert_eq!(alias("/api/v1/projects/1?limit=2&x=%2F").as_deref(), Some("/api/rest/v1/projects/1?limit=2&x=%2F"));
        assert_eq!(alias("/api/v2/projects"), None);
    }

    async fn answered(method: Method, body: &'static str) -> (u16, Value) {
        let (parts, ()) = Response::new(()).into_parts();
        let response =
            told(&method, parts, Bytes::from_static(body.as_bytes())).unwrap_or_else(IntoResponse::into_response);
        let status = response.status().as_u16();
        let bytes = to_bytes(response.into_body(), LONGEST).await.unwrap();
        (status, serde_json::from_slice(&bytes).unwrap_or_default())
    }

    #[tokio::test]
    async fn what_is_not_there_is_404() {
        for (missing, thing) in [
            (r#"{"applications_by_pk": null}"#, "no such application"),
            (r#"{"update_team_members_by_pk": null}"#, "no such team member"),
            (r#"{"update_team_members": {"affected_rows": 0}}"#, "no such team member"),
            (r#"{"applications": [], "projects_by_pk": null}"#, "no such project"),
        ] {
            let (status, answer) = answered(Method::GET, missing).await;
            assert_eq!((status, &answer["error"]["message"]), (404, &json!(thing)), "{missing}");
        }
        for there in [r#"{"applications_by_pk": {"url": null}}"#, r#"{"a": null, "b": 1}"#, r#"{"a": []}"#] {
            assert_eq!(answered(Method::GET, there).await.0, 200, "{there}");
        }
    }

    #[tokio::test]
    async fn an_answer_has_the_envelope_and_the_status_that_fits() {
        let list = r#"{"applications": [{"id": 1}], "applications_aggregate": {"aggregate": {"count": 7}},
                       "projects_by_pk": {"id": 2}}"#;
        let data = json!({ "success": true, "data": [{ "id": 1 }], "meta": { "count": 1, "total": 7 } });
        assert_eq!(answered(Method::GET, list).await, (200, data));
        let made = r#"{"insert_projects_one": {"id": 1}}"#;
        assert_eq!(answered(Method::POST, made).await, (201, json!({ "success": true, "data": { "id": 1 } })));
        assert_eq!(answered(Method::POST, r#"{"deployApplication": {"operationId": "x"}}"#).await.0, 202);
        assert_eq!(answered(Method::POST, r#"{"revealSecret": {"value": "x"}}"#).await.0, 200);
        assert_eq!(answered(Method::DELETE, r#"{"update_projects_by_pk": {"id": 1}}"#).await, (204, Value::Null));
        assert_eq!(answered(Method::DELETE, r#"{"deleteApplication": {"operationId": "x"}}"#).await.0, 202);
    }

    #[test]
    fn an_error_has_our_code_and_names_its_field() {
        let said = |text, code, field, path| {
            let given = Given(vec![("project_id".to_owned(), "my \"id\"".to_owned())]);
            let said = Said { text, code, field, path, anonymous: true, given: &given };
            let (error, status) = said.in_words(StatusCode::BAD_REQUEST);
            let status = status.map_or(error.code().http_status(), |status| status.as_u16());
            (status, error.code(), error.field().map(str::to_owned), error.message().to_owned())
        };
        let told = said("expecting a value for non-nullable variable: \"team_id\"", "validation-failed", None, "$");
        assert_eq!(told, (422, Code::InvalidInput, Some("team_id".into()), "team_id: is required".into()));
        assert_eq!(said("Unexpected variable nme", "bad-request", None, "$").2.as_deref(), Some("nme"));
        let path = "$.selectionSet.scaleApplication.args.replicas";
        let told =
            said("expected a 32-bit integer for type 'Int', but found a string", "validation-failed", None, path);
        assert_eq!((told.0, told.2.as_deref()), (422, Some("replicas")));
        assert!(told.3.starts_with("replicas: expected"), "{}", told.3);
        let text = "invalid input syntax for type uuid: \"my \"id\"\"";
        assert_eq!(said(text, "data-exception", None, "$").2.as_deref(), Some("project_id"));
        let text = "invalid input syntax for type uuid: \"x\"";
        assert_eq!(said(text, "data-exception", None, "$").2.as_deref(), Some("id"), "it stands in the address");
        assert_eq!(said("Failed to parse \"UUID\": invalid length: found 3", "unexpected", None, "$").0, 422);
        assert_eq!(said("name: the team has one already", "already-exists", Some("name"), "$").0, 409);
        assert_eq!(said("field 'x' not found in type: 'query_root'", "validation-failed", None, "$").0, 401);
        assert_eq!(said("Allowed methods: GET", "method-not-allowed", None, "$").0, 405);
        assert_eq!(said("JWTExpired", "invalid-jwt", None, "$").1, Code::InvalidToken);
        assert_eq!(said("Endpoint not found", "not-found", None, "$").0, 404);
        let told = said("check constraint of an insert/update permission has failed", "permission-error", None, "$");
        assert_eq!((told.0, told.1), (403, Code::Forbidden));
    }
}
