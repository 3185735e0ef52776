//! Cross-site request forgery: a page of a site that is not listed may neither change anything nor open a socket.
//!
//! Browsers name the page's origin in every such request; other clients send none and are not concerned.

use axum::extract::{Request, State};
use axum::http::header::{HOST, ORIGIN, UPGRADE};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use url::{Host, Position, Url};

use crate::config::Server;
use crate::domain::{Code, Error};
use crate::http::{AppState, RestError};

pub(super) async fn guard(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let harmless = request.method().is_safe() && !request.headers().contains_key(UPGRADE);
    if harmless || admitted(&request, &state.settings.live.get().server, state.settings.secure) {
        return next.run(request).await;
    }
    RestError::from(Error::new(Code::Forbidden, "pages of that origin may not call this API")).into_response()
}

fn admitted(request: &Request, server: &Server, secure: bool) -> bool {
    let Some(origin) = request.headers().get(ORIGIN) else { return true };
    let Ok(origin) = origin.to_str() else { return false };
    if server.lists_origin(origin) {
        return true;
    }
    // HTTP/2 has the host in the URI instead of a header.
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    let host = host.or_else(|| request.uri().authority().map(|authority| authority.as_str()));
    match (Url::parse(origin), host) {
        (Ok(origin), Some(host)) => same_host(&origin, host) && (!secure || is_trustworthy(&origin)),
        _ => false,
    }
}

/// Whether the origin's page came from `host` (with its port, unless that is the scheme's own).
fn same_host(origin: &Url, host: &str) -> bool {
    let Ok(host) = Url::parse(&format!("{}://{host}", origin.scheme())) else { return false };
    origin.has_host()
        && origin[Position::BeforeHost..Position::AfterPort] == host[Position::BeforeHost..Position::AfterPort]
}

/// Whether nobody on the way can have written the page: it came over HTTPS, or from this very machine (W3C, Secure
/// Contexts, 3.1). Of a service over HTTPS a page over HTTP is somebody's in between.
fn is_trustworthy(origin: &Url) -> bool {
    origin.scheme() == "https"
        || match origin.host() {
            Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    #[test]
    fn the_services_own_pages_and_listed_ones_are_admitted() {
        let listed = Server { cors_origins: vec!["https://portal.example.com".to_owned()], ..Server::default() };
        let from = |origin: Option<&str>, host: &str| {
            let mut request = Request::builder().header(HOST, host);
            if let Some(origin) = origin {
                request = request.header(ORIGIN, origin);
            }
            admitted(&request.body(Body::empty()).unwrap(), &listed, false)
        };
        assert!(from(None, "localhost:3001"));
        assert!(from(Some("http://localhost:3001"), "localhost:3001"));
        assert!(from(Some("https://api.example.com"), "api.example.com:443"));
        assert!(from(Some("https://portal.example.com"), "api.example.com"));
        for foreign in [
            "http://localhost:5173",
            "https://evil.example",
            "null",
            "",
            "http://localhost:3001.evil.example",
            "file://",
        ] {
            assert!(!from(Some(foreign), "localhost:3001"), "{foreign}");
        }
    }

    #[test]
    fn over_https_a_page_over_http_is_none_of_the_services_own() {
        let listed = Server { cors_origins: vec!["http://old.example.com".to_owned()], ..Server::default() };
        let from = |origin: &str, host: &str| {
            let request = Request::builder().header(ORIGIN, origin).header(HOST, host).body(Body::empty()).unwrap();
            (admitted(&request, &listed, true), admitted(&request, &listed, false))
        };
        assert_eq!(from("http://paas.example.com", "paas.example.com"), (false, true));
        assert_eq!(from("http://10.0.0.1:8080", "10.0.0.1:8080"), (false, true));
        assert_eq!(from("http://localhost.example.com", "localhost.example.com"), (false, true));
        assert_eq!(from("https://paas.example.com", "paas.example.com"), (true, true));
        assert_eq!(from("http://old.example.com", "paas.example.com"), (true, true), "listed");
        for local in ["localhost:3001", "portal.localhost:3001", "127.0.0.1:3001", "[::1]:3001"] {
            assert_eq!(from(&format!("http://{local}"), local), (true, true));
        }
    }
}
