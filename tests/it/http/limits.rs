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
    let token =
        service.app.tokens.issue(user, "ada@example.com", false, Vec::new(), Duration::from_secs(60)).unwrap().token;
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
