//! The two WebSocket subprotocols as Hasura speaks them: frames, and reasons to close.

use axum::extract::ws::{CloseFrame, Utf8Bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

use crate::error::{ErrorCode, GraphqlError};
use crate::json::kind;

/// Which subprotocol a socket speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// `graphql-transport-ws`, of the graphql-ws library.
    TransportWs,
    /// `graphql-ws`, of the older subscriptions-transport-ws; also when none or an unknown one is asked for.
    Legacy,
}

impl Protocol {
    /// The protocol for what a handshake offers. As in Hasura the header counts as a whole: the newer protocol is for
    /// who offers nothing else, and clients that offer both (Python's `gql`) go by that.
    pub fn of(offered: Option<&str>) -> Self {
        if offered == Some(Self::TransportWs.name()) { Self::TransportWs } else { Self::Legacy }
    }

    /// Its name in the handshake.
    pub fn name(self) -> &'static str {
        match self {
            Self::TransportWs => "graphql-transport-ws",
            Self::Legacy => "graphql-ws",
        }
    }
}

/// What a client may say.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ClientMessage {
    /// `connection_init` with the headers of its payload.
    Init(HeaderMap),
    /// `subscribe` or `start`: id and the request, not yet read.
    Start { id: String, payload: Value },
    /// `complete` or `stop`.
    Stop(String),
    /// `ping`; whether it has a payload.
    Ping(bool),
    /// `pong`.
    Pong,
    /// `connection_terminate`.
    Terminate,
}

impl ClientMessage {
    /// Reads a frame; the error is the sentence that Hasura gives.
    pub fn read(text: &str, protocol: Protocol) -> Result<Self, String> {
        const START: &str = "parsing Hasura.GraphQL.Transport.WebSocket.Protocol.StartMsg(StartMsg) failed,";
        let failed = |message: String| format!("parsing ClientMessage failed: {message}");
        let value = crate::json::read(text.as_bytes()).map_err(|_| {
            let shown: String = text.chars().take(60).collect();
            failed(format!("Unexpected {shown:?}, expecting JSON value"))
        })?;
        let Value::Object(mut fields) = value else {
            return Err(failed(format!(
                "Error in $: parsing ClientMessage failed, expected Object, but encountered {}",
                kind(&value)
            )));
        };
        let id = |fields: &mut serde_json::Map<String, Value>| match fields.remove("id") {
            Some(Value::String(id)) => Ok(id),
            Some(other) => Err(failed(format!(
                "Error in $.id: parsing Text failed, expected String, but encountered {}",
                kind(&other)
            ))),
            None => Err(failed(format!("Error in $: {START} key \"id\" not found"))),
        };
        let ty = match fields.get("type") {
            Some(Value::String(ty)) => ty.clone(),
            Some(other) => {
                return Err(failed(format!(
                    "Error in $.type: parsing Text failed, expected String, but encountered {}",
                    kind(other)
                )));
            }
            None => return Err(failed("Error in $: key \"type\" not found".to_owned())),
        };
        match (ty.as_str(), protocol) {
            ("connection_init", _) => Ok(Self::Init(init_headers(fields.get("payload")))),
            ("subscribe" | "start", _) => {
                let id = id(&mut fields)?;
                let payload = fields
                    .remove("payload")
                    .ok_or_else(|| failed(format!("Error in $: {START} key \"payload\" not found")))?;
                Ok(Self::Start { id, payload })
            }
            ("complete", Protocol::TransportWs) | ("stop", Protocol::Legacy) => id(&mut fields).map(Self::Stop),
            ("ping", Protocol::TransportWs) => Ok(Self::Ping(fields.contains_key("payload"))),
            ("pong", Protocol::TransportWs) => Ok(Self::Pong),
            ("connection_terminate", Protocol::Legacy) => Ok(Self::Terminate),
            _ => Err(failed(format!("Error in $: unexpected type for ClientMessage: {ty}"))),
        }
    }
}

/// The members of `payload.headers` that can be headers; anything else is not read.
fn init_headers(payload: Option<&Value>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let given = payload.and_then(|payload| payload.get("headers")).and_then(Value::as_object);
    for (name, value) in given.into_iter().flatten() {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            Value::Bool(flag) => flag.to_string(),
            _ => continue,
        };
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(&text)) {
            headers.insert(name, value);
        }
    }
    headers
}

/// What the server says.
impl Protocol {
    pub fn ack(self) -> Utf8Bytes {
        Utf8Bytes::from_static(r#"{"type":"connection_ack"}"#)
    }

    pub fn keep_alive(self) -> Utf8Bytes {
        match self {
            Self::TransportWs => Utf8Bytes::from_static(r#"{"type":"ping","payload":{"message":"keepalive"}}"#),
            Self::Legacy => Utf8Bytes::from_static(r#"{"type":"ka"}"#),
        }
    }

    pub fn pong(self, with_payload: bool) -> Utf8Bytes {
        Utf8Bytes::from_static(if with_payload {
            r#"{"type":"pong","payload":{"message":null}}"#
        } else {
            r#"{"type":"pong"}"#
        })
    }

    /// A result: `payload` is a whole GraphQL answer as JSON text.
    pub fn next(self, id: &str, payload: &str) -> Utf8Bytes {
        let ty = if self == Self::TransportWs { "next" } else { "data" };
        let mut frame = String::with_capacity(payload.len() + id.len() + 40);
        frame.push_str("{\"type\":\"");
        frame.push_str(ty);
        frame.push_str("\",\"id\":");
        frame.push_str(&Value::from(id).to_string());
        frame.push_str(",\"payload\":");
        frame.push_str(payload);
        frame.push('}');
        frame.into()
    }

    /// A request that failed while it ran; the older protocol calls that an answer without data.
    pub fn failure(self, id: &str, errors: &[Value]) -> Utf8Bytes {
        match self {
            Self::TransportWs => self.error(id, errors),
            Self::Legacy => self.next(id, &json!({"data": null, "errors": errors}).to_string()),
        }
    }

    /// A request that does not fit the schema.
    pub fn error(self, id: &str, errors: &[Value]) -> Utf8Bytes {
        let payload = match self {
            Self::TransportWs => json!(errors),
            Self::Legacy => json!({"errors": errors}),
        };
        json!({"type": "error", "id": id, "payload": payload}).to_string().into()
    }

    /// A request that could not be started at all.
    pub fn start_error(self, id: &str, message: &str) -> Utf8Bytes {
        let payload = match self {
            Self::TransportWs => message.into(),
            Self::Legacy => GraphqlError::new(ErrorCode::StartFailed, message).to_graphql(false),
        };
        json!({"type": "error", "id": id, "payload": payload}).to_string().into()
    }

    pub fn complete(self, id: &str) -> Utf8Bytes {
        json!({"type": "complete", "id": id}).to_string().into()
    }

    pub fn connection_error(self, message: &str) -> Utf8Bytes {
        json!({"type": "connection_error", "payload": message}).to_string().into()
    }

    /// Why a socket without `connection_init` is closed.
    pub fn init_timeout(self) -> CloseFrame {
        let code = if self == Self::TransportWs { 4408 } else { 1011 };
        CloseFrame { code, reason: Utf8Bytes::from_static("Connection initialisation timed out") }
    }
}

/// A close frame with Hasura's JSON as reason, cut to what fits (123 bytes).
pub(crate) fn close(code: u16, message: &str) -> CloseFrame {
    let mut reason = json!({"server_error_msg": message}).to_string();
    if reason.len() > 123 {
        let end = (0..=123).rev().find(|end| reason.is_char_boundary(*end)).unwrap_or_default();
        reason.truncate(end);
    }
    CloseFrame { code, reason: reason.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_refused_in_the_recorded_words() {
        let read = |text: &str| ClientMessage::read(text, Protocol::Legacy).unwrap_err();
        let start = "parsing Hasura.GraphQL.Transport.WebSocket.Protocol.StartMsg(StartMsg) failed,";
        assert_eq!(
            read(r#"{"type":"nonsense","id":"1"}"#),
            "parsing ClientMessage failed: Error in $: unexpected type for ClientMessage: nonsense"
        );
        assert_eq!(read("not json"), "parsing ClientMessage failed: Unexpected \"not json\", expecting JSON value");
        assert_eq!(
            read(r#"{"type":"start","payload":{}}"#),
            format!("parsing ClientMessage failed: Error in $: {start} key \"id\" not found")
        );
        assert_eq!(
            read(r#"{"type":"start","id":"1"}"#),
            format!("parsing ClientMessage failed: Error in $: {start} key \"payload\" not found")
        );
        assert_eq!(
            read(r#"{"type":"start","id":1,"payload":{}}"#),
            "parsing ClientMessage failed: Error in $.id: parsing Text failed, expected String, but encountered Number"
        );
    }

    #[test]
    fn close_reasons_fit_into_a_frame() {
        let frame = close(4400, &"\"ä".repeat(100));
        assert!(frame.reason.len() <= 123 && frame.reason.starts_with("{\"server_error_msg\":"));
        assert_eq!(close(4403, "4403: Forbidden").reason.as_str(), r#"{"server_error_msg":"4403: Forbidden"}"#);
    }

    #[test]
    fn init_headers_are_read_from_the_payloads_headers_only() {
        let read = |payload: &str| {
            let text = format!(r#"{{"type":"connection_init","payload":{payload}}}"#);
            match ClientMessage::read(&text, Protocol::TransportWs) {
                Ok(ClientMessage::Init(headers)) => headers,
                other => panic!("{other:?}"),
            }
        };
        assert!(read(r#"{"x-hasura-admin-secret":"s"}"#).is_empty());
        let headers = read(r#"{"headers":{"X-Hasura-User-Id":7,"bad name":"x","authorization":"Bearer t"}}"#);
        assert_eq!((headers.len(), headers["x-hasura-user-id"].as_bytes()), (2, &b"7"[..]));
    }
}
