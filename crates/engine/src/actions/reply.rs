//! What a webhook's answer means.

use serde_json::{Value, json};

use super::Received;
use crate::error::{ErrorCode, GraphqlError, Result};
use crate::json;
use crate::outbound::caller::ActionAnswer;

/// Reads an answer; `shown` makes the request as an admin may see it.
pub(super) fn read(received: &Received, shown: impl Fn() -> Value) -> Result<ActionAnswer> {
    let internal = |error: &str, body: Value| {
        let headers: Vec<Value> = received
            .headers
            .iter()
            .filter(|(name, _)| name.as_str() != "set-cookie")
            .map(|(name, value)| json!({"name": name.as_str(), "value": String::from_utf8_lossy(value.as_bytes())}))
            .collect();
        json!({
            "error": error,
            "request": shown(),
            "response": {"body": body, "headers": headers, "status": received.status},
        })
    };
    let Ok(body) = json::read(&received.body) else {
        let text = String::from_utf8_lossy(&received.body).into_owned();
        return Err(GraphqlError::unexpected("not a valid json response from webhook")
            .with_internal(internal("not a valid json response from webhook", text.into())));
    };
    match received.status {
        200..300 => {
            let set_cookies = received.set_cookies();
            Ok(ActionAnswer { body, set_cookies })
        }
        400..500 => Err(match client_error(&body) {
            // Seen where an endpoint answers by status: "no such thing" is 404 there.
            Ok(error) => error.with_status(received.status),
            Err(error) => error.with_internal(internal("unexpected response", body)),
        }),
        status => {
            let error = format!("expecting 2xx or 4xx status code, but found {status}");
            Err(GraphqlError::unexpected("internal error").with_internal(internal(&error, body)))
        }
    }
}

/// The webhook's own error, or why it is none.
fn client_error(body: &Value) -> Result<GraphqlError> {
    const PARSER: &str =
        "parsing Hasura.GraphQL.Execute.Action.Types.ActionWebhookErrorResponse(ActionWebhookErrorResponse) failed,";
    let failed = |path: &str, message: String| GraphqlError::at(path, ErrorCode::ParseFailed, message);
    let fields = body
        .as_object()
        .ok_or_else(|| failed("$", format!("{PARSER} expected Object, but encountered {}", json::kind(body))))?;
    let message = fields.get("message").ok_or_else(|| failed("$", format!("{PARSER} key \"message\" not found")))?;
    let message = text(message).map_err(|found| failed("$.message", found))?;
    let mut error = GraphqlError::unexpected(message);
    if let Some(code) = fields.get("code").filter(|code| !code.is_null()) {
        let code = text(code).map_err(|found| failed("$.code", found))?;
        error.extensions = Some(json!({"path": "$", "code": code}));
    }
    if let Some(extensions) = fields.get("extensions").filter(|extensions| !extensions.is_null()) {
        error.extensions = Some(extensions.clone());
    }
    Ok(error)
}

fn text(value: &Value) -> Result<&str, String> {
    value.as_str().ok_or_else(|| format!("parsing Text failed, expected String, but encountered {}", json::kind(value)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderMap;

    fn outcome(status: u16, body: &str) -> Result<Value, Value> {
        let received = Received { status, headers: HeaderMap::new(), body: body.as_bytes().to_vec() };
        read(&received, || Value::Null).map(|answer| answer.body).map_err(|error| error.to_graphql(false))
    }

    #[test]
    fn answers_mean_what_was_recorded() {
        let refused = |message: &str, extensions: Value| Err(json!({"message": message, "extensions": extensions}));
        let unexpected = json!({"path": "$", "code": "unexpected"});
        assert_eq!(outcome(201, r#"{"ok":true}"#), Ok(json!({"ok": true})));
        for (status, body) in [(200, ""), (204, ""), (400, "bad"), (500, "<h1>"), (503, ""), (304, "")] {
            assert_eq!(outcome(status, body), refused("not a valid json response from webhook", unexpected.clone()));
        }
        assert_eq!(outcome(500, r#"{"message":"boom"}"#), refused("internal error", unexpected.clone()));
        assert_eq!(outcome(400, r#"{"message":"m"}"#), refused("m", unexpected.clone()));
        assert_eq!(outcome(400, r#"{"message":"m","extensions":null}"#), refused("m", unexpected));
        assert_eq!(
            outcome(400, r#"{"message":"m","code":"taken"}"#),
            refused("m", json!({"path": "$", "code": "taken"}))
        );
        assert_eq!(
            outcome(409, r#"{"message":"m","code":"outer","extensions":{"code":"inner"}}"#),
            refused("m", json!({"code": "inner"}))
        );
        assert_eq!(outcome(400, r#"{"message":"m","extensions":"x"}"#), refused("m", json!("x")));
        let parse = |path: &str| json!({"path": path, "code": "parse-failed"});
        assert_eq!(
            outcome(400, r#"{"message":{"a":1}}"#),
            refused("parsing Text failed, expected String, but encountered Object", parse("$.message"))
        );
        let parser = "parsing Hasura.GraphQL.Execute.Action.Types.ActionWebhookErrorResponse(ActionWebhookErrorResponse) failed,";
        assert_eq!(
            outcome(400, r#"{"error":"x"}"#),
            refused(&format!("{parser} key \"message\" not found"), parse("$"))
        );
        assert_eq!(
            outcome(400, r#"[{"message":"m"}]"#),
            refused(&format!("{parser} expected Object, but encountered Array"), parse("$"))
        );
    }
}
