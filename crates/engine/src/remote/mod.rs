//! Remote schemas: requests to them, their answers, and their introspection.

mod introspection;

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use serde_json::{Map, Value, json};

use super::actions::{of_request, receive};
use super::error::{ErrorCode, GraphqlError, Result};
use super::json;
use super::metadata::RemoteSchema;
use super::outbound::{Outbound, OutboundError, USER_AGENT};
use crate::outbound::caller::{RemoteCall, RequestContext};

/// Seconds that a remote schema has when its definition names none.
const DEFAULT_TIMEOUT: u64 = 60;

/// Asks a remote schema; gives its `data`.
///
/// # Errors
/// The remote's errors, also as `internal.errors`, or Hasura's words for an answer that is none.
pub async fn call(outbound: &Outbound, context: &RequestContext, call: RemoteCall) -> Result<Map<String, Value>> {
    let mut headers = of_request(context, call.schema.definition.forward_client_headers, None);
    for (name, value) in context.session.variables() {
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value)) {
            headers.insert(name, value);
        }
    }
    let mut body = json!({"query": call.query});
    if let (false, Some(fields)) = (call.variables.is_empty(), body.as_object_mut()) {
        fields.insert("variables".into(), call.variables.into());
    }
    let (answer, set_cookies) = post(outbound, &call.schema, headers, &body).await?;
    let data = data_of(answer)?;
    context.set_cookies(set_cookies);
    Ok(data)
}

/// The value under a response key of a remote's answer.
///
/// # Errors
/// Hasura's words for a key that is missing.
pub fn member(data: &mut Map<String, Value>, key: &str) -> Result<Value> {
    data.get_mut(key)
        .map(Value::take)
        .ok_or_else(|| GraphqlError::new(ErrorCode::RemoteSchemaError, format!("expecting key {key}")))
}

/// Fetches the remote's schema; gives it as SDL.
///
/// # Errors
/// A sentence for the list of inconsistencies.
pub async fn introspect(outbound: &Outbound, schema: &RemoteSchema) -> Result<String, String> {
    let answer = introspection(outbound, schema).await.map_err(|error| error.message)?;
    introspection::to_sdl(&answer)
}

/// The remote's answer to the standard introspection request.
///
/// # Errors
/// A remote that cannot be reached or does not answer JSON.
pub async fn introspection(outbound: &Outbound, schema: &RemoteSchema) -> Result<Value> {
    let body = json!({"operationName": "IntrospectionQuery", "query": introspection::QUERY});
    post(outbound, schema, HeaderMap::new(), &body).await.map(|(answer, _)| answer)
}

/// Posts to a remote schema; gives its answer and the cookies that it sets.
async fn post(
    outbound: &Outbound,
    schema: &RemoteSchema,
    mut headers: HeaderMap,
    body: &Value,
) -> Result<(Value, Vec<String>)> {
    let definition = &schema.definition;
    let refused = |error: OutboundError| GraphqlError::new(ErrorCode::RemoteSchemaError, error.to_string());
    let shown = definition.url.as_deref().or(definition.url_from_env.as_deref()).unwrap_or_default();
    let url = match (&definition.url, &definition.url_from_env) {
        (Some(template), _) => outbound.url(template),
        (None, Some(variable)) => outbound.url_from_env(variable),
        (None, None) => Err(OutboundError::BadUrl(String::new())),
    }
    .map_err(refused)?;
    headers.extend(outbound.headers(&definition.headers).map_err(refused)?);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
    let timeout = Duration::from_secs(definition.timeout_seconds.unwrap_or(DEFAULT_TIMEOUT));
    let request = outbound.http.post(url).headers(headers).body(json::write(body));
    let received = match tokio::time::timeout(timeout, receive(request)).await {
        Ok(received) => received,
        Err(_) => Err("Response timeout".to_owned()),
    };
    let received = received.map_err(|message| {
        GraphqlError::new(
            ErrorCode::RemoteSchemaError,
            format!("HTTP exception occurred while sending the request to {shown:?}"),
        )
        .with_internal(json!({"message": message, "type": "http_exception"}))
    })?;
    let answer = json::read(&received.body)
        .map_err(|_| GraphqlError::new(ErrorCode::RemoteSchemaError, "Failed reading: not a valid json value"))?;
    Ok((answer, received.set_cookies()))
}

fn data_of(mut answer: Value) -> Result<Map<String, Value>> {
    let failed = |message: &str| GraphqlError::new(ErrorCode::RemoteSchemaError, message);
    let errors = answer.get_mut("errors").map(Value::take).filter(|errors| match errors {
        Value::Null => false,
        Value::Array(errors) => !errors.is_empty(),
        _ => true,
    });
    if let Some(errors) = errors {
        let error = GraphqlError::unexpected("Errors from remote server").with_internal(json!({"errors": errors}));
        return Err(match errors {
            Value::Array(errors) => error.answered_by(errors),
            _ => error,
        });
    }
    match answer.get_mut("data").map(Value::take) {
        None => Err(failed("Missing \"data\" field with no errors in response from remote")),
        Some(Value::Object(data)) => Ok(data),
        Some(_) => Err(failed("Received null \"data\" field with no errors in response from remote")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_mean_what_was_recorded() {
        let health = |answer: Value| data_of(answer).and_then(|mut data| member(&mut data, "platformHealth"));
        let message = |answer: Value| health(answer).unwrap_err().message;
        assert_eq!(health(json!({"data": {"platformHealth": null}})), Ok(Value::Null));
        assert_eq!(health(json!({"data": {"platformHealth": "ok"}, "extensions": {"cost": 1}})), Ok(json!("ok")));
        assert_eq!(message(json!({"message": "no"})), "Missing \"data\" field with no errors in response from remote");
        assert_eq!(
            message(json!({"data": null})),
            "Received null \"data\" field with no errors in response from remote"
        );
        assert_eq!(message(json!({"data": {}})), "expecting key platformHealth");
        let error = health(json!({"data": null, "errors": [{"message": "m"}]})).unwrap_err();
        assert_eq!(error.internal, Some(json!({"errors": [{"message": "m"}]})));
        assert_eq!(error.to_graphql_body(false), json!({"data": null, "errors": [{"message": "m"}]}));
    }
}
