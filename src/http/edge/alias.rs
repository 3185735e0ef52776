//! `/api/v1/...`: the RESTified endpoints of `/api/rest/v1/...`, where what is not there is 404. Hasura answers 200 with a
//! null, by which a client of REST does not know it.

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::ACCEPT_ENCODING;
use axum::http::uri::PathAndQuery;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};

use crate::domain::{Code, Error};
use crate::http::{AppState, RestError};

/// The longest answer that is looked at.
const LONGEST: usize = 64 * 1024 * 1024;

/// Answers as `/api/rest/v1/...` does, unless the one thing that was asked for is not there.
pub async fn forward(State(state): State<AppState>, mut request: Request) -> Response {
    let Some(uri) = rest_uri(request.uri()) else {
        return RestError::from(Error::new(Code::NotFound, "no such route")).into_response();
    };
    *request.uri_mut() = uri;
    // The answer is read here.
    request.headers_mut().remove(ACCEPT_ENCODING);
    let (parts, body) = state.backend.answer(request).await.into_parts();
    if parts.status != StatusCode::OK {
        return Response::from_parts(parts, body);
    }
    match to_bytes(body, LONGEST).await {
        Ok(body) => match absent(&body) {
            Some(thing) => RestError::from(Error::not_found(&thing)).into_response(),
            None => Response::from_parts(parts, Body::from(body)),
        },
        Err(error) => RestError::from(Error::unavailable("reading an answer", error)).into_response(),
    }
}

/// What was asked for by its key and is not there.
fn absent(body: &Bytes) -> Option<String> {
    let answer: Map<String, Value> = serde_json::from_slice(body).ok()?;
    let mut fields = answer.iter();
    match (fields.next(), fields.next()) {
        (Some((name, Value::Null)), None) => Some(thing(name)),
        _ => None,
    }
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

    #[test]
    fn one_null_is_something_that_is_not_there() {
        let absent = |body: &'static str| absent(&Bytes::from_static(body.as_bytes()));
        assert_eq!(absent(r#"{"applications_by_pk": null}"#).as_deref(), Some("application"));
        assert_eq!(absent(r#"{"update_team_members_by_pk": null}"#).as_deref(), Some("team member"));
        for there in [r#"{"applications_by_pk": {"url": null}}"#, r#"{"a": null, "b": 1}"#, r#"{"a": []}"#, "null", "x"]
        {
            assert_eq!(absent(there), None, "{there}");
        }
    }
}
