//! Guessing passwords is limited.

use axum::http::StatusCode;
use serde_json::json;

use crate::support::{Answer, Service};

async fn login(service: &Service, address: &str, email: &str) -> Answer {
    let body = json!({ "email": email, "password": "incorrect horse battery" });
    service.post("/api/v1/auth/login", &[("x-forwarded-for", address)], &body).await
}

#[tokio::test]
async fn attempts_are_counted_by_address_and_account_together() {
    let service = Service::with(|config| {
        config.server.trusted_proxies = vec!["127.0.0.0/8".into()];
        config.rate_limits.login = 3;
    })
    .await;
    for _ in 0..3 {
        assert_eq!(login(&service, "203.0.113.1", "ada@example.com").await.code(), "invalid-credentials");
    }
    let limited = login(&service, "203.0.113.1", "Ada@example.com").await;
    assert_eq!((limited.status, limited.code().as_str()), (StatusCode::TOO_MANY_REQUESTS, "rate-limited"));
    assert!(limited.json()["error"]["message"].as_str().unwrap().contains("seconds"));
    assert_eq!(login(&service, "203.0.113.2", "ada@example.com").await.code(), "invalid-credentials");
    assert_eq!(login(&service, "203.0.113.1", "bob@example.com").await.code(), "invalid-credentials");
}

#[tokio::test]
async fn one_account_cannot_be_tried_from_everywhere() {
    let service = Service::with(|config| {
        config.server.trusted_proxies = vec!["127.0.0.0/8".into()];
        config.rate_limits.login = 1;
    })
    .await;
    for last in 1..=5 {
        let answer = login(&service, &format!("203.0.113.{last}"), "ada@example.com").await;
        assert_eq!(answer.code(), "invalid-credentials");
    }
    assert_eq!(login(&service, "203.0.113.6", "ada@example.com").await.code(), "rate-limited");
}

#[tokio::test]
async fn a_refused_attempt_does_not_prolong_the_wait() {
    let service = Service::with(|config| {
        config.rate_limits.login = 1;
        config.rate_limits.window = std::time::Duration::from_secs(1);
    })
    .await;
    assert_eq!(login(&service, "", "ada@example.com").await.code(), "invalid-credentials");
    let begun = std::time::Instant::now();
    while login(&service, "", "ada@example.com").await.code() == "rate-limited" {
        assert!(begun.elapsed() < std::time::Duration::from_secs(10), "the window never ends");
    }
}
