//! Which of the client's headers go along.

use axum::http::{HeaderMap, HeaderName};

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

/// The client's headers as a webhook or remote schema receives them. Session variables are not among them.
pub(crate) fn forwarded(client: &HeaderMap, ignored: Option<&[String]>) -> HeaderMap {
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
    use axum::http::HeaderValue;

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
}
