//! Limits on REST routes, and life without the cache.

use std::time::Duration;

use axum::http::StatusCode;
use serde_json::json;

use crate::support::Service;

#[tokio::test]
async fn a_user_may_call_a_route_so_often_and_is_told_what_is_left() {
    let service = Service::with(|config| config.rate_limits.per_user = 2).await;
    let sessions = [service.register("ada@example.com").await, service.register("bob@example.com").await];
    let bearers = sessions.map(|session| format!("Bearer {}", session["accessToken"].as_str().unwrap()));
    let me = async |bearer: &str| service.get("/api/v1/auth/me", &[("authorization", bearer)]).await;
    for left in ["1", "0"] {
        let answer = me(&bearers[0]).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!((answer.header("x-ratelimit-limit"), answer.header("x-ratelimit-remaining")), ("2", left));
        assert!((1..=60).contains(&answer.header("x-ratelimit-reset").parse::<u64>().unwrap()));
    }
    let refused = me(&bearers[0]).await;
    assert_eq!((refused.status, refused.code().as_str()), (StatusCode::TOO_MANY_REQUESTS, "rate-limited"));
    assert_eq!(refused.header("retry-after"), refused.header("x-ratelimit-reset"));
    assert_eq!(me(&bearers[1]).await.status, StatusCode::OK, "another user has a limit of their own");
}

#[tokio::test]
async fn without_the_cache_reading_goes_on_and_signing_in_does_not() {
    // Nothing listens on the discard port.
    let service = Service::with(|config| config.cache.addresses = vec!["127.0.0.1:9".into()]).await;
    let body = json!({ "email": "ada@example.com", "password": "correct horse battery", "name": "Ada" });
    let refused = service.post("/api/v1/auth/register", &[], &body).await;
    assert_eq!((refused.status, refused.code().as_str()), (StatusCode::SERVICE_UNAVAILABLE, "unavailable"));
    let login = json!({ "email": "ada@example.com", "password": "correct horse battery" });
    let refused = service.action("login", login, json!({ "x-hasura-role": "anonymous" })).await;
    // To Hasura every error is a 4xx: of others it tells the client nothing.
    assert_eq!((refused.status, refused.code().as_str()), (StatusCode::BAD_REQUEST, "unavailable"));

    let user = uuid::Uuid::new_v4();
    sqlx::query("insert into users (id, email, name) values ($1, 'ada@example.com', 'Ada')")
        .bind(user)
        .execute(service.app.db.pool())
        .await
        .unwrap();
    let token = service
        .app
        .tokens
        .issue(user, "ada@example.com", false, Vec::new(), None, Duration::from_secs(60))
        .unwrap()
        .token;
    let bearer = format!("Bearer {}", token.expose());
    let me = service.get("/api/v1/auth/me", &[("authorization", &bearer)]).await;
    assert_eq!(me.status, StatusCode::OK, "{}", me.text);
    assert_eq!(me.header("x-ratelimit-limit"), "");

    let ready = service.get("/health/ready", &[]).await;
    assert_eq!(ready.status, StatusCode::SERVICE_UNAVAILABLE);
    let down: Vec<String> = ready.json()["checks"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|check| check["status"] != "ok")
        .map(|check| check["name"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(down, ["cache"]);
}

/// Asks so often; gives how many were refused by 429, and the last refusal.
async fn flood(
    service: &Service,
    times: usize,
    path: &str,
    headers: &[(&str, &str)],
) -> (usize, Option<crate::support::Answer>) {
    let (mut refused, mut last) = (0, None);
    for _ in 0..times {
        let answer = service.post(path, headers, &json!({ "query": "{ me { id } }" })).await;
        if answer.status == StatusCode::TOO_MANY_REQUESTS {
            refused += 1;
            last = Some(answer);
        }
    }
    (refused, last)
}

#[tokio::test]
async fn the_engines_routes_are_limited_by_user_and_by_address_and_the_administrator_is_not() {
    let service = Service::with(|config| {
        config.rate_limits.per_user = 5;
        config.rate_limits.per_address = 3;
        config.hasura.admin_secret = Some("the secret of the administrator".into());
    })
    .await;
    let bearer = |user: uuid::Uuid| {
        let token =
            service.app.tokens.issue(user, "a@example.com", false, Vec::new(), None, Duration::from_secs(60)).unwrap();
        format!("Bearer {}", token.token.expose())
    };
    let (ada, bob) = (bearer(uuid::Uuid::new_v4()), bearer(uuid::Uuid::new_v4()));
    for (path, kept) in [
        ("/v1/graphql", "/errors/0/extensions/code"),
        ("/api/rest/v1/projects", "/code"),
        ("/api/v1/projects", "/error/code"),
    ] {
        let (refused, answer) = flood(&service, 8, path, &[("authorization", &ada)]).await;
        assert_eq!(refused, 3, "{path}");
        let answer = answer.unwrap();
        assert_eq!(answer.json().pointer(kept), Some(&json!("rate-limited")), "{}", answer.text);
        assert!((1..=60).contains(&answer.header("retry-after").parse::<u64>().unwrap()));
        assert_eq!(flood(&service, 5, path, &[("authorization", &bob)]).await.0, 0, "{path}: another user");
        assert_eq!(flood(&service, 5, path, &[]).await.0, 2, "{path}: nobody");
        // Wrong credentials count by the address, with nobody's.
        assert_eq!(flood(&service, 2, path, &[("authorization", "Bearer x")]).await.0, 2, "{path}");
        assert_eq!(flood(&service, 2, path, &[("x-hasura-admin-secret", "guessed")]).await.0, 2, "{path}");
        let admin = [("x-hasura-admin-secret", "the secret of the administrator")];
        assert_eq!(flood(&service, 20, path, &admin).await.0, 0, "{path}");
    }
}

#[tokio::test]
async fn attempts_with_wrong_credentials_are_limited_too() {
    let service = Service::with(|config| config.rate_limits.per_address = 3).await;
    let mut statuses = Vec::new();
    for _ in 0..5 {
        statuses.push(service.get("/api/v1/auth/me", &[("authorization", "Bearer x")]).await.status.as_u16());
    }
    assert_eq!(statuses, [401, 401, 401, 429, 429]);
    let wrong = [("x-northstack-action-secret", "wrong")];
    assert_eq!(flood(&service, 5, "/actions/login", &wrong).await.0, 2);
    let right = [("x-northstack-action-secret", crate::support::ACTION_SECRET)];
    assert_eq!(flood(&service, 10, "/actions/nothing", &right).await.0, 0);
    service.configure(|config| config.rate_limits.enabled = false);
    assert_eq!(flood(&service, 5, "/actions/login", &wrong).await.0, 0);
}

#[tokio::test]
async fn what_the_edge_refuses_has_the_form_of_what_stands_behind_it() {
    let slow = axum::Router::new().fallback(async || std::future::pending::<&str>().await);
    let change = |config: &mut northstack::config::Config| {
        config.server.request_timeout = Duration::from_millis(100);
        config.server.body_limit = 1024;
        config.hasura.admin_secret = Some("the administrator's".into());
    };
    let service = Service::with_backend(change, |_| northstack::http::Backend::Embedded(slow)).await;
    for (path, code) in [
        ("/v1/graphql", "/errors/0/extensions/code"),
        ("/v1/metadata", "/code"),
        ("/api/rest/v1/projects", "/code"),
        ("/api/v1/projects", "/error/code"),
    ] {
        let answer = service.post(path, &[], &json!({})).await;
        assert_eq!(answer.status, StatusCode::GATEWAY_TIMEOUT, "{path}: {}", answer.text);
        assert_eq!(answer.json().pointer(code), Some(&json!("timeout")), "{}", answer.text);
        let large = json!({ "x": "y".repeat(1_988) });
        let answer = service.post(path, &[("content-length", "2000")], &large).await;
        assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE, "{path}: {}", answer.text);
        assert_eq!(answer.json().pointer(code), Some(&json!("invalid-input")), "{}", answer.text);
        // The administrator sends what Hasura would take.
        let admin = [("content-length", "2000"), ("x-hasura-admin-secret", "the administrator's")];
        let answer = service.post(path, &admin, &large).await;
        assert_eq!(answer.status, StatusCode::GATEWAY_TIMEOUT, "{path}: {}", answer.text);
    }
}

#[tokio::test]
async fn a_refusal_from_behind_the_edge_tells_of_the_limit_that_refused() {
    use axum::response::IntoResponse;
    let refused = |headers: [(&'static str, &'static str); 2]| {
        let error = json!({ "error": "too many", "path": "$", "code": "rate-limit-exceeded" });
        (StatusCode::TOO_MANY_REQUESTS, headers, axum::Json(error)).into_response()
    };
    let engine = axum::Router::new()
        .route(
            "/v1/graphql",
            axum::routing::any(move || async move { refused([("retry-after", "7"), ("x-ratelimit-limit", "3")]) }),
        )
        .fallback(move || async move { refused([("retry-after", "9"), ("x-ratelimit-reset", "9")]) });
    let service = Service::with_backend(|_| {}, |_| northstack::http::Backend::Embedded(engine)).await;
    for (path, limit, wait) in
        [("/v1/graphql", "3", "7"), ("/api/rest/v1/projects", "", "9"), ("/api/v1/projects", "", "9")]
    {
        let answer = service.post(path, &[], &json!({ "query": "{ me { id } }" })).await;
        assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS, "{path}: {}", answer.text);
        let told = ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset", "retry-after"];
        assert_eq!(told.map(|name| answer.header(name)), [limit, "0", wait, wait], "{path}");
    }
}
