//! From an event trigger's webhook to the event bus, and back out as history.

use axum::http::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{ACTION_SECRET, Answer, Service};

const SECRET: (&str, &str) = ("x-northstack-action-secret", ACTION_SECRET);

fn delivery(id: Uuid, row: Value) -> Value {
    json!({
        "id": id,
        "created_at": "2026-11-21T21:02:59.418862",
        "delivery_info": { "current_retry": 0, "max_retries": 2 },
        "trigger": { "name": "stores" },
        "table": { "schema": "public", "name": "stores" },
        "event": {
            "op": "INSERT",
            "data": { "old": null, "new": row },
            "session_variables": { "x-hasura-role": "user" },
            "trace_context": null
        }
    })
}

async fn ask(service: &Service, session: &[(&str, &str)], query: &str, variables: Value) -> Answer {
    let headers = [&[SECRET], session].concat();
    service.post("/graphql", &headers, &json!({ "query": query, "variables": variables })).await
}

const HISTORY: &str = "query ($subject: String!, $limit: Int! = 100) {
  eventHistory(subject: $subject, limit: $limit) { id type subject timestamp data correlationId stream sequence }
}";

#[tokio::test]
async fn a_row_change_becomes_one_event_however_often_it_is_delivered() {
    let service = Service::start().await;
    let (event, store) = (Uuid::new_v4(), Uuid::new_v4());
    let body = delivery(event, json!({ "id": store, "status": "provisioning" }));
    for _ in 0..3 {
        let answer = service.post("/events/stores", &[SECRET], &body).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    }
    let admin = [("x-hasura-role", "admin")];
    let answer = ask(&service, &admin, HISTORY, json!({ "subject": format!("store.*.{store}") })).await;
    let found = answer.json()["data"]["eventHistory"].as_array().unwrap().clone();
    assert_eq!(found.len(), 1, "{}", answer.text);
    assert_eq!(found[0]["id"], json!(event));
    assert_eq!(found[0]["type"], "store.created");
    assert_eq!(found[0]["data"]["row"]["id"], json!(store));
    assert_eq!((&found[0]["stream"], &found[0]["correlationId"]), (&json!("APPLICATIONS"), &json!(event)));

    for wrong in [json!({}), json!({ "id": "x" }), delivery(event, Value::Null)] {
        let refused = service.post("/events/stores", &[SECRET], &wrong).await;
        assert_eq!((refused.status, refused.code().as_str()), (StatusCode::UNPROCESSABLE_ENTITY, "invalid-input"));
    }
}

#[tokio::test]
async fn a_user_sees_the_events_of_their_own_teams_alone() {
    let service = Service::start().await;
    let ada = service.register("ada@example.com").await;
    let bob = service.register("bob@example.com").await;
    let team = service.app.tokens.verify(ada["accessToken"].as_str().unwrap()).unwrap().teams[0].id;
    let (event, store) = (Uuid::new_v4(), Uuid::new_v4());
    let body = delivery(event, json!({ "id": store, "team_id": team, "status": "ready" }));
    assert_eq!(service.post("/events/stores", &[SECRET], &body).await.status, StatusCode::OK);
    // As the bridge writes it.
    sqlx::query(
        "insert into platform_events (id, sequence, stream, stream_sequence, subject, type, source, team_id, occurred_at)
         values ($1, 1, 'APPLICATIONS', 1, 's', 't', 'northstack', $2, now())",
    )
    .bind(event)
    .bind(team)
    .execute(service.app.db.pool())
    .await
    .unwrap();

    let seen = async |user: &Value| {
        let session = [("x-hasura-role", "user"), ("x-hasura-user-id", user["userId"].as_str().unwrap())];
        let answer = ask(&service, &session, HISTORY, json!({ "subject": format!("store.*.{store}") })).await;
        answer.json()["data"]["eventHistory"].as_array().unwrap().len()
    };
    assert_eq!((seen(&ada).await, seen(&bob).await), (1, 0));
    for session in [&[][..], &[("x-hasura-role", "anonymous")]] {
        let answer = ask(&service, session, HISTORY, json!({ "subject": ">" })).await;
        assert_eq!(answer.json()["errors"][0]["extensions"]["code"], "unauthenticated");
    }
}

#[tokio::test]
async fn questions_are_limited_and_errors_name_the_argument() {
    let service = Service::start().await;
    let admin = [("x-hasura-role", "admin")];
    for (variables, field) in [
        (json!({ "subject": "a b" }), "subject"),
        (json!({ "subject": ">", "limit": 1001 }), "limit"),
        (json!({ "subject": ">", "limit": -1 }), "limit"),
    ] {
        let error = ask(&service, &admin, HISTORY, variables).await.json()["errors"][0].clone();
        assert_eq!(error["extensions"], json!({ "code": "invalid-input", "field": field }));
    }
    let many = (0..3_000).map(|i| format!("a{i}: platformHealth {{ status }}")).collect::<Vec<_>>().join(" ");
    let refused = ask(&service, &admin, &format!("{{ {many} }}"), json!({})).await;
    assert!(refused.json()["errors"][0]["message"].as_str().unwrap().contains("complex"), "{}", refused.text);
    assert_eq!(
        service.post("/graphql", &[], &json!({ "query": "{ __typename }" })).await.status,
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn the_platforms_health_is_part_of_the_graph() {
    let service = Service::start().await;
    let answer =
        ask(&service, &[], "{ platformHealth { status parts { name status milliseconds } } }", json!({})).await;
    let health = answer.json()["data"]["platformHealth"].clone();
    assert_eq!(health["status"], "OK", "{}", answer.text);
    let names: Vec<_> = health["parts"].as_array().unwrap().iter().map(|part| part["name"].clone()).collect();
    assert_eq!(names, ["database", "cache", "events"]);
}

#[tokio::test]
async fn events_of_others_take_no_room_and_no_column_is_shown_that_is_hidden() {
    let service = Service::start().await;
    let ada = service.register("ada@example.com").await;
    let bob = service.register("bob@example.com").await;
    let team = |user: &Value| service.app.tokens.verify(user["accessToken"].as_str().unwrap()).unwrap().teams[0].id;
    let (own, other) = (team(&ada), team(&bob));
    let mut sequence = 0;
    let mut tell = async |id: Uuid, team: Uuid, row: Value| {
        let mut body = delivery(id, row);
        body["table"]["name"] = json!("operations");
        assert_eq!(service.post("/events/operations", &[SECRET], &body).await.status, StatusCode::OK);
        sequence += 1;
        sqlx::query(
            "insert into platform_events (id, sequence, stream, stream_sequence, subject, type, source, team_id, occurred_at)
             values ($1, $2, 'APPLICATIONS', $2, 's', 't', 'northstack', $3, now())",
        )
        .bind(id)
        .bind(i64::from(sequence))
        .bind(team)
        .execute(service.app.db.pool())
        .await
        .unwrap();
    };
    let subject = Uuid::new_v4();
    let row = |team: Uuid| {
        json!({ "id": Uuid::new_v4(), "team_id": team, "subject_type": "store", "subject_id": subject, "status": "running",
            "input": { "image": "x" }, "output": { "a": 1 }, "lease_holder": "vm/1", "idempotency_key": "k" })
    };
    for _ in 0..40 {
        tell(Uuid::new_v4(), other, row(other)).await;
    }
    for _ in 0..3 {
        tell(Uuid::new_v4(), own, row(own)).await;
    }
    let id = ada["userId"].as_str().unwrap();
    let session = [("x-hasura-role", "user"), ("x-hasura-user-id", id)];
    let variables = json!({ "subject": format!("store.operation.*.{subject}"), "limit": 2 });
    let answer = ask(&service, &session, HISTORY, variables).await;
    let found = answer.json()["data"]["eventHistory"].as_array().unwrap().clone();
    assert_eq!(found.len(), 2, "{}", answer.text);
    for event in found {
        let mut columns: Vec<&str> = event["data"]["row"].as_object().unwrap().keys().map(String::as_str).collect();
        columns.sort_unstable();
        assert_eq!(columns, ["id", "status", "subject_id", "subject_type", "team_id"]);
    }
}

#[tokio::test]
async fn a_row_of_more_than_the_public_limit_reaches_the_bus() {
    let service = Service::start().await;
    let record = Uuid::new_v4();
    let mut body = delivery(
        Uuid::new_v4(),
        json!({ "id": record, "resource_type": "teams", "action": "update", "resource_id": record, "hash": "00",
            "before": { "x": "b".repeat(900_000) }, "after": { "x": "a".repeat(900_000) } }),
    );
    body["table"]["name"] = json!("audit_logs");
    let answer = service.post("/events/audit_logs", &[SECRET], &body).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let admin = [("x-hasura-role", "admin")];
    let answer = ask(&service, &admin, HISTORY, json!({ "subject": format!("audit.*.*.{record}") })).await;
    let found = answer.json()["data"]["eventHistory"][0]["data"].clone();
    assert_eq!(found["row"]["id"], json!(record), "{}", answer.text.len());
    assert_eq!(found["omitted"].as_array().map(Vec::len), Some(2), "{found}");
}
