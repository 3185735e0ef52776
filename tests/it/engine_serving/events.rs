//! Event triggers: capture in the change's transaction, delivery, retries, order.

use std::time::Duration;

use serde_json::{Value, json};

use super::service::{Reply, Service};
use super::{Rig, SECRET, Setup, empty_metadata};

const SQL: &str = "create table deployments (id int primary key, status text not null default 'queued', config json);\
    create table silent (id int);";

fn metadata(retries: Value) -> Value {
    let mut metadata = empty_metadata();
    metadata["sources"][0]["tables"] = json!([
        {"table": {"name": "deployments", "schema": "public"}, "event_triggers": [{
            "name": "deployments_changed",
            "definition": {
                "enable_manual": true, "insert": {"columns": "*"}, "delete": {"columns": "*"},
                "update": {"columns": ["status"]},
            },
            "retry_conf": retries,
            "webhook": "{{SERVICE}}/events/deployments",
            "headers": [
                {"name": "X-Event-Secret", "value_from_env": "EVENT_SECRET"},
                {"name": "X-Static", "value": "static value"},
            ],
        }]},
        {"table": {"name": "silent", "schema": "public"}},
    ]);
    metadata
}

async fn rig(service: &Service, retries: Value) -> Rig {
    Rig::start(Setup {
        sql: SQL,
        metadata: Some(metadata(retries)),
        env: vec![("SERVICE", service.url()), ("EVENT_SECRET", "event-secret".to_owned())],
        ..Setup::default()
    })
    .await
}

async fn sql(rig: &Rig, sql: &'static str) {
    sqlx::raw_sql(sql).execute(&rig.pool).await.unwrap();
}

/// `(delivered, error, tries)` of all events, oldest first, once none is under way.
async fn settled(rig: &Rig) -> Vec<(bool, bool, i32)> {
    rig.events_settle().await;
    sqlx::query_as("select delivered, error, tries from hdb_catalog.event_log order by sequence")
        .fetch_all(&rig.pool)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_change_is_delivered_with_the_recorded_payload() {
    let service = Service::start().await;
    let rig = rig(&service, json!({"num_retries": 2, "interval_sec": 1, "timeout_sec": 2})).await;
    let answer = rig
        .send(
            "POST",
            "/v1/graphql",
            &[("x-hasura-admin-secret", SECRET), ("x-hasura-role", "admin"), ("x-hasura-extra", "e")],
            Some(
                json!({"query": "mutation { insert_deployments_one(object: {id: 1, config: {a: 1}}) { id } }"})
                    .to_string(),
            ),
        )
        .await
        .1;
    assert_eq!(answer, json!({"data": {"insert_deployments_one": {"id": 1}}}));
    let received = service.wait_for(1).await;
    let delivery = &received[0];
    assert_eq!(delivery.path, "/events/deployments");
    for (name, value) in [
        ("content-type", "application/json"),
        ("user-agent", "hasura-graphql-engine/v2.48.16"),
        ("x-event-secret", "event-secret"),
        ("x-static", "static value"),
    ] {
        assert_eq!(delivery.headers[name], value);
    }
    let mut body = delivery.body.clone();
    let id = body["id"].take();
    let created_at = body["created_at"].take();
    let trace = body["event"]["trace_context"].take();
    assert_eq!(
        body,
        json!({
            "created_at": null,
            "delivery_info": {"current_retry": 0, "max_retries": 2},
            "event": {
                "data": {"new": {"id": 1, "status": "queued", "config": {"a": 1}}, "old": null},
                "op": "INSERT",
                "session_variables": {"x-hasura-extra": "e", "x-hasura-role": "admin"},
                "trace_context": null,
            },
            "id": null,
            "table": {"name": "deployments", "schema": "public"},
            "trigger": {"name": "deployments_changed"},
        })
    );
    assert!(id.as_str().is_some_and(|id| id.len() == 36), "{id}");
    let length = |key: &str| trace[key].as_str().map(str::len);
    assert_eq!((length("trace_id"), length("span_id"), &trace["sampling_state"]), (Some(32), Some(16), &json!("1")));
    assert!(created_at.as_str().is_some_and(|at| at.contains('T') && !at.contains(['Z', '+'])), "{created_at}");
    assert_eq!(settled(&rig).await, [(true, false, 1)]);
    let log: Value =
        sqlx::query_scalar("select request from hdb_catalog.event_invocation_logs").fetch_one(&rig.pool).await.unwrap();
    assert!(!log.to_string().contains("event-secret"), "a secret from the environment is not logged: {log}");
}

#[tokio::test]
async fn only_the_listed_changes_are_captured_and_only_when_committed() {
    let service = Service::start().await;
    let rig = rig(&service, json!({"num_retries": 0, "interval_sec": 1, "timeout_sec": 2})).await;
    sql(&rig, "insert into deployments (id) values (1)").await;
    sql(&rig, "update deployments set config = '{}' where id = 1").await;
    sql(&rig, "update deployments set status = 'queued' where id = 1").await;
    sql(&rig, "begin; update deployments set status = 'failed' where id = 1; rollback").await;
    sql(&rig, "insert into silent values (1)").await;
    sql(&rig, "update deployments set status = 'running' where id = 1").await;
    sql(&rig, "delete from deployments where id = 1").await;
    let received = service.wait_for(3).await;
    let told: Vec<(Value, Value, Value)> = received
        .iter()
        .map(|one| {
            let event = &one.body["event"];
            (event["op"].clone(), event["data"]["old"]["status"].clone(), event["data"]["new"]["status"].clone())
        })
        .collect();
    assert_eq!(
        told,
        [
            (json!("INSERT"), Value::Null, json!("queued")),
            (json!("UPDATE"), json!("queued"), json!("running")),
            (json!("DELETE"), json!("running"), Value::Null),
        ]
    );
    assert_eq!(settled(&rig).await.len(), 3);
}

#[tokio::test]
async fn what_an_admin_changes_by_sql_says_so() {
    let service = Service::start().await;
    let rig = rig(&service, json!({"num_retries": 0, "interval_sec": 1, "timeout_sec": 2})).await;
    for (id, headers) in [(1, vec![]), (2, vec![("x-hasura-user-id", "7")])] {
        let headers = [vec![("x-hasura-admin-secret", SECRET)], headers].concat();
        let sql = format!("insert into deployments (id) values ({id})");
        let body = json!({"type": "run_sql", "args": {"source": "default", "sql": sql}});
        let (status, answer) = rig.send("POST", "/v2/query", &headers, Some(body.to_string())).await;
        assert_eq!(status, 200, "{answer}");
    }
    rig.command(json!({"type": "pg_invoke_event_trigger", "args": {
        "source": "default", "name": "deployments_changed", "payload": {"id": 3}}}))
        .await;
    let received = service.wait_for(3).await;
    let session = |id: i64| {
        let of_row = |one: &&super::service::Received| one.body["event"]["data"]["new"]["id"] == json!(id);
        received.iter().find(of_row).unwrap().body["event"]["session_variables"].clone()
    };
    assert_eq!(session(1), json!({"x-hasura-role": "admin"}));
    assert_eq!(session(2), json!({"x-hasura-role": "admin", "x-hasura-user-id": "7"}));
    let traces: std::collections::BTreeSet<String> =
        received.iter().map(|one| one.body["event"]["trace_context"]["trace_id"].to_string()).collect();
    assert_eq!(traces.len(), 3, "each change is a trace of its own: {traces:?}");
    sql(&rig, "update deployments set status = 'running' where id = 1").await;
    assert_eq!(service.wait_for(4).await[3].body["event"]["session_variables"], Value::Null, "not through the engine");
}

#[tokio::test]
async fn failures_are_retried_and_then_given_up() {
    let service = Service::start().await;
    service.reply([Reply::new(500, "no"), Reply::new(503, "no"), Reply::new(500, "no")]);
    let rig = rig(&service, json!({"num_retries": 2, "interval_sec": 1, "timeout_sec": 2})).await;
    sql(&rig, "insert into deployments (id) values (1)").await;
    let received = service.wait_for(3).await;
    let retries: Vec<Value> = received.iter().map(|one| one.body["delivery_info"]["current_retry"].clone()).collect();
    assert_eq!(retries, [json!(0), json!(1), json!(2)]);
    assert!(received.iter().all(|one| one.body["id"] == received[0].body["id"]), "an event keeps its id");
    let pause = received[1].at - received[0].at;
    assert!(pause >= Duration::from_millis(900) && pause < Duration::from_secs(4), "{pause:?}");
    assert_eq!(settled(&rig).await, [(false, true, 3)]);
    let redelivered = received[0].body["id"].clone();
    rig.command(json!({"type": "pg_redeliver_event", "args": {"source": "default", "event_id": redelivered}})).await;
    assert_eq!(service.wait_for(4).await[3].body["id"], redelivered);
    assert_eq!(settled(&rig).await, [(true, false, 1)]);
}

#[tokio::test]
async fn retry_after_forces_a_try_even_when_none_is_left() {
    let service = Service::start().await;
    service.reply([Reply::new(429, "slow down").with("retry-after", "1")]);
    let rig = rig(&service, json!({"num_retries": 0, "interval_sec": 60, "timeout_sec": 2})).await;
    sql(&rig, "insert into deployments (id) values (1)").await;
    service.wait_for(2).await;
    assert_eq!(settled(&rig).await, [(true, false, 2)]);
}

#[tokio::test]
async fn a_slow_receiver_is_timed_out() {
    let service = Service::start().await;
    service.reply([Reply { after: Duration::from_secs(3), ..Reply::new(200, "{}") }]);
    let rig = rig(&service, json!({"num_retries": 1, "interval_sec": 0, "timeout_sec": 1})).await;
    sql(&rig, "insert into deployments (id) values (1)").await;
    service.wait_for(2).await;
    assert_eq!(settled(&rig).await, [(true, false, 2)]);
    let response: Value =
        sqlx::query_scalar("select response from hdb_catalog.event_invocation_logs where status = 500")
            .fetch_one(&rig.pool)
            .await
            .unwrap();
    assert_eq!(
        response["data"]["message"],
        "\"Event Trigger \\\"deployments_changed\\\" timed out while processing.\""
    );
}

#[tokio::test]
async fn the_events_of_one_row_stay_in_order_behind_a_failure() {
    let service = Service::start().await;
    service.reply([Reply::new(500, "no")]);
    let rig = rig(&service, json!({"num_retries": 3, "interval_sec": 1, "timeout_sec": 2})).await;
    sql(&rig, "insert into deployments (id) values (1)").await;
    service.wait_for(1).await;
    sql(&rig, "update deployments set status = 'a' where id = 1; update deployments set status = 'b' where id = 1")
        .await;
    sql(&rig, "insert into deployments (id) values (2)").await;
    let received = service.wait_for(5).await;
    let of_row = |id: i64| -> Vec<Value> {
        received
            .iter()
            .filter(|one| one.body["event"]["data"]["new"]["id"] == json!(id))
            .map(|one| one.body["event"]["data"]["new"]["status"].clone())
            .collect()
    };
    assert_eq!(of_row(1), [json!("queued"), json!("queued"), json!("a"), json!("b")]);
    let other = received.iter().position(|one| one.body["event"]["data"]["new"]["id"] == json!(2)).unwrap();
    assert_eq!(other, 1, "another row does not wait");
}

#[tokio::test]
async fn a_row_with_a_long_queue_holds_up_no_other() {
    let service = Service::start().await;
    service.reply([Reply::new(500, "no")]);
    let rig = rig(&service, json!({"num_retries": 1, "interval_sec": 3600, "timeout_sec": 2})).await;
    sql(&rig, "insert into deployments (id) values (1)").await;
    service.wait_for(1).await;
    let queue =
        "do $$ begin for i in 1..1200 loop update deployments set status = i::text where id = 1; end loop; end $$";
    sql(&rig, queue).await;
    sql(&rig, "insert into deployments (id) values (2)").await;
    let received = service.wait_for(2).await;
    assert_eq!(received[1].body["event"]["data"]["new"]["id"], json!(2));
}

#[tokio::test]
async fn a_burst_is_delivered_once_each() {
    let service = Service::start().await;
    let rig = rig(&service, json!({"num_retries": 0, "interval_sec": 1, "timeout_sec": 10})).await;
    sql(&rig, "insert into deployments (id) select generate_series(1, 500)").await;
    let received = service.wait_for(500).await;
    let mut ids: Vec<String> = received.iter().map(|one| one.body["id"].to_string()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 500);
    assert!(settled(&rig).await.iter().all(|state| *state == (true, false, 1)));
}

#[tokio::test]
async fn a_second_engine_does_not_deliver_again() {
    let service = Service::start().await;
    let retries = json!({"num_retries": 0, "interval_sec": 1, "timeout_sec": 10});
    let first = rig(&service, retries.clone()).await;
    let _second = Rig::over(
        first.pool.clone(),
        Setup {
            metadata: Some(metadata(retries)),
            env: vec![("SERVICE", service.url()), ("EVENT_SECRET", "event-secret".to_owned())],
            ..Setup::default()
        },
    )
    .await;
    sql(&first, "insert into deployments (id) select generate_series(1, 100)").await;
    assert!(settled(&first).await.iter().all(|state| *state == (true, false, 1)));
    assert_eq!(service.received().len(), 100);
}

#[tokio::test]
async fn events_are_invoked_by_hand_and_shown() {
    let service = Service::start().await;
    let rig = rig(&service, json!({"num_retries": 0, "interval_sec": 1, "timeout_sec": 2})).await;
    let args = json!({"source": "default", "name": "deployments_changed", "payload": {"why": "test"}});
    let answer = rig.command(json!({"type": "pg_invoke_event_trigger", "args": args})).await;
    let event = service.wait_for(1).await[0].body.clone();
    assert_eq!(event["id"], answer["event_id"]);
    assert_eq!((&event["event"]["op"], &event["event"]["data"]["new"]), (&json!("MANUAL"), &json!({"why": "test"})));
    assert_eq!(event["event"]["session_variables"], json!({"x-hasura-role": "admin"}));
    settled(&rig).await;
    let shown = rig
        .command(json!({"type": "pg_get_event_by_id", "args": {"source": "default", "event_id": answer["event_id"]}}))
        .await;
    assert_eq!((&shown["event"]["delivered"], &shown["invocations"][0]["http_status"]), (&json!(true), &json!(200)));
    let refused = rig
        .send(
            "POST",
            "/v1/metadata",
            &[("x-hasura-admin-secret", SECRET)],
            Some(json!({"type": "pg_invoke_event_trigger", "args": {"name": "nope", "payload": {}}}).to_string()),
        )
        .await;
    assert_eq!(
        refused,
        (400, json!({"error": "event trigger \"nope\" does not exist", "path": "$.args", "code": "not-exists"}))
    );
}

#[tokio::test]
async fn triggers_follow_the_metadata() {
    let service = Service::start().await;
    let rig = rig(&service, json!({"num_retries": 0, "interval_sec": 1, "timeout_sec": 2})).await;
    let count = async || -> i64 {
        sqlx::query_scalar("select count(*) from pg_trigger where tgname like 'notify_hasura%'")
            .fetch_one(&rig.pool)
            .await
            .unwrap()
    };
    assert_eq!(count().await, 3);
    rig.command(json!({"type": "pg_delete_event_trigger", "args": {"name": "deployments_changed"}})).await;
    assert_eq!(count().await, 0);
    rig.command(json!({"type": "pg_create_event_trigger", "args": {
        "name": "again", "table": "deployments", "webhook": "{{SERVICE}}/again", "insert": {"columns": "*"},
    }}))
    .await;
    sql(&rig, "insert into deployments (id) values (1)").await;
    assert_eq!(service.wait_for(1).await[0].path, "/again");
}
