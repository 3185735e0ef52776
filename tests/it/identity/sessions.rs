//! The life of a session, by action and by REST.

use std::collections::HashSet;
use std::time::Duration;

use axum::http::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Answer, Service};

const ANONYMOUS: &str = r#"{"x-hasura-role": "anonymous"}"#;

fn anonymous() -> Value {
    serde_json::from_str(ANONYMOUS).unwrap()
}

fn user(id: &Value) -> Value {
    json!({ "x-hasura-role": "user", "x-hasura-user-id": id })
}

#[tokio::test]
async fn somebody_registers_by_action_and_owns_a_team() {
    let service = Service::start().await;
    let input = json!({ "email": " Ada@Example.com ", "password": "correct horse battery", "name": "Ada Lovelace" });
    let answer = service.action("register", input.clone(), anonymous()).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let session = answer.json();
    assert_eq!(session["expiresIn"], 900);
    let cookie = answer.header("set-cookie");
    assert!(cookie.starts_with(&format!("northstack_refresh={};", session["refreshToken"].as_str().unwrap())));
    assert!(cookie.contains("; HttpOnly; SameSite=Strict") && cookie.contains("Path=/") && !cookie.contains("Secure"));

    let claims = service.app.tokens.verify(session["accessToken"].as_str().unwrap()).unwrap();
    assert_eq!((claims.email.as_str(), claims.roles.as_slice()), ("ada@example.com", &["user".to_owned()][..]));
    assert_eq!(claims.teams.len(), 1);
    assert_eq!(claims.teams[0].role, "owner");

    let me = service.action("me", json!({}), user(&session["userId"])).await.json();
    assert_eq!(
        me,
        json!({ "id": session["userId"], "email": "ada@example.com", "name": "Ada Lovelace", "role": "user" })
    );
    assert_eq!(service.action("register", input, anonymous()).await.code(), "already-exists");

    let audited: Vec<(String, String, Option<uuid::Uuid>)> =
        sqlx::query_as("select action, resource_type, actor_id from audit_logs order by created_at")
            .fetch_all(service.app.db.pool())
            .await
            .unwrap();
    for table in ["users", "teams", "team_members"] {
        assert!(
            audited.iter().any(|(action, resource, actor)| {
                action == "insert" && resource == table && actor.map(|id| json!(id)) == Some(session["userId"].clone())
            }),
            "{table}: {audited:?}"
        );
    }
}

#[tokio::test]
async fn wrong_input_is_refused_by_its_field() {
    let service = Service::start().await;
    let sound = json!({ "email": "ada@example.com", "password": "correct horse battery", "name": "Ada" });
    for (field, value) in [
        ("email", json!("ada")),
        ("email", json!(7)),
        ("email", json!("ada@example.com\u{0}")),
        ("password", json!("short")),
        ("password", json!("x".repeat(129))),
        ("password", json!("password123")),
        ("password", json!("ada@example.com")),
        ("password", json!(" ".repeat(12))),
        ("name", json!("  ")),
        ("name", json!("a\u{0}b")),
        ("name", Value::Null),
    ] {
        let mut input = sound.clone();
        input[field] = value.clone();
        let answer = service.action("register", input.clone(), anonymous()).await;
        assert!(answer.status.is_client_error());
        assert_eq!(answer.json()["extensions"], json!({ "code": "invalid-input", "field": field }), "{value}");
        let answer = service.post("/api/v1/auth/register", &[], &input).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(answer.json()["error"]["details"][field].is_string(), "{}", answer.text);
    }
    let missing = service.action("login", json!({ "email": "ada@example.com" }), anonymous()).await;
    assert_eq!(missing.json()["extensions"]["field"], "password");
    for envelope in [
        json!({}),
        json!([]),
        json!({ "input": {} }),
        json!({ "input": {}, "session_variables": { "x-hasura-role": 1 } }),
    ] {
        let secret = [("x-northstack-action-secret", crate::support::ACTION_SECRET)];
        let answer = service.post("/actions/login", &secret, &envelope).await;
        assert_eq!(answer.code(), "invalid-input", "{envelope}");
    }
}

#[tokio::test]
async fn a_login_does_not_tell_whether_the_address_is_known() {
    let service = Service::start().await;
    service.register("ada@example.com").await;
    let login = async |email: &str, password: &str| {
        service.post("/api/v1/auth/login", &[], &json!({ "email": email, "password": password })).await
    };
    let right = login("ADA@example.com", "correct horse battery").await;
    assert_eq!(right.status, StatusCode::OK, "{}", right.text);
    let known = login("ada@example.com", "incorrect horse battery").await;
    let unknown = login("bob@example.com", "incorrect horse battery").await;
    assert_eq!((known.status, &known.text), (unknown.status, &unknown.text));
    assert_eq!((known.status, known.code().as_str()), (StatusCode::UNAUTHORIZED, "invalid-credentials"));
    let refused: Vec<(Option<Uuid>, bool)> = sqlx::query_as(
        "select actor_id, resource_id in (select id from users) from audit_logs
         where action = 'login-refused' order by created_at",
    )
    .fetch_all(service.app.db.pool())
    .await
    .unwrap();
    assert_eq!(refused, [(None, true), (None, false)], "both are in the audit trail");

    // Somebody who signs in elsewhere has no password here, and nobody who is deleted signs in.
    let pool = service.app.db.pool();
    sqlx::query("update users set password_hash = null").execute(pool).await.unwrap();
    assert_eq!(login("ada@example.com", "correct horse battery").await.text, known.text);
    sqlx::query("update users set deleted_at = now()").execute(pool).await.unwrap();
    assert_eq!(login("ada@example.com", "correct horse battery").await.text, known.text);
}

async fn refresh(service: &Service, token: &Value) -> Answer {
    service.action("refreshToken", json!({ "refreshToken": token }), anonymous()).await
}

/// The successor of a refresh token that is still good.
async fn next(service: &Service, token: &Value) -> Value {
    let answer = refresh(service, token).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    answer.json()["refreshToken"].clone()
}

async fn noted_reuses(service: &Service) -> i64 {
    let noted = sqlx::query_scalar("select count(*) from audit_logs where action = 'refresh-token-reused'");
    noted.fetch_one(service.app.db.pool()).await.unwrap()
}

#[tokio::test]
async fn a_refresh_token_works_once_and_its_later_use_ends_the_session() {
    let grace = Duration::from_millis(200);
    let service = Service::with(|config| config.auth.refresh_reuse_grace = grace).await;
    let session = service.register("ada@example.com").await;
    let first = session["refreshToken"].clone();
    let second = next(&service, &first).await;
    let third = next(&service, &second).await;
    assert!(third.is_string() && third != second && second != first);

    // What is tried is that the grace ends, however much later.
    tokio::time::sleep(grace + Duration::from_millis(1)).await;
    assert_eq!(refresh(&service, &first).await.code(), "invalid-token");
    let ended = refresh(&service, &third).await;
    assert_eq!(ended.code(), "invalid-token", "the thief's token has ended with the owner's");
    assert_eq!(noted_reuses(&service).await, 1);
}

#[tokio::test]
async fn a_token_used_a_moment_ago_leads_to_the_same_session() {
    let service = Service::start().await;
    let session = service.register("ada@example.com").await;
    let first = session["refreshToken"].clone();
    let second = next(&service, &first).await;
    assert_eq!(next(&service, &first).await, second, "an answer may be lost and asked for again");
    let third = next(&service, &second).await;
    assert_eq!(next(&service, &first).await, third, "also when the session has gone on since");
    assert_eq!(next(&service, &second).await, third);
    let fourth = next(&service, &third).await;
    assert!(![&first, &second, &third].contains(&&fourth));
    assert_eq!(noted_reuses(&service).await, 0);

    // The grace is for tokens of the family alone, and ends with it.
    let other = service.register("bob@example.com").await["refreshToken"].clone();
    assert_ne!(next(&service, &other).await, fourth);
    service.action("logout", json!({ "refreshToken": fourth }), anonymous()).await;
    for token in [&first, &second, &third, &fourth] {
        assert_eq!(refresh(&service, token).await.code(), "invalid-token");
    }
}

#[tokio::test]
async fn of_many_at_once_all_get_one_session() {
    let service = Service::start().await;
    let session = service.register("ada@example.com").await;
    let body = json!({ "refreshToken": session["refreshToken"] });
    let answers = futures::future::join_all((0..8).map(|_| service.post("/api/v1/auth/refresh", &[], &body))).await;
    let tokens: HashSet<String> = answers
        .iter()
        .inspect(|answer| assert_eq!(answer.status, StatusCode::OK, "{}", answer.text))
        .map(|answer| answer.json()["data"]["refreshToken"].to_string())
        .collect();
    assert_eq!(tokens.len(), 1);
    let successor = answers[0].json()["data"]["refreshToken"].clone();
    assert_ne!(next(&service, &successor).await, successor);
}

#[tokio::test]
async fn without_a_grace_one_of_many_succeeds() {
    let service = Service::with(|config| config.auth.refresh_reuse_grace = Duration::ZERO).await;
    let session = service.register("ada@example.com").await;
    let body = json!({ "refreshToken": session["refreshToken"] });
    let answers = futures::future::join_all((0..8).map(|_| service.post("/api/v1/auth/refresh", &[], &body))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == StatusCode::OK).count(), 1);
}

#[tokio::test]
async fn the_cookie_stands_in_for_the_token() {
    let service = Service::start().await;
    let session = service.register("ada@example.com").await;
    let cookie = format!("theme=dark; northstack_refresh={}", session["refreshToken"].as_str().unwrap());
    let answer =
        service.action_with("refreshToken", json!({ "refreshToken": null }), anonymous(), &[("cookie", &cookie)]).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let cookie = answer.header("set-cookie").split(';').next().unwrap().to_owned();

    let rest = service
        .send(crate::support::request(
            axum::http::Method::POST,
            "/api/v1/auth/refresh",
            &[("cookie", &cookie)],
            String::new(),
        ))
        .await;
    assert_eq!(rest.status, StatusCode::OK, "{}", rest.text);
    let cookie = rest.header("set-cookie").split(';').next().unwrap().to_owned();

    let out = service.action_with("logout", json!({}), user(&session["userId"]), &[("cookie", &cookie)]).await;
    assert_eq!(out.json(), json!({ "success": true }));
    assert!(out.header("set-cookie").contains("Max-Age=0"));
    let again = service.action_with("refreshToken", json!({}), anonymous(), &[("cookie", &cookie)]).await;
    assert_eq!(again.code(), "invalid-token");
    assert_eq!(service.action("refreshToken", json!({}), anonymous()).await.code(), "unauthenticated");
    assert_eq!(service.action("logout", json!({}), anonymous()).await.json(), json!({ "success": true }));
}

#[tokio::test]
async fn a_page_gets_no_refresh_token_to_read() {
    let service = Service::start().await;
    let person = json!({ "email": "ada@example.com", "password": "correct horse battery", "name": "Ada Lovelace" });
    let login = json!({ "email": "ada@example.com", "password": "correct horse battery" });
    let page = [("origin", "http://localhost:3001"), ("host", "localhost:3001")];
    let forwarded = [("x-forwarded-origin", "http://localhost:3001")];
    let mut answers = vec![
        service.post("/api/v1/auth/register", &page, &person).await,
        service.post("/api/v1/auth/login", &page, &login).await,
        service.action_with("login", login.clone(), anonymous(), &forwarded).await,
    ];
    let mut cookie = format!("northstack_refresh={}", answers[0].cookie("northstack_refresh").unwrap());
    answers.push(service.action_with("refreshToken", json!({}), anonymous(), &[("cookie", &cookie)]).await);
    cookie = format!("northstack_refresh={}", answers[3].cookie("northstack_refresh").unwrap());
    let renew = axum::http::Method::POST;
    let request = crate::support::request(renew, "/api/v1/auth/refresh", &[("cookie", &cookie)], String::new());
    answers.push(service.send(request).await);
    for answer in &answers {
        assert!(answer.status.is_success(), "{}", answer.text);
        let body = answer.json();
        let session = body.get("data").unwrap_or(&body);
        assert!(session["accessToken"].is_string() && session["refreshToken"].is_null(), "{}", answer.text);
        assert!(!answer.text.contains("nsr_") && answer.cookie("northstack_refresh").unwrap().starts_with("nsr_"));
    }
    // Whoever shows the token in the body keeps it there.
    let shown = service.post("/api/v1/auth/login", &[], &login).await.json()["data"]["refreshToken"].clone();
    let next = service.post("/api/v1/auth/refresh", &page, &json!({ "refreshToken": shown })).await;
    assert!(next.json()["data"]["refreshToken"].is_string(), "{}", next.text);
}

#[tokio::test]
async fn the_cookie_of_a_device_is_out_of_reach_and_stays_when_the_session_ends() {
    let service = Service::with(|config| config.auth.cookie_secure = true).await;
    let session = service.register("ada@example.com").await;
    let login = json!({ "email": "ada@example.com", "password": "correct horse battery" });
    let answer = service.post("/api/v1/auth/login", &[], &login).await;
    let cookies: Vec<&str> = answer.headers.get_all("set-cookie").iter().map(|it| it.to_str().unwrap()).collect();
    let device = cookies.iter().find(|cookie| cookie.starts_with("__Host-northstack_device=nsd_")).unwrap();
    assert!(device.ends_with("; Path=/; Max-Age=31536000; HttpOnly; SameSite=Strict; Secure"), "{device}");
    assert_eq!(cookies.len(), 2);
    let body = json!({ "refreshToken": session["refreshToken"] });
    for path in ["/api/v1/auth/refresh", "/api/v1/auth/logout"] {
        let answer = service.post(path, &[], &body).await;
        assert_eq!((answer.status, answer.cookie("__Host-northstack_device")), (StatusCode::OK, None), "{path}");
    }
}

#[tokio::test]
async fn over_https_no_other_host_of_the_domain_can_plant_the_cookie() {
    let service = Service::with(|config| config.auth.cookie_secure = true).await;
    let body = json!({ "email": "ada@example.com", "password": "correct horse battery", "name": "Ada Lovelace" });
    let session = service.post("/api/v1/auth/register", &[], &body).await;
    let token = session.json()["data"]["refreshToken"].as_str().unwrap().to_owned();
    let cookie = session.header("set-cookie");
    assert!(cookie.starts_with(&format!("__Host-northstack_refresh={token};")), "{cookie}");
    assert!(cookie.ends_with("; Secure") && cookie.contains("; Path=/;") && !cookie.contains("Domain"), "{cookie}");
    let planted = [("cookie", &*format!("northstack_refresh={token}"))];
    assert_eq!(service.action_with("refreshToken", json!({}), anonymous(), &planted).await.code(), "unauthenticated");
    let kept = [("cookie", &*format!("__Host-northstack_refresh={token}"))];
    assert_eq!(service.action_with("refreshToken", json!({}), anonymous(), &kept).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_deleted_user_can_neither_refresh_nor_be_found() {
    let service = Service::start().await;
    let session = service.register("ada@example.com").await;
    sqlx::query("update users set deleted_at = now()").execute(service.app.db.pool()).await.unwrap();
    let body = json!({ "refreshToken": session["refreshToken"] });
    assert_eq!(service.post("/api/v1/auth/refresh", &[], &body).await.code(), "invalid-token");
    assert_eq!(service.action("me", json!({}), user(&session["userId"])).await.code(), "unauthenticated");
    assert_eq!(service.action("me", json!({}), anonymous()).await.code(), "unauthenticated");
}

#[tokio::test]
async fn rest_tells_who_one_is() {
    let service = Service::start().await;
    let session = service.register("ada@example.com").await;
    let bearer = format!("Bearer {}", session["accessToken"].as_str().unwrap());
    let me = service.get("/api/v1/auth/me", &[("authorization", &bearer)]).await;
    assert_eq!(me.json()["data"]["email"], "ada@example.com");
    assert_eq!(me.json()["success"], true);
    let admin = [("authorization", bearer.as_str()), ("x-hasura-role", "admin")];
    assert_eq!(service.get("/api/v1/auth/me", &admin).await.code(), "forbidden");

    sqlx::query("update users set platform_role = 'admin'").execute(service.app.db.pool()).await.unwrap();
    let body = json!({ "email": "ada@example.com", "password": "correct horse battery" });
    let session = service.post("/api/v1/auth/login", &[], &body).await.json()["data"].clone();
    let bearer = format!("Bearer {}", session["accessToken"].as_str().unwrap());
    let admin = [("authorization", bearer.as_str()), ("x-hasura-role", "admin")];
    assert_eq!(service.get("/api/v1/auth/me", &admin).await.json()["data"]["role"], "admin");
}

#[tokio::test]
async fn registration_can_be_closed() {
    let service = Service::with(|config| config.auth.registration = false).await;
    let input = json!({ "email": "ada@example.com", "password": "correct horse battery", "name": "Ada" });
    assert_eq!(service.action("register", input.clone(), anonymous()).await.code(), "forbidden");
    let refused = service.post("/api/v1/auth/register", &[], &input).await;
    assert_eq!((refused.status, refused.code().as_str()), (StatusCode::FORBIDDEN, "forbidden"));
    let message = "registration is closed; ask an administrator for an account";
    assert_eq!(refused.json()["error"]["message"], message);
}

#[tokio::test]
async fn signing_out_ends_the_access_token_too() {
    let service = Service::start().await;
    let session = service.register("ada@example.com").await;
    let bearer = format!("Bearer {}", session["accessToken"].as_str().unwrap());
    let headers = [("authorization", bearer.as_str())];
    let graphql = json!({ "query": "{ __typename }" });
    assert_eq!(service.get("/api/v1/auth/me", &headers).await.status, StatusCode::OK);
    // The engine of this service has no routes: whatever reaches it is not found.
    assert_eq!(service.post("/v1/graphql", &headers, &graphql).await.status, StatusCode::NOT_FOUND);
    let again = json!({ "email": "ada@example.com", "password": "correct horse battery" });
    let other = service.post("/api/v1/auth/login", &[], &again).await.json();
    let other = other["data"]["accessToken"].as_str().unwrap().to_owned();

    let out = json!({ "refreshToken": session["refreshToken"] });
    assert_eq!(service.post("/api/v1/auth/logout", &[], &out).await.status, StatusCode::OK);
    let refused = service.get("/api/v1/auth/me", &headers).await;
    assert_eq!((refused.status, refused.code().as_str()), (StatusCode::UNAUTHORIZED, "invalid-token"));
    let refused = service.post("/v1/graphql", &headers, &graphql).await;
    assert_eq!(refused.json()["errors"][0]["extensions"]["code"], "invalid-jwt", "{}", refused.text);
    let refused = service.get("/api/rest/v1/projects", &headers).await;
    assert_eq!((refused.status, &refused.json()["code"]), (StatusCode::UNAUTHORIZED, &json!("invalid-jwt")));
    let other = format!("Bearer {other}");
    let still = service.get("/api/v1/auth/me", &[("authorization", other.as_str())]).await;
    assert_eq!(still.status, StatusCode::OK, "another session of the same person goes on");
}

#[tokio::test]
async fn a_token_stays_small_however_many_teams_its_person_belongs_to() {
    let service = Service::start().await;
    let session = service.register("ada@example.com").await;
    let teams =
        "with made as (insert into teams (name, slug) select 'T', 't-' || n from generate_series(1, 99) n returning id)
                 insert into team_members (team_id, user_id, role) select id, $1, 'viewer' from made";
    let user: uuid::Uuid = session["userId"].as_str().unwrap().parse().unwrap();
    let pool = service.app.db.pool();
    sqlx::query(teams).bind(user).execute(pool).await.unwrap();
    let login = json!({ "email": "ada@example.com", "password": "correct horse battery" });
    let answer = service.post("/api/v1/auth/login", &[], &login).await.json();
    let token = answer["data"]["accessToken"].as_str().unwrap();
    assert!(token.len() < 4096, "{}", token.len());
    // One more is one too many.
    let one = "insert into team_members (team_id, user_id) select id, $1 from teams where slug = 'more'";
    sqlx::query("insert into teams (name, slug) values ('More', 'more')").execute(pool).await.unwrap();
    let refused = sqlx::query(one).bind(user).execute(pool).await.unwrap_err().to_string();
    assert!(refused.contains("user_id: this person belongs to 100 teams"), "{refused}");
}
