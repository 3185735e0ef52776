//! Events as they come, as server-sent events.

use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::http::{Method, StatusCode};
use futures::StreamExt;
use northstack::http::router;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use uuid::Uuid;

use crate::support::{Service, request};

const PATH: &str = "/api/v1/events/stream";
const PATIENCE: Duration = Duration::from_secs(20);

/// A person with a team.
struct Person {
    bearer: String,
    id: Uuid,
    team: Uuid,
}

async fn person(service: &Service, email: &str) -> Person {
    let session = service.register(email).await;
    let id: Uuid = session["userId"].as_str().unwrap().parse().unwrap();
    let team = sqlx::query_scalar("select team_id from team_members where user_id = $1").bind(id);
    let team = team.fetch_one(service.app.db.pool()).await.unwrap();
    Person { bearer: format!("Bearer {}", session["accessToken"].as_str().unwrap()), id, team }
}

/// Writes events as the bridge does; each is of a team and a stream.
async fn write(service: &Service, events: &[(i64, &str, &str, Uuid)]) {
    for (sequence, stream, subject, team) in events {
        sqlx::query(
            "insert into platform_events
               (id, sequence, stream, stream_sequence, subject, type, source, team_id, data, correlation_id, occurred_at)
             values ($1, $2, $3, $2, $4, 'a.kind', 'test', $5, '{\"n\": 1}', 'c', now())",
        )
        .bind(Uuid::new_v4())
        .bind(sequence)
        .bind(stream)
        .bind(subject)
        .bind(team)
        .execute(service.app.db.pool())
        .await
        .unwrap();
    }
}

/// A stream that is read.
struct Open {
    body: BodyDataStream,
    text: String,
}

impl Open {
    async fn at(router: axum::Router, path: &str, headers: &[(&str, &str)]) -> Self {
        let response = router.oneshot(request(Method::GET, path, headers, String::new())).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "no-cache");
        Self { body: Body::into_data_stream(response.into_body()), text: String::new() }
    }

    /// The ids of the next events; what each says is looked at.
    async fn ids(&mut self, count: usize) -> Vec<i64> {
        let mut ids = Vec::new();
        while ids.len() < count {
            let Some((event, rest)) = self.text.split_once("\n\n") else {
                let more = tokio::time::timeout(PATIENCE, self.body.next()).await;
                let more = more.unwrap_or_else(|_| panic!("only {ids:?} came")).expect("it goes on").unwrap();
                self.text.push_str(std::str::from_utf8(&more).unwrap());
                continue;
            };
            let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
            if let (Some(id), Some(data)) = (field("id: "), field("data: ")) {
                let data: Value = serde_json::from_str(&data).unwrap();
                assert_eq!(data["sequence"].to_string(), id);
                assert_eq!((data["type"].as_str(), &data["data"]["n"]), (Some("a.kind"), &Value::from(1)), "{data}");
                ids.push(id.parse().unwrap());
            }
            self.text = rest.to_owned();
        }
        ids
    }

    /// Reads on until it ends; gives what still came.
    async fn rest(mut self) -> String {
        while let Some(more) = tokio::time::timeout(PATIENCE, self.body.next()).await.expect("it ends") {
            self.text.push_str(std::str::from_utf8(&more.unwrap()).unwrap());
        }
        self.text
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_sees_the_events_of_their_teams_and_administrators_the_audit_trail() {
    let service = Service::start().await;
    let (ada, bob) = (person(&service, "ada@example.com").await, person(&service, "bob@example.com").await);
    let join = "insert into team_members (team_id, user_id, role) values ($1, $2, 'developer')";
    sqlx::query(join).bind(ada.team).bind(bob.id).execute(service.app.db.pool()).await.unwrap();
    write(
        &service,
        &[
            (1, "DEPLOYMENTS", "deployment.started.a", ada.team),
            (2, "AUDIT", "audit.deploy.a", ada.team),
            (3, "DEPLOYMENTS", "deployment.started.b", bob.team),
            (4, "AUDIT", "audit.deploy.b", bob.team),
            (5, "DEPLOYMENTS", "deployment.running.a", ada.team),
        ],
    )
    .await;
    let from = async |person: &Person, path: &str| {
        let headers = [("authorization", person.bearer.as_str()), ("last-event-id", "0")];
        Open::at(service.router(), path, &headers).await
    };
    assert_eq!(from(&ada, PATH).await.ids(3).await, [1, 2, 5]);
    assert_eq!(from(&bob, PATH).await.ids(4).await, [1, 3, 4, 5]);
    assert_eq!(from(&ada, &format!("{PATH}?subject=deployment.*.a")).await.ids(2).await, [1, 5]);
    // Whoever is taken out of a team sees no more of it, on a stream that is open too.
    let mut open = from(&bob, PATH).await;
    assert_eq!(open.ids(4).await, [1, 3, 4, 5]);
    let leave = "update team_members set deleted_at = now() where team_id = $1 and user_id = $2";
    sqlx::query(leave).bind(ada.team).bind(bob.id).execute(service.app.db.pool()).await.unwrap();
    write(&service, &[(6, "ALERTS", "alert.raised.a", ada.team), (7, "ALERTS", "alert.raised.b", bob.team)]).await;
    assert_eq!(open.ids(1).await, [7]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_comes_again_misses_nothing_and_sees_nothing_twice() {
    let service = Service::start().await;
    let ada = person(&service, "ada@example.com").await;
    let subject = "deployment.started.a";
    write(&service, &[(1, "DEPLOYMENTS", subject, ada.team)]).await;
    let bearer = ("authorization", ada.bearer.as_str());
    let mut open = Open::at(service.router(), PATH, &[bearer]).await;
    write(&service, &[(2, "DEPLOYMENTS", subject, ada.team), (3, "DEPLOYMENTS", subject, ada.team)]).await;
    assert_eq!(open.ids(2).await, [2, 3], "without a place, what comes from then on");
    drop(open);
    let many: Vec<_> = (4..=500).map(|sequence| (sequence, "DEPLOYMENTS", subject, ada.team)).collect();
    write(&service, &many).await;
    let mut open = Open::at(service.router(), PATH, &[bearer, ("last-event-id", "3")]).await;
    assert_eq!(open.ids(497).await, (4..=500).collect::<Vec<_>>());
    let mut by_query = Open::at(service.router(), &format!("{PATH}?lastEventId=498"), &[bearer]).await;
    assert_eq!(by_query.ids(2).await, [499, 500]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_with_its_token_and_with_the_service() {
    let service = Service::with(|config| config.auth.access_token_ttl = Duration::from_secs(2)).await;
    let ada = person(&service, "ada@example.com").await;
    let headers = [("authorization", ada.bearer.as_str())];
    let text = Open::at(service.router(), PATH, &headers).await.rest().await;
    assert!(text.contains("retry: 1000"), "{text}");

    let service = Service::start().await;
    let ada = person(&service, "ada@example.com").await;
    let headers = [("authorization", ada.bearer.as_str())];
    let closing = CancellationToken::new();
    let open = Open::at(router(service.state().closing_with(closing.clone())), PATH, &headers).await;
    closing.cancel();
    open.rest().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_followed_is_refused_by_name() {
    let service = Service::start().await;
    let ada = person(&service, "ada@example.com").await;
    let bearer = ("authorization", ada.bearer.as_str());
    assert_eq!(service.get(PATH, &[]).await.status, StatusCode::UNAUTHORIZED);
    for (query, header, field) in [
        ("?subject=a*", "0", "subject"),
        ("", "x", "last-event-id"),
        ("", "-1", "last-event-id"),
        ("", "1", "last-event-id"),
        ("?subjects=a", "0", "query"),
    ] {
        let answer = service.get(&format!("{PATH}{query}"), &[bearer, ("last-event-id", header)]).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{query} {header}: {}", answer.text);
        assert!(answer.text.contains(field), "{query} {header}: {}", answer.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_user_holds_no_more_streams_than_they_may() {
    let service = Service::with(|config| config.server.streams_per_user = 2).await;
    let (ada, bob) = (person(&service, "ada@example.com").await, person(&service, "bob@example.com").await);
    let headers = [("authorization", ada.bearer.as_str())];
    let first = Open::at(service.router(), PATH, &headers).await;
    let _second = Open::at(service.router(), PATH, &headers).await;
    let third = service.get(PATH, &headers).await;
    assert_eq!((third.status, third.code().as_str()), (StatusCode::TOO_MANY_REQUESTS, "rate-limited"));
    Open::at(service.router(), PATH, &[("authorization", bob.bearer.as_str())]).await;
    drop(first);
    Open::at(service.router(), PATH, &headers).await;
}
