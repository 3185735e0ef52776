//! What the edge adds to every answer and takes from every request.

use axum::Router;
use axum::http::{Method, StatusCode};
use axum::routing::any;
use northstack::http::Backend;
use serde_json::json;

use crate::support::{ACTION_SECRET, Service, request};

/// A service whose GraphQL backend tells what reached it.
async fn with_echo() -> Service {
    let echo = any(|request: axum::extract::Request| async move {
        let header = |name: &str| request.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        axum::Json(json!({
            "uri": request.uri().to_string(),
            "requestId": header("x-request-id"),
            "secret": header("x-northstack-action-secret"),
            "client": header("x-northstack-client-ip"),
            "device": header("x-northstack-client-device"),
            "authorization": header("authorization"),
        }))
    });
    let panic = any(|| async {
        if true {
            panic!("secret detail")
        }
    });
    let engine = Router::new().route("/v1/metadata", panic).fallback(echo);
    Service::with_backend(
        |config| config.server.trusted_proxies = vec!["127.0.0.0/8".into()],
        |_| Backend::Embedded(engine),
    )
    .await
}

#[tokio::test]
async fn the_clients_request_id_goes_in_and_out_and_an_unsound_one_is_replaced() {
    let service = with_echo().await;
    let answer = service.post("/v1/graphql", &[("x-request-id", "req-42")], &json!({})).await;
    assert_eq!(answer.header("x-request-id"), "req-42");
    assert_eq!(answer.json()["requestId"], "req-42");

    for unsound in ["", "a b", "x\"y", &"a".repeat(129)] {
        let answer = service.get("/health", &[("x-request-id", unsound)]).await;
        assert!(uuid::Uuid::parse_str(answer.header("x-request-id")).is_ok(), "{unsound}");
    }
    let (one, two) = (service.get("/health", &[]).await, service.get("/health", &[]).await);
    assert_ne!(one.header("x-request-id"), two.header("x-request-id"));
    assert!(!service.get("/nowhere", &[]).await.header("x-request-id").is_empty());
}

#[tokio::test]
async fn graphql_reaches_the_backend_without_our_secrets_and_with_the_clients_address() {
    let service = with_echo().await;
    let headers = [
        ("x-northstack-action-secret", "guess"),
        ("x-northstack-client-ip", "6.6.6.6"),
        ("x-northstack-client-device", "10000000-0000-4000-8000-000000000001"),
        ("x-forwarded-for", "6.6.6.6, 203.0.113.9"),
        ("authorization", "Bearer abc"),
    ];
    let seen = service.post("/v1/graphql", &headers, &json!({})).await.json();
    assert_eq!(seen["secret"], json!(null));
    assert_eq!((&seen["client"], &seen["device"]), (&json!("203.0.113.9"), &json!(null)));
    assert_eq!(seen["authorization"], "Bearer abc");
    let seen = service.get("/api/v1/projects/7?limit=2", &[]).await.json();
    assert_eq!(seen["data"]["uri"], "/api/rest/v1/projects/7?limit=2");
    let seen = service.get("/v1/graphql/explain", &[]).await.json();
    assert_eq!(seen["uri"], "/v1/graphql/explain");
}

#[tokio::test]
async fn a_panic_is_a_500_that_tells_nothing() {
    let service = with_echo().await;
    let answer = service.get("/v1/metadata", &[]).await;
    assert_eq!((answer.status, answer.code().as_str()), (StatusCode::INTERNAL_SERVER_ERROR, "internal"));
    assert!(!answer.text.contains("secret detail"));
    assert!(!answer.header("x-request-id").is_empty());
}

#[tokio::test]
async fn answers_carry_security_headers() {
    let service = Service::with(|config| config.auth.cookie_secure = true).await;
    let answer = service.get("/health", &[]).await;
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert_eq!(answer.header("x-frame-options"), "DENY");
    assert!(answer.header("content-security-policy").contains("default-src 'self'"));
    assert!(answer.header("strict-transport-security").starts_with("max-age="));
    let plain = Service::start().await.get("/health", &[]).await;
    assert_eq!(plain.header("strict-transport-security"), "");
}

#[tokio::test]
async fn only_listed_sites_may_call_from_a_browser() {
    let service = Service::with(|config| {
        config.server.hosts = vec!["api.example.com".into()];
        config.server.cors_origins = vec!["https://portal.example.com".into()];
    })
    .await;
    let preflight = |origin: &'static str| {
        let headers = [("origin", origin), ("access-control-request-method", "POST"), ("host", "api.example.com")];
        request(Method::OPTIONS, "/api/v1/auth/login", &headers, String::new())
    };
    let listed = service.send(preflight("https://portal.example.com")).await;
    assert_eq!(listed.header("access-control-allow-origin"), "https://portal.example.com");
    assert_eq!(listed.header("access-control-allow-credentials"), "true");
    let foreign = service.send(preflight("https://evil.example")).await;
    assert_eq!(foreign.header("access-control-allow-origin"), "");
    assert_eq!(foreign.header("access-control-allow-credentials"), "");

    // Simple requests need no preflight: they are refused as such, and so are sockets.
    let body = json!({ "email": "ada@example.com", "password": "correct horse battery" });
    let foreign = [("origin", "https://evil.example"), ("host", "api.example.com")];
    let answer = service.post("/api/v1/auth/login", &foreign, &body).await;
    assert_eq!((answer.status, answer.code().as_str()), (StatusCode::FORBIDDEN, "forbidden"));
    let socket = [("origin", "https://evil.example"), ("host", "api.example.com"), ("upgrade", "websocket")];
    assert_eq!(service.get("/v1/graphql", &socket).await.status, StatusCode::FORBIDDEN);
    for content_type in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"] {
        let answer = service.post("/api/v1/auth/login", &[("content-type", content_type)], &body).await;
        assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{content_type}");
    }
}

#[tokio::test]
async fn a_page_that_made_its_own_name_lead_here_is_refused_on_every_route() {
    let service = Service::with(|config| {
        config.server.public_url = Some("https://portal.example.com".parse().unwrap());
        config.server.hosts = vec!["api.example.com".into()];
    })
    .await;
    let body = json!({ "email": "ada@example.com", "password": "correct horse battery" });
    for host in ["evil.example:8180", "localhost.evil.example", "api.example.com@evil.example", "", "a b"] {
        let headers = [("host", host), ("origin", "http://evil.example:8180")];
        for path in ["/api/v1/auth/login", "/v1/graphql", "/actions/login", "/nowhere"] {
            let answer = service.post(path, &headers, &body).await;
            assert_eq!(answer.status, StatusCode::MISDIRECTED_REQUEST, "{host} {path}: {}", answer.text);
        }
        assert_eq!(service.get("/health", &[("host", host)]).await.status, StatusCode::MISDIRECTED_REQUEST, "{host}");
    }
    let doubled = [("host", "localhost"), ("host", "evil.example")];
    assert_eq!(service.get("/health", &doubled).await.status, StatusCode::MISDIRECTED_REQUEST);
    for host in
        ["localhost:8080", "127.0.0.1:1", "[::1]:8080", "shop.localhost", "portal.example.com", "api.example.com"]
    {
        assert_eq!(service.get("/health", &[("host", host)]).await.status, StatusCode::OK, "{host}");
    }
    // Hasura calls by the name that its own network has.
    let internal = [("host", "northstack:8080"), ("x-northstack-action-secret", ACTION_SECRET)];
    assert_ne!(service.post("/actions/login", &internal, &json!({})).await.status, StatusCode::MISDIRECTED_REQUEST);
}

#[tokio::test]
async fn no_cache_keeps_what_the_api_answers() {
    let service = Service::start().await;
    let session = service.register("ada@example.com").await;
    let bearer = format!("Bearer {}", session["accessToken"].as_str().unwrap());
    let body = json!({ "email": "ada@example.com", "password": "correct horse battery" });
    for answer in [
        service.post("/api/v1/auth/login", &[], &body).await,
        service.get("/api/v1/auth/me", &[("authorization", &bearer)]).await,
        service.get("/api/stores", &[("authorization", &bearer)]).await,
        service.post("/v1/graphql", &[("authorization", &bearer)], &json!({})).await,
        service.get("/nowhere", &[]).await,
    ] {
        assert_eq!(answer.header("cache-control"), "no-store", "{}", answer.text);
    }
    assert_eq!(service.get("/.well-known/jwks.json", &[]).await.header("cache-control"), "public, max-age=300");
}

#[tokio::test]
async fn unreadable_bodies_are_refused() {
    let service = Service::with(|config| config.server.body_limit = 2048).await;
    let send = async |body: Vec<u8>| {
        let request = axum::http::Request::post("/api/v1/auth/login")
            .header("content-type", "application/json")
            .body(axum::body::Body::from(body))
            .unwrap();
        service.send(request).await
    };
    let too_large = send(vec![b' '; 2049]).await;
    assert_eq!(too_large.status, StatusCode::PAYLOAD_TOO_LARGE);
    let deep = "[".repeat(2000).into_bytes();
    for body in [&b""[..], b"\xff\xfe", b"\xef\xbb\xbf{}", b"{\"email\":\"\\ud800\"}", b"{\"email\":1}", &deep] {
        let answer = send(body.to_vec()).await;
        assert_eq!((answer.status, answer.code().as_str()), (StatusCode::UNPROCESSABLE_ENTITY, "invalid-input"));
    }
    let doubled = br#"{"email":"a@b.cc","email":"c@d.ee","password":"correct horse battery"}"#;
    assert_eq!(send(doubled.to_vec()).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    let compressed = [("content-encoding", "gzip")];
    assert_eq!(service.post("/api/v1/auth/login", &compressed, &json!({})).await.code(), "invalid-input");
}

#[tokio::test]
async fn health_tells_which_system_is_down() {
    let service = Service::start().await;
    let health = service.get("/health", &[]).await;
    assert_eq!(health.json()["status"], "ok");
    assert!(health.json()["timestamp"].as_str().unwrap().ends_with('Z'));
    assert_eq!(service.get("/health/live", &[]).await.status, StatusCode::OK);
    let ready = service.get("/health/ready", &[]).await;
    assert_eq!(ready.status, StatusCode::OK, "{}", ready.text);

    service.app.db.close().await;
    let ready = service.get("/health/ready", &[]).await;
    assert_eq!(ready.status, StatusCode::SERVICE_UNAVAILABLE);
    let checks = ready.json()["checks"].as_array().unwrap().clone();
    assert!(checks.iter().any(|check| check["name"] == "database" && check["status"] == "unavailable"), "{checks:?}");
    assert_eq!(service.get("/health/live", &[]).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_proxy_that_is_not_listed_is_named_by_readiness() {
    let listed = Service::with(|config| config.server.trusted_proxies = vec!["127.0.0.1".into()]).await;
    for header in [("x-forwarded-for", "203.0.113.9"), ("forwarded", "for=203.0.113.9")] {
        let service = Service::start().await;
        assert_eq!(service.get("/health/ready", &[]).await.json().get("warnings"), None);
        service.get("/health/live", &[header]).await;
        let ready = service.get("/health/ready", &[]).await;
        assert_eq!(ready.status, StatusCode::OK);
        let warnings = ready.json()["warnings"].to_string();
        assert!(warnings.contains("server.trusted_proxies"), "{warnings}");
        listed.get("/health/live", &[header]).await;
    }
    assert_eq!(listed.get("/health/ready", &[]).await.json().get("warnings"), None);
}

#[tokio::test]
async fn addresses_of_one_network_share_a_limit() {
    let service = Service::with(|config| {
        config.server.trusted_proxies = vec!["127.0.0.1".into()];
        config.rate_limits.per_address = 2;
    })
    .await;
    let me = async |address: &str| service.get("/api/v1/auth/me", &[("x-forwarded-for", address)]).await.status;
    for (address, status) in [
        ("2001:db8:0:1::1", StatusCode::UNAUTHORIZED),
        ("2001:db8:0:1:ffff::2", StatusCode::UNAUTHORIZED),
        ("2001:db8:0:1::3", StatusCode::TOO_MANY_REQUESTS),
        ("2001:db8:0:2::1", StatusCode::UNAUTHORIZED),
        ("::ffff:203.0.113.1", StatusCode::UNAUTHORIZED),
        ("203.0.113.1", StatusCode::UNAUTHORIZED),
        ("203.0.113.1", StatusCode::TOO_MANY_REQUESTS),
    ] {
        assert_eq!(me(address).await, status, "{address}");
    }
}
