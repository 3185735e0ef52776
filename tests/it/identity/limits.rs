//! Guessing passwords is limited.

use axum::http::StatusCode;
use serde_json::json;

use crate::support::{Answer, Service};

const PASSWORD: &str = "correct horse battery";

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

async fn proxied(login: u32) -> Service {
    Service::with(|config| {
        config.server.trusted_proxies = vec!["127.0.0.1".into()];
        config.rate_limits.login = login;
    })
    .await
}

/// Signs in from an address, with a device cookie where one is given.
async fn sign_in(service: &Service, address: &str, email: &str, password: &str, device: Option<&str>) -> Answer {
    let cookie = format!("theme=dark; northstack_device={}", device.unwrap_or_default());
    let headers = [("x-forwarded-for", address), ("cookie", &*cookie)];
    service.post("/api/v1/auth/login", &headers, &json!({ "email": email, "password": password })).await
}

/// Registers somebody and signs them in once; gives the device cookie of that.
async fn known_device(service: &Service, email: &str) -> String {
    service.register(email).await;
    let answer = sign_in(service, "198.51.100.1", email, PASSWORD, None).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    answer.cookie("northstack_device").unwrap()
}

fn refused_with_a_time(answer: &Answer) {
    assert_eq!((answer.status, answer.code().as_str()), (StatusCode::TOO_MANY_REQUESTS, "rate-limited"));
    assert!((1..=60).contains(&answer.header("retry-after").parse::<u64>().unwrap()), "{:?}", answer.headers);
    assert_eq!(answer.header("x-ratelimit-remaining"), "0");
    assert_eq!(answer.header("x-ratelimit-reset"), answer.header("retry-after"));
}

#[tokio::test]
async fn a_known_device_signs_in_from_an_address_that_an_attacker_has_used_up() {
    let service = proxied(1).await;
    let device = known_device(&service, "ada@example.com").await;
    for victim in 1..=5 {
        let answer = login(&service, "203.0.113.1", &format!("victim{victim}@example.com")).await;
        assert_eq!(answer.code(), "invalid-credentials");
    }
    refused_with_a_time(&sign_in(&service, "203.0.113.1", "ada@example.com", PASSWORD, None).await);
    let known = sign_in(&service, "203.0.113.1", "ada@example.com", PASSWORD, Some(&device)).await;
    assert_eq!(known.status, StatusCode::OK, "{}", known.text);
    let next = known.cookie("northstack_device").unwrap();
    assert_ne!(next, device, "each sign-in gives a new one");
    let known = sign_in(&service, "203.0.113.1", "ada@example.com", PASSWORD, Some(&next)).await;
    assert_eq!(known.status, StatusCode::OK, "{}", known.text);
}

#[tokio::test]
async fn a_known_device_signs_in_to_an_account_that_seven_addresses_have_used_up() {
    let service = proxied(10).await;
    let device = known_device(&service, "ada@example.com").await;
    let mut failed = 0;
    for address in 1..=7 {
        for _ in 0..10 {
            failed +=
                usize::from(login(&service, &format!("203.0.113.{address}"), "ada@example.com").await.status == 401);
        }
    }
    assert_eq!(failed, 50);
    refused_with_a_time(&sign_in(&service, "198.51.100.9", "ada@example.com", PASSWORD, None).await);
    let known = sign_in(&service, "198.51.100.9", "ada@example.com", PASSWORD, Some(&device)).await;
    assert_eq!(known.status, StatusCode::OK, "{}", known.text);
    // By the action, as the portal and Hasura ask.
    let cookie = format!("northstack_device={device}");
    let input = json!({ "email": "ada@example.com", "password": PASSWORD });
    let anonymous = json!({ "x-hasura-role": "anonymous" });
    assert_eq!(service.action("login", input.clone(), anonymous.clone()).await.code(), "rate-limited");
    let known = service.action_with("login", input, anonymous, &[("cookie", &cookie)]).await;
    assert_eq!(known.status, StatusCode::OK, "{}", known.text);
    assert!(known.cookie("northstack_device").is_some() && known.cookie("northstack_refresh").is_some());
}

#[tokio::test]
async fn a_forged_device_and_another_users_are_worth_nothing() {
    let service = proxied(1).await;
    let (ada, bob) = (known_device(&service, "ada@example.com").await, known_device(&service, "bob@example.com").await);
    let foreign = known_device(&proxied(1).await, "ada@example.com").await;
    let mut forged = ada.clone();
    let other = if forged[10..11] == *"A" { "B" } else { "A" };
    forged.replace_range(10..11, other);
    assert_eq!(login(&service, "203.0.113.1", "ada@example.com").await.code(), "invalid-credentials");
    for device in [&*bob, &foreign, &forged, "nsd_", ""] {
        refused_with_a_time(&sign_in(&service, "203.0.113.1", "ada@example.com", PASSWORD, Some(device)).await);
    }
    let own = sign_in(&service, "203.0.113.1", "ada@example.com", PASSWORD, Some(&ada)).await;
    assert_eq!(own.status, StatusCode::OK, "{}", own.text);
}

#[tokio::test]
async fn a_device_has_a_limit_of_its_own_and_successes_are_free() {
    let service = proxied(2).await;
    let device = known_device(&service, "ada@example.com").await;
    let guess =
        async |password: &str| sign_in(&service, "203.0.113.1", "ada@example.com", password, Some(&device)).await;
    for _ in 0..4 {
        assert_eq!(guess(PASSWORD).await.status, StatusCode::OK);
    }
    for _ in 0..2 {
        assert_eq!(guess("incorrect horse battery").await.code(), "invalid-credentials");
    }
    refused_with_a_time(&guess(PASSWORD).await);
    // The stranger's limits are untouched by it, and successes cost them nothing either.
    for _ in 0..4 {
        let stranger = sign_in(&service, "203.0.113.1", "ada@example.com", PASSWORD, None).await;
        assert_eq!(stranger.status, StatusCode::OK, "{}", stranger.text);
    }
}

#[tokio::test]
async fn attempts_that_are_refused_cost_the_other_limits_nothing() {
    let service = proxied(1).await;
    for last in 1..=5 {
        login(&service, &format!("203.0.113.{last}"), "ada@example.com").await;
    }
    // Refused by the account's limit, again and again: the address may try another one still.
    for _ in 0..6 {
        refused_with_a_time(&login(&service, "203.0.113.9", "ada@example.com").await);
    }
    assert_eq!(login(&service, "203.0.113.9", "bob@example.com").await.code(), "invalid-credentials");
}

#[tokio::test]
async fn addresses_of_one_network_share_a_budget() {
    let service = proxied(1).await;
    for host in 1..=5 {
        let answer = login(&service, &format!("2001:db8:0:1::{host}"), &format!("victim{host}@example.com")).await;
        assert_eq!(answer.code(), "invalid-credentials");
    }
    refused_with_a_time(&login(&service, "2001:db8:0:1:ffff::6", "ada@example.com").await);
    assert_eq!(login(&service, "2001:db8:0:2::1", "ada@example.com").await.code(), "invalid-credentials");
}

#[tokio::test]
async fn registration_is_limited_by_network_whatever_it_answers() {
    let service = Service::with(|config| {
        config.server.trusted_proxies = vec!["127.0.0.1".into()];
        config.rate_limits.registrations = 3;
    })
    .await;
    let register = async |address: &str, email: &str| {
        let body = json!({ "email": email, "password": PASSWORD, "name": "Ada Lovelace" });
        service.post("/api/v1/auth/register", &[("x-forwarded-for", address)], &body).await
    };
    assert_eq!(register("2001:db8:0:1::1", "ada@example.com").await.status, StatusCode::CREATED);
    for alike in ["\u{ff41}da@example.com", "Ada\u{ff20}Example.COM"] {
        let known = register("2001:db8:0:1::2", alike).await;
        assert_eq!((known.status, known.code().as_str()), (StatusCode::CONFLICT, "already-exists"), "{alike}");
    }
    refused_with_a_time(&register("2001:db8:0:1::3", "bob@example.com").await);
    assert_eq!(register("2001:db8:0:2::1", "bob@example.com").await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn a_known_device_is_not_counted_with_the_requests_of_its_address() {
    let service = proxied(10).await;
    let device = known_device(&service, "ada@example.com").await;
    service.configure(|config| config.rate_limits.per_address = 3);
    for _ in 0..3 {
        assert_eq!(login(&service, "203.0.113.1", "bob@example.com").await.code(), "invalid-credentials");
    }
    refused_with_a_time(&sign_in(&service, "203.0.113.1", "ada@example.com", PASSWORD, None).await);
    for left in ["2", "1", "0"] {
        let known = sign_in(&service, "203.0.113.1", "ada@example.com", PASSWORD, Some(&device)).await;
        assert_eq!((known.status, known.header("x-ratelimit-remaining")), (StatusCode::OK, left), "{}", known.text);
    }
    // All cookies of one account have one limit.
    let next = sign_in(&service, "203.0.113.2", "ada@example.com", PASSWORD, None).await.cookie("northstack_device");
    refused_with_a_time(&sign_in(&service, "203.0.113.1", "ada@example.com", PASSWORD, next.as_deref()).await);
}
