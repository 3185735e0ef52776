//! `test_webhook_transform`, and the check of transforms before a command takes them.

use std::collections::BTreeMap;

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::{Value, json};

use super::document;
use crate::error::{ErrorCode, GraphqlError, Result};
use crate::json;
use crate::kriti::SessionVariables;
use crate::metadata::{RequestTransform, ResponseTransform};
use crate::transform::{Outgoing, RequestTransformer, ResponseTransformer, TransformError};

/// Refuses a command whose transforms are none.
pub(super) fn check(args: &Value) -> Result<()> {
    for (holder, path) in [(Some(args), "$.args"), (args.get("definition"), "$.args.definition")] {
        let given = |key: &str| holder.and_then(|holder| holder.get(key)).filter(|value| !value.is_null());
        if let Some(given) = given("response_transform") {
            let transform: ResponseTransform = read(given, &format!("{path}.response_transform"))?;
            ResponseTransformer::compile(&transform).map_err(|error| invalid("response", error))?;
        }
        if let Some(given) = given("request_transform") {
            let transform: RequestTransform = read(given, &format!("{path}.request_transform"))?;
            RequestTransformer::compile(&transform).map_err(|error| invalid("request", error))?;
        }
    }
    Ok(())
}

fn read<T: serde::de::DeserializeOwned>(value: &Value, path: &str) -> Result<T> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let inner = error.path().to_string();
        let path = if inner == "." { path.to_owned() } else { format!("{path}.{inner}") };
        GraphqlError::at(path, ErrorCode::ParseFailed, error.inner().to_string())
    })
}

fn invalid(what: &str, error: TransformError) -> GraphqlError {
    GraphqlError::new(ErrorCode::ValidationFailed, format!("{what} transform validation failed"))
        .with_internal(Value::Array(error.0))
}

/// Runs `test_webhook_transform`: what would be sent. Real environment variables are not available to it.
pub(super) fn test(args: &Value) -> Result<Value> {
    let env: BTreeMap<String, String> = optional(args, "env")?;
    let given_headers: Vec<(String, String)> = optional(args, "request_headers")?;
    let url = match document::required(args, "webhook_url")? {
        Value::String(template) => fill(template, &env)?,
        other => {
            let variable = other.get("from_env").and_then(Value::as_str);
            let found = variable.and_then(|variable| env.get(variable)).cloned();
            found.ok_or_else(|| GraphqlError::new(ErrorCode::NotFound, "Missing Env Var").with_status(400))?
        }
    };
    let body =
        args.get("body").ok_or_else(|| GraphqlError::at("$.args", ErrorCode::ParseFailed, "key \"body\" not found"))?;
    let transform: RequestTransform = read(document::required(args, "request_transform")?, "$.args.request_transform")?;
    let session: Option<SessionVariables> = optional::<Option<SessionVariables>>(args, "session_variables")?
        .map(|session| session.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect());
    let unusable = |message: String| {
        invalid(
            "request",
            TransformError(vec![json!({"error_code": "Request Initialization Error", "message": message})]),
        )
    };
    let mut headers = HeaderMap::new();
    for (name, value) in &given_headers {
        let bad = || unusable(format!("{name:?} is no header"));
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad())?;
        headers.append(name, HeaderValue::from_str(&fill(value, &env)?).map_err(|_| bad())?);
    }
    let address = url::Url::parse(&url).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let address = address.ok_or_else(|| unusable(format!("InvalidUrlException {url:?} \"Invalid URL\"")))?;
    let mut request = Outgoing::post(address, headers, json::write(body));
    request.method = Method::GET;
    let changed = RequestTransformer::compile(&transform)
        .and_then(|transformer| transformer.apply(request, &url, session.as_ref()))
        .map_err(|error| invalid("request", error))?
        .0;
    let headers: Vec<Value> = changed
        .headers
        .iter()
        .map(|(name, value)| json!([name.as_str(), String::from_utf8_lossy(value.as_bytes())]))
        .collect();
    Ok(json!({
        "webhook_url": changed.url.as_str(),
        "method": changed.method.as_str(),
        "headers": headers,
        "body": changed.shown_body(),
    }))
}

fn optional<T: serde::de::DeserializeOwned + Default>(args: &Value, key: &str) -> Result<T> {
    match args.get(key).filter(|value| !value.is_null()) {
        Some(value) => read(value, &format!("$.args.{key}")),
        None => Ok(T::default()),
    }
}

/// Fills `{{NAME}}` from the given variables.
fn fill(template: &str, env: &BTreeMap<String, String>) -> Result<String> {
    if template.is_empty() {
        return Err(GraphqlError::new(ErrorCode::ParseFailed, "Invalid Url Template"));
    }
    let mut filled = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        filled.push_str(before);
        let Some((name, tail)) = after.split_once("}}").filter(|(name, _)| !name.is_empty() && !name.contains('}'))
        else {
            filled.push_str("{{");
            rest = after;
            continue;
        };
        let value = env.get(name).ok_or_else(|| {
            let message = format!(
                "Missing Env Var: {name}. For security reasons when testing request options real environment variable \
                 values are not available. Please enter a mock value for {name} in the Sample Env Variables list. See \
                 https://hasura.io/docs/latest/graphql/core/actions/rest-connectors/#action-transforms-sample-context"
            );
            GraphqlError::new(ErrorCode::NotFound, message).with_status(400)
        })?;
        filled.push_str(value);
        rest = tail;
    }
    filled.push_str(rest);
    Ok(filled)
}
