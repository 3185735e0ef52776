//! Broken rules of the database in words, where the GraphQL backend answers with PostgreSQL's. The backend is Hasura, or
//! answers as Hasura does, and knows nothing of the product's tables; its code stays as it is.

use axum::body::{Body, HttpBody, to_bytes};
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::response::Parts;
use axum::response::Response;
use bytes::Bytes;
use futures::{StreamExt, stream};
use serde_json::Value;

use crate::domain::Broken;

/// An answer that is longer than this is data.
const MOST_BYTES: usize = 64 * 1024;

/// What Hasura puts before the words of the database.
const KINDS: [&str; 4] =
    ["Check constraint violation. ", "Uniqueness violation. ", "Foreign key violation. ", "Not-NULL violation. "];

/// The response, with `field: sentence` in place of PostgreSQL's words, and `field` and `reason` (a code of ours) beside
/// Hasura's code.
pub async fn in_words(response: Response) -> Response {
    let (parts, body) = response.into_parts();
    if !readable(&parts) {
        return Response::from_parts(parts, body);
    }
    match body.size_hint().exact() {
        Some(length) if length > MOST_BYTES as u64 => Response::from_parts(parts, body),
        Some(_) => whole(parts, body).await,
        // A stream: whether it is an error shows in its first bytes.
        None => {
            let mut rest = body.into_data_stream();
            let first = match rest.next().await {
                Some(Ok(first)) => first,
                Some(Err(error)) => {
                    let broken = stream::once(async { Err::<Bytes, _>(error) });
                    return Response::from_parts(parts, Body::from_stream(broken));
                }
                None => return Response::from_parts(parts, Body::empty()),
            };
            let error =
                [&b"{\"errors\""[..], b"[{\"errors\"", b"{\"path\""].iter().any(|begin| first.starts_with(begin));
            let body = Body::from_stream(stream::once(async { Ok(first) }).chain(rest));
            if error { whole(parts, body).await } else { Response::from_parts(parts, body) }
        }
    }
}

fn readable(parts: &Parts) -> bool {
    let kind = parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    kind.starts_with("application/json") && !parts.headers.contains_key(CONTENT_ENCODING)
}

async fn whole(mut parts: Parts, body: Body) -> Response {
    let Ok(bytes) = to_bytes(body, usize::MAX).await else {
        // The backend broke off; so does this.
        let broken = stream::once(async { Err::<Bytes, _>(std::io::Error::from(std::io::ErrorKind::UnexpectedEof)) });
        return Response::from_parts(parts, Body::from_stream(broken));
    };
    match translated(&bytes) {
        Some(text) => {
            parts.headers.remove(CONTENT_LENGTH);
            Response::from_parts(parts, Body::from(text))
        }
        None => Response::from_parts(parts, Body::from(bytes)),
    }
}

fn translated(bytes: &[u8]) -> Option<String> {
    if !bytes.windows(12).any(|window| window == b" violation. ") {
        return None;
    }
    let mut answer: Value = serde_json::from_slice(bytes).ok()?;
    let mut changed = false;
    let answers: Vec<&mut Value> = match &mut answer {
        Value::Array(several) => several.iter_mut().collect(),
        one => vec![one],
    };
    for one in answers {
        changed |= translate(one, "error", |it| it);
        for error in one.get_mut("errors").and_then(Value::as_array_mut).into_iter().flatten() {
            changed |= translate(error, "message", |it| &mut it["extensions"]);
        }
    }
    changed.then(|| answer.to_string())
}

/// Puts one error of a GraphQL answer in words, for the sockets of the embedded engine.
pub fn error_in_words(error: &mut Value) {
    translate(error, "message", |it| &mut it["extensions"]);
}

/// Puts the words in the place of an error's, and what they mean where its code stands.
fn translate(error: &mut Value, message: &str, code: impl Fn(&mut Value) -> &mut Value) -> bool {
    let Some(said) = error.get(message).and_then(Value::as_str) else { return false };
    let Some(broken) = KINDS.iter().find_map(|kind| said.strip_prefix(kind)).and_then(Broken::by_words) else {
        return false;
    };
    error[message] = broken.message.into();
    let beside = code(error);
    beside["field"] = broken.field.into();
    beside["reason"] = broken.code.as_str().into();
    true
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const BROKEN: &str = "Check constraint violation. new row for relation \"applications\" violates check constraint \
                          \"applications_name_check\"";

    async fn answer(body: Body) -> String {
        let response = Response::builder().header(CONTENT_TYPE, "application/json; charset=utf-8").body(body).unwrap();
        let bytes = to_bytes(in_words(response).await.into_body(), usize::MAX).await.unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn a_broken_rule_is_said_in_words_and_keeps_its_code() {
        let error = json!({"message": BROKEN, "extensions": {"path": "$", "code": "permission-error"}});
        let graphql = json!({"errors": [error]}).to_string();
        let chunks = || {
            let half = graphql.len() / 2;
            let parts = [graphql[..half].to_owned(), graphql[half..].to_owned()];
            Body::from_stream(stream::iter(parts.map(Ok::<_, std::io::Error>)))
        };
        for body in [Body::from(graphql.clone()), chunks(), Body::from(format!("[{{\"data\":{{}}}},{graphql}]"))] {
            let mut said: Value = serde_json::from_str(&answer(body).await).unwrap();
            if said.is_array() {
                said = said[1].take();
            }
            let error = &said["errors"][0];
            assert!(error["message"].as_str().unwrap().starts_with("name: must have 1 to 63"), "{said}");
            let beside = json!({"path": "$", "code": "permission-error", "field": "name", "reason": "invalid-input"});
            assert_eq!(error["extensions"], beside);
        }
        let rest = json!({"path": "$", "error": BROKEN, "code": "permission-error"}).to_string();
        let said: Value = serde_json::from_str(&answer(Body::from(rest)).await).unwrap();
        assert_eq!((&said["field"], &said["code"]), (&json!("name"), &json!("permission-error")));
    }

    #[tokio::test]
    async fn everything_else_passes_as_it_is() {
        let data = json!({"data": {"x": BROKEN}}).to_string();
        let long = json!({"data": "x".repeat(MOST_BYTES)}).to_string();
        let refused = json!({"errors": [{"message": "Check constraint violation. unknown words"}]}).to_string();
        for text in [data, long, refused, "{ no JSON violation. ".to_owned(), String::new()] {
            assert_eq!(answer(Body::from(text.clone())).await, text);
        }
    }
}
