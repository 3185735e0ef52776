//! Requests and answers before and after.

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::{Value, json};
use url::Url;

use super::*;
use crate::kriti::SessionVariables;
use crate::metadata::RequestTransform;

fn outgoing() -> Outgoing {
    let headers: HeaderMap = [("content-type", "application/json"), ("x-keep", "k"), ("x-drop", "d")]
        .into_iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
        .collect();
    let body = json!({"input": {"id": "a b", "n": 4, "none": null}}).to_string();
    Outgoing::post(Url::parse("http://service.test:8000/x?q=1").unwrap(), headers, body)
}

fn apply(transform: Value) -> Result<Outgoing> {
    let transform: RequestTransform = serde_json::from_value(transform).unwrap();
    let session: SessionVariables = [("x-hasura-role".to_owned(), "user".to_owned())].into();
    let changed = RequestTransformer::compile(&transform)?;
    Ok(changed.apply(outgoing(), "http://service.test:8000/x?q=1", Some(&session))?.0)
}

fn messages(transform: Value) -> Vec<String> {
    let faults = apply(transform).expect_err("a fault").0;
    faults.iter().map(|fault| fault["message"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn nothing_changes_without_templates() {
    let changed = apply(json!({"version": 2, "template_engine": "Kriti"})).unwrap();
    assert_eq!(
        (changed.method, changed.url, changed.headers, changed.body),
        (outgoing().method, outgoing().url, outgoing().headers, outgoing().body)
    );
}

#[test]
fn every_part_changes() {
    let changed = apply(json!({
        "version": 2,
        "method": "put",
        "url": "http://other.test/{{escapeUri $body.input.id}}",
        "query_params": {"n": "{{$body.input.n}}", "r": "{{$session_variables['x-hasura-role']}}&", "flag": null,
            "gone": "{{$body.input.none}}"},
        "request_headers": {
            "add_headers": {"X-Role": "{{getSessionVariable \"x-hasura-role\"}}", "X-Keep": "new"},
            "remove_headers": ["X-Drop", "Content-Type"],
        },
        "body": {"action": "transform", "template": "{\"twice\": [{{$body.input.n}}, {{$body.input.n}}]}"},
    }))
    .unwrap();
    assert_eq!(changed.method, Method::PUT);
    assert_eq!(changed.url.as_str(), "http://other.test/a%20b?n=4&r=user%26&flag");
    let headers: Vec<(&str, &[u8])> =
        changed.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    assert_eq!(headers, [("x-keep", &b"new"[..]), ("x-role", b"user")]);
    assert_eq!(changed.body.as_deref(), Some("{\"twice\":[4,4]}"));
}

#[test]
fn bodies_have_three_actions_and_an_older_form() {
    let body = |body: Value, version: u8| apply(json!({"version": version, "body": body})).unwrap();
    let first = body(json!("{{$body.input}}"), 1);
    assert_eq!(first.shown_body(), json!({"id": "a b", "n": 4, "none": null}));
    let removed = body(json!({"action": "remove"}), 2);
    assert_eq!((removed.body.clone(), removed.shown_body()), (None, Value::Null));
    let fields = json!({"a&": "{{$body.input.id}}", "n": "{{$body.input.n}}"});
    let form = body(json!({"action": "x_www_form_urlencoded", "form_template": fields}), 2);
    assert_eq!((form.body.as_deref(), form.shown_body()), (Some("a%26=a%20b&n=4"), json!("a%26=a%20b&n=4")));
    let unversioned = apply(json!({"body": "{{$body.input.n}}"})).unwrap();
    assert_eq!(unversioned.body.as_deref(), Some("4"), "version 1 when none is named");
}

#[test]
fn addresses_keep_what_is_not_changed() {
    let url = |transform: Value| apply(transform).unwrap().url.to_string();
    assert_eq!(url(json!({"url": "http://other.test/y"})), "http://other.test/y?q=1");
    assert_eq!(url(json!({"url": "http://other.test/y?z=2"})), "http://other.test/y?z=2");
    assert_eq!(url(json!({"query_params": {}})), "http://service.test:8000/x");
    assert_eq!(url(json!({"query_params": "a={{$body.input.n}}&b=c d"})), "http://service.test:8000/x?a=4&b=c%20d");
    assert_eq!(
        url(json!({"query_params": {"old": "{{$query_params[0][1]}}"}})),
        "http://service.test:8000/x?old=1",
        "templates see the request as it was"
    );
}

#[test]
fn every_fault_is_told() {
    assert_eq!(
        messages(json!({"body": "{{$body.z}}", "url": "{{$body.y}}", "query_params": {"a": "{{$nope}}"}})),
        ["'Object' has no attritubte 'z'.", "'Object' has no attritubte 'y'."]
    );
    assert_eq!(
        messages(json!({"query_params": {"a": "{{$body.y}}", "b": "{{$nope}}"}})),
        ["'Object' has no attritubte 'y'.", "Variable '$nope' not in scope"]
    );
    assert_eq!(messages(json!({"url": "{{$body.input.n}}"})), ["Invalid URL: 4"]);
    assert_eq!(messages(json!({"url": "file:///etc/passwd"})), ["Invalid URL: file:///etc/passwd"]);
    assert_eq!(messages(json!({"version": 3, "body": "1"})), ["expected 1 or 2, encountered 3"]);
    assert_eq!(messages(json!({"version": 2, "body": {"action": "x"}})), ["invalid transform action"]);
    assert_eq!(messages(json!({"template_engine": "Go"})), ["the template engine \"Go\" is not known, only Kriti"]);
    assert_eq!(messages(json!({"method": "GE T"})), ["\"GE T\" is no HTTP method"]);
    assert_eq!(
        messages(json!({"request_headers": {"remove_headers": ["a b", "c d"]}})),
        ["\"a b\" is no name of a header", "\"c d\" is no name of a header"]
    );
    assert_eq!(
        messages(json!({"request_headers": {"add_headers": {"x-a": "a\nb"}}})),
        ["the value of the header x-a is none in HTTP"]
    );
}

#[test]
fn answers_change_by_status_body_and_request() {
    let change = |body: Value, version: u8, answer: &str| {
        let given = serde_json::from_value(json!({"version": version, "body": body})).unwrap();
        let request = json!({"body": {"base_url": "b"}});
        let changed = ResponseTransformer::compile(&given)?.apply(404, answer.into(), request, None)?;
        Ok::<Value, TransformError>(serde_json::from_slice(&changed).unwrap())
    };
    let template = "{\"m\": {{$body?.m ?? \"none\"}}, \"s\": {{$response.status}}, \"b\": {{$request.body.base_url}}}";
    let transform = json!({"action": "transform", "template": template});
    assert_eq!(change(transform.clone(), 2, "{\"m\": 1}"), Ok(json!({"m": 1, "s": 404, "b": "b"})));
    assert_eq!(change(transform, 2, "<html>"), Ok(json!({"m": "none", "s": 404, "b": "b"})));
    assert_eq!(change(json!({"action": "remove"}), 2, "1"), Ok(Value::Null));
    assert_eq!(change(json!("{{$body}}"), 1, "[1]"), Ok(json!([1])));
    assert!(change(json!("{{$body.x}}"), 1, "{}").is_err());
}
