//! Which of the client's headers go along.

use axum::http::{HeaderMap, HeaderName};

use crate::outbound::caller::{REQUEST_ID, RequestContext};

/// Client headers that stay behind unless the action names its own list.
const IGNORED: [&str; 14] = [
    "content-length",
    "content-md5",
    "user-agent",
    "host",
    "origin",
    "referer",
    "accept",
    "accept-encoding",
    "accept-language",
    "accept-datetime",
    "cache-control",
    "connection",
    "dnt",
    "content-type",
];
/// Headers of the connection, which never go along.
const OF_THE_CONNECTION: [&str; 10] = [
    "connection",
    "content-length",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];
/// Headers that go along under another name.
const RENAMED: [(&str, &str); 3] =
    [("host", "x-forwarded-host"), ("user-agent", "x-forwarded-user-agent"), ("origin", "x-forwarded-origin")];

/// What a webhook or remote schema is told of the request: its id, and the client's headers where they are forwarded.
/// (Hasura sends the id among those alone.)
pub(crate) fn of_request(context: &RequestContext, forwards: bool, ignored: Option<&[String]>) -> HeaderMap {
    let mut headers = if forwards { forwarded(&context.headers, ignored) } else { HeaderMap::new() };
    if let Some(id) = context.request_id() {
        headers.insert(REQUEST_ID, id.clone());
    }
    headers
}

/// The client's headers as they go along. Session variables are not among them.
fn forwarded(client: &HeaderMap, ignored: Option<&[String]>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (from, to) in RENAMED {
        if let Some(value) = client.get(from) {
            headers.insert(HeaderName::from_static(to), value.clone());
        }
    }
    for (name, value) in client {
        let text = name.as_str();
        let stays = match ignored {
            Some(list) => list.iter().any(|ignored| ignored.eq_ignore_ascii_case(text)),
            None => IGNORED.contains(&text),
        };
        if !stays
            && !OF_THE_CONNECTION.contains(&text)
            && !text.starts_with("x-hasura-")
            && !text.starts_with("sec-websocket-")
        {
            headers.append(name.clone(), value.clone());
        }
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::Session;
    use axum::http::HeaderValue;
    use std::sync::Arc;

    #[test]
    fn the_recorded_headers_go_along() {
        let client: HeaderMap = [
            ("content-type", "application/json"),
            ("x-hasura-admin-secret", "secret"),
            ("x-hasura-role", "user"),
            ("authorization", "Bearer abc"),
            ("cookie", "a=b"),
            ("x-request-id", "req-1"),
            ("x-custom", "c1"),
            ("user-agent", "portal/1"),
            ("origin", "https://portal.test"),
            ("host", "hasura.test:8080"),
            ("connection", "keep-alive"),
            ("sec-websocket-key", "k"),
        ]
        .into_iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
        .collect();
        let mut names: Vec<_> = forwarded(&client, None).keys().map(|name| name.to_string()).collect();
        names.sort();
        assert_eq!(
            names,
            [
                "authorization",
                "cookie",
                "x-custom",
                "x-forwarded-host",
                "x-forwarded-origin",
                "x-forwarded-user-agent",
                "x-request-id",
            ]
        );
        let kept = forwarded(&client, Some(&["Cookie".into()]));
        assert!(!kept.contains_key("cookie") && kept.contains_key("user-agent") && !kept.contains_key("host"));
    }

    #[test]
    fn the_id_of_the_request_goes_along_once_whatever_is_forwarded() {
        let told = |ids: &[&str], forwards: bool, ignored: Option<&[String]>| -> Vec<String> {
            let given = ids.iter().map(|id| (REQUEST_ID, HeaderValue::from_str(id).unwrap()));
            let headers = given.chain([(HeaderName::from_static("x-custom"), HeaderValue::from_static("c"))]).fold(
                HeaderMap::new(),
                |mut headers, (name, value)| {
                    headers.append(name, value);
                    headers
                },
            );
            let context = RequestContext { headers: Arc::new(headers), ..RequestContext::local(Session::admin()) };
            let sent = of_request(&context, forwards, ignored);
            assert_eq!(sent.contains_key("x-custom"), forwards);
            sent.get_all(REQUEST_ID).iter().map(|id| id.to_str().unwrap().to_owned()).collect()
        };
        for (forwards, ignored) in [(false, None), (true, None), (true, Some(&["X-Request-Id".to_owned()][..]))] {
            assert_eq!(told(&["abc"], forwards, ignored), ["abc"], "{forwards} {ignored:?}");
            assert_eq!(told(&["abc", "def"], forwards, ignored), ["abc"], "{forwards} {ignored:?}");
        }
        assert!(told(&[], false, None).is_empty() && told(&[&"x".repeat(129)], false, None).is_empty());
    }
}
