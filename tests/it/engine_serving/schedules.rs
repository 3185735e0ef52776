//! Cron triggers and one-off scheduled events: written ahead, delivered once, tried again, given up.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use northstack::engine::schedule::ScheduleOptions;
use serde_json::{Value, json};
use sqlx::PgPool;
use time::OffsetDateTime;
use time::macros::datetime;

use super::service::{Reply, Service};
use super::{Rig, SECRET, Setup, empty_metadata};
use crate::support::empty_database;

/// A clock that a test sets.
#[derive(Clone)]
struct Clock(Arc<AtomicI64>);

impl Clock {
    fn at(moment: OffsetDateTime) -> Self {
        Self(Arc::new(AtomicI64::new(moment.unix_timestamp())))
    }

    fn set(&self, moment: OffsetDateTime) {
        self.0.store(moment.unix_timestamp(), Ordering::SeqCst);
    }

    fn options(&self) -> ScheduleOptions {
        let seconds = self.0.clone();
        ScheduleOptions {
            poll: Duration::from_millis(5),
            clock: Arc::new(move || OffsetDateTime::from_unix_timestamp(seconds.load(Ordering::SeqCst)).unwrap()),
        }
    }
}

const START: OffsetDateTime = datetime!(2026-11-21 20:59:30 UTC);

fn trigger() -> Value {
    json!({
        "name": "lease_sweep", "webhook": "{{SERVICE}}/cron/lease_sweep", "schedule": "* * * * *",
        "payload": {"batch": 10}, "comment": "every minute", "include_in_metadata": true,
        "headers": [{"name": "X-Event-Secret", "value_from_env": "EVENT_SECRET"}],
        "retry_conf": {
            "num_retries": 1, "retry_interval_seconds": 5, "timeout_seconds": 5, "tolerance_seconds": 21600,
        },
    })
}

fn metadata(triggers: Value) -> Value {
    let mut metadata = empty_metadata();
    metadata["cron_triggers"] = triggers;
    metadata
}

async fn rig_over(pool: PgPool, service: &Service, clock: &Clock, triggers: Value) -> Rig {
    let env = vec![("SERVICE", service.url()), ("EVENT_SECRET", "event-secret".to_owned())];
    let schedules = Some(clock.options());
    Rig::over(pool, Setup { metadata: Some(metadata(triggers)), env, schedules, ..Setup::default() }).await
}

async fn rig(service: &Service, clock: &Clock, triggers: Value) -> Rig {
    let pool = PgPool::connect_with(empty_database().await).await.unwrap();
    rig_over(pool, service, clock, triggers).await
}

/// `[status, tries]` of the events of a table that are not to come, by time, once none is under way or due.
async fn settled(rig: &Rig, table: &str, now: OffsetDateTime) -> Value {
    let open = format!(
        "select count(*) from hdb_catalog.{table} where status = 'locked' \
         or (status = 'scheduled' and coalesce(next_retry_at, scheduled_time) <= $1)"
    );
    let wait = async {
        while 0 < sqlx::query_scalar::<_, i64>(sqlx::AssertSqlSafe(open.clone()))
            .bind(now)
            .fetch_one(&rig.pool)
            .await
            .unwrap()
        {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), wait).await.expect("events settle in time");
    let rows = format!(
        "select coalesce(json_agg(json_build_array(status, tries) order by scheduled_time, created_at), '[]') \
         from hdb_catalog.{table} where scheduled_time <= $1"
    );
    sqlx::query_scalar(sqlx::AssertSqlSafe(rows)).bind(now).fetch_one(&rig.pool).await.unwrap()
}

async fn to_come(rig: &Rig) -> (i64, Option<OffsetDateTime>, Option<OffsetDateTime>) {
    sqlx::query_as(
        "select count(*), min(scheduled_time), max(scheduled_time) from hdb_catalog.hdb_cron_events \
         where status = 'scheduled' and tries = 0",
    )
    .fetch_one(&rig.pool)
    .await
    .unwrap()
}

async fn refused(rig: &Rig, ty: &str, args: Value) -> (u16, Value) {
    let body = json!({"type": ty, "args": args}).to_string();
    rig.send("POST", "/v1/metadata", &[("x-hasura-admin-secret", SECRET)], Some(body)).await
}

#[tokio::test]
async fn a_cron_trigger_fires_on_its_minute_with_the_recorded_payload() {
    let (service, clock) = (Service::start().await, Clock::at(START));
    let rig = rig(&service, &clock, json!([trigger()])).await;
    let (count, first, last) = to_come(&rig).await;
    assert_eq!(
        (count, first, last),
        (100, Some(datetime!(2026-11-21 21:00 UTC)), Some(datetime!(2026-11-21 22:39 UTC)))
    );
    assert!(service.received().is_empty());
    let now = datetime!(2026-11-21 21:00:01 UTC);
    clock.set(now);
    let delivery = service.wait_for(1).await.remove(0);
    assert_eq!((delivery.method.as_str(), delivery.path.as_str()), ("POST", "/cron/lease_sweep"));
    for (name, value) in [
        ("content-type", "application/json"),
        ("user-agent", "hasura-graphql-engine/v2.48.16"),
        ("x-event-secret", "event-secret"),
    ] {
        assert_eq!(delivery.headers[name], value);
    }
    assert_eq!(settled(&rig, "hdb_cron_events", now).await, json!([["delivered", 1]]));
    let id = delivery.body["id"].clone();
    assert_eq!(
        delivery.body,
        json!({
            "comment": "every minute", "id": id, "name": "lease_sweep", "payload": {"batch": 10},
            "scheduled_time": "2026-11-21T21:00:00Z",
        })
    );
    let answer =
        rig.command(json!({"type": "get_scheduled_event_invocations", "args": {"type": "cron", "event_id": id}})).await;
    let logged = &answer["invocations"][0];
    assert_eq!((&logged["event_id"], &logged["status"]), (&id, &json!(200)));
    assert_eq!(logged["request"]["payload"], delivery.body);
    assert_eq!(
        logged["request"]["headers"],
        json!([
            {"name": "Content-Type", "value": "application/json"},
            {"name": "User-Agent", "value": "hasura-graphql-engine/v2.48.16"},
            {"name": "X-Event-Secret", "value_from_env": "EVENT_SECRET"},
        ])
    );
    assert_eq!((&logged["request"]["version"], &logged["response"]["version"]), (&json!("1"), &json!("1")));
    assert_eq!(logged["response"]["data"]["body"], "{}");
}

#[tokio::test]
async fn a_failing_webhook_is_tried_again_and_then_given_up() {
    let (service, clock) = (Service::start().await, Clock::at(START));
    let rig = rig(&service, &clock, json!([trigger()])).await;
    service.reply([Reply::new(500, json!({"e": 1})), Reply::new(500, json!({"e": 2}))]);
    let mut now = datetime!(2026-11-21 21:00:01 UTC);
    clock.set(now);
    service.wait_for(1).await;
    assert_eq!(settled(&rig, "hdb_cron_events", now).await, json!([["scheduled", 1]]), "it waits five seconds");
    now = datetime!(2026-11-21 21:00:06 UTC);
    clock.set(now);
    let received = service.wait_for(2).await;
    assert_eq!(received[0].body, received[1].body);
    assert_eq!(settled(&rig, "hdb_cron_events", now).await, json!([["error", 2]]));
    let answer = rig
        .command(
            json!({"type": "get_scheduled_event_invocations", "args": {"type": "cron", "trigger_name": "lease_sweep"}}),
        )
        .await;
    let answers: Vec<&Value> =
        answer["invocations"].as_array().unwrap().iter().map(|one| &one["response"]["data"]["message"]).collect();
    assert_eq!(answers, ["{\"e\":2}", "{\"e\":1}"], "the newest first");
}

#[tokio::test]
async fn a_webhook_that_asks_for_time_gets_it_even_without_tries_left() {
    let (service, clock) = (Service::start().await, Clock::at(START));
    let mut one = trigger();
    one["retry_conf"] = json!({"num_retries": 0});
    let rig = rig(&service, &clock, json!([one])).await;
    service.reply([Reply::new(429, "{}").with("retry-after", "30")]);
    clock.set(datetime!(2026-11-21 21:00:01 UTC));
    service.wait_for(1).await;
    let now = datetime!(2026-11-21 21:00:31 UTC);
    assert_eq!(settled(&rig, "hdb_cron_events", datetime!(2026-11-21 21:00:02 UTC)).await, json!([["scheduled", 1]]));
    clock.set(now);
    service.wait_for(2).await;
    assert_eq!(settled(&rig, "hdb_cron_events", now).await, json!([["delivered", 2]]));
}

#[tokio::test]
async fn events_of_a_changed_or_removed_trigger_do_not_come() {
    let (service, clock) = (Service::start().await, Clock::at(START));
    let rig = rig(&service, &clock, json!([trigger()])).await;
    let mut hourly = trigger();
    hourly["schedule"] = json!("0 * * * *");
    hourly["replace"] = json!(true);
    rig.command(json!({"type": "create_cron_trigger", "args": hourly})).await;
    let (count, first, last) = to_come(&rig).await;
    assert_eq!(
        (count, first, last),
        (100, Some(datetime!(2026-11-21 21:00 UTC)), Some(datetime!(2026-11-26 0:00 UTC)))
    );
    let kept = rig.command(json!({"type": "get_cron_triggers"})).await;
    assert_eq!(kept["cron_triggers"][0]["schedule"], "0 * * * *");
    rig.command(json!({"type": "delete_cron_trigger", "args": {"name": "lease_sweep"}})).await;
    assert_eq!(to_come(&rig).await.0, 0);
    assert_eq!(rig.command(json!({"type": "get_cron_triggers"})).await, json!({"cron_triggers": []}));
}

#[tokio::test]
async fn what_was_missed_is_delivered_within_its_tolerance_and_dead_beyond() {
    let (service, clock) = (Service::start().await, Clock::at(START));
    let mut one = trigger();
    one["retry_conf"]["tolerance_seconds"] = json!(90);
    let rig = rig(&service, &clock, json!([one])).await;
    let now = datetime!(2026-11-21 21:03:10 UTC);
    clock.set(now);
    let received = service.wait_for(2).await;
    let mut times: Vec<&str> = received.iter().map(|one| one.body["scheduled_time"].as_str().unwrap()).collect();
    times.sort_unstable();
    assert_eq!(times, ["2026-11-21T21:02:00Z", "2026-11-21T21:03:00Z"]);
    assert_eq!(
        settled(&rig, "hdb_cron_events", now).await,
        json!([["dead", 0], ["dead", 0], ["delivered", 1], ["delivered", 1]])
    );
}

fn one_off(at: &str) -> Value {
    json!({"type": "create_scheduled_event", "args": {
        "webhook": "{{SERVICE}}/one-off", "schedule_at": at, "payload": {"store": "s-1"}, "comment": "a reminder",
        "headers": [{"name": "X-Event-Secret", "value_from_env": "EVENT_SECRET"}],
        "retry_conf": {"num_retries": 1, "retry_interval_seconds": 0, "timeout_seconds": 5, "tolerance_seconds": 3600},
    }})
}

#[tokio::test]
async fn a_one_off_event_is_delivered_at_its_time_with_the_recorded_payload() {
    let (service, clock) = (Service::start().await, Clock::at(START));
    let rig = rig(&service, &clock, json!([])).await;
    let answer = rig.command(one_off("2026-11-21T21:03:49Z")).await;
    assert_eq!(answer["message"], "success");
    let late = rig
        .command(json!({"type": "create_scheduled_event", "args": {
            "webhook": "{{SERVICE}}/one-off", "schedule_at": "2026-01-01T00:00:00Z", "payload": {},
            "retry_conf": {"tolerance_seconds": 60},
        }}))
        .await;
    assert_eq!(settled(&rig, "hdb_scheduled_events", START).await, json!([["dead", 0]]));
    let now = datetime!(2026-11-21 21:03:49 UTC);
    clock.set(now);
    let delivery = service.wait_for(1).await.remove(0);
    assert_eq!(delivery.headers["x-event-secret"], "event-secret");
    let mut body = delivery.body;
    let created_at = body["created_at"].take();
    assert!(created_at.as_str().is_some_and(|at| at.contains('T') && at.ends_with('Z')), "{created_at}");
    assert_eq!(
        body,
        json!({
            "comment": "a reminder", "created_at": null, "id": answer["event_id"], "payload": {"store": "s-1"},
            "scheduled_time": "2026-11-21T21:03:49Z",
        })
    );
    assert_eq!(settled(&rig, "hdb_scheduled_events", now).await, json!([["dead", 0], ["delivered", 1]]));
    let list = async |more: Value| -> Value {
        let mut args = json!({"type": "one_off"});
        args.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        rig.command(json!({"type": "get_scheduled_events", "args": args})).await
    };
    let found = list(json!({"status": ["dead"], "get_rows_count": true, "limit": 1})).await;
    let shown = &found["events"][0];
    assert_eq!((&found["count"], &shown["id"]), (&json!(1), &late["event_id"]));
    let mut names: Vec<&str> = shown.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "comment",
            "created_at",
            "header_conf",
            "id",
            "next_retry_at",
            "payload",
            "request_transform",
            "response_transform",
            "retry_conf",
            "scheduled_time",
            "status",
            "tries",
            "webhook_conf",
        ]
    );
    assert_eq!(shown["scheduled_time"], "2026-01-01T00:00:00Z");
    assert_eq!(
        shown["retry_conf"],
        json!({"num_retries": 0, "retry_interval_seconds": 10, "timeout_seconds": 60, "tolerance_seconds": 60})
    );
    assert_eq!(list(json!({"offset": 1})).await["events"][0]["id"], answer["event_id"]);
    rig.command(json!({"type": "delete_scheduled_event", "args": {"type": "one_off", "event_id": late["event_id"]}}))
        .await;
    assert_eq!(list(json!({"get_rows_count": true})).await["count"], 1);
}

#[tokio::test]
async fn an_event_is_rewritten_as_its_transform_says() {
    let (service, clock) = (Service::start().await, Clock::at(START));
    let rig = rig(&service, &clock, json!([])).await;
    let mut event = one_off("2026-11-21T20:00:00Z");
    event["args"]["request_transform"] = json!({
        "version": 2, "method": "PUT", "url": "{{$base_url}}/{{$body.payload.store}}",
        "body": {"action": "transform", "template": "{\"at\": {{$body.scheduled_time}}}"},
    });
    rig.command(event).await;
    let delivery = service.wait_for(1).await.remove(0);
    assert_eq!((delivery.method.as_str(), delivery.path.as_str()), ("PUT", "/one-off/s-1"));
    assert_eq!(delivery.body, json!({"at": "2026-11-21T20:00:00Z"}));
    let mut event = one_off("2026-11-21T20:00:00Z");
    event["args"]["request_transform"] = json!({"version": 2, "url": "{{$body.nope}}"});
    rig.command(event).await;
    assert_eq!(settled(&rig, "hdb_scheduled_events", START).await, json!([["delivered", 1], ["error", 0]]));
}

#[tokio::test]
async fn several_engines_deliver_each_event_once() {
    let (service, clock) = (Service::start().await, Clock::at(START));
    let first = rig(&service, &clock, json!([trigger()])).await;
    let _second = rig_over(first.pool.clone(), &service, &clock, json!([trigger()])).await;
    let _third = rig_over(first.pool.clone(), &service, &clock, json!([trigger()])).await;
    assert_eq!(to_come(&first).await.0, 100);
    sqlx::query(
        "insert into hdb_catalog.hdb_scheduled_events (webhook_conf, scheduled_time, payload) \
         select '\"{{SERVICE}}/one-off\"', '2026-11-21T21:10:00Z', to_json(i) from generate_series(1, 100) i",
    )
    .execute(&first.pool)
    .await
    .unwrap();
    let now = datetime!(2026-11-21 21:50:00 UTC);
    clock.set(now);
    let received = service.wait_for(151).await;
    let mut ids: Vec<String> = received.iter().map(|one| one.body["id"].to_string()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 151);
    let states = settled(&first, "hdb_cron_events", now).await;
    assert!(states.as_array().unwrap().iter().all(|state| *state == json!(["delivered", 1])), "{states}");
    settled(&first, "hdb_scheduled_events", now).await;
    assert_eq!(service.received().len(), 151);
}

#[tokio::test]
async fn the_claim_of_an_engine_that_was_killed_ends() {
    let (service, clock) = (Service::start().await, Clock::at(START));
    let rig = rig(&service, &clock, json!([])).await;
    rig.command(one_off("2026-11-21T23:00:00Z")).await;
    let claim = async |ago: &str| {
        let sql = format!(
            "update hdb_catalog.hdb_scheduled_events set status = 'locked', locked = now() - interval '{ago}', \
             scheduled_time = '2026-11-21T20:59:00Z'"
        );
        sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&rig.pool).await.unwrap();
    };
    // Five seconds of time-out and fifteen more.
    claim("21 seconds").await;
    service.wait_for(1).await;
    assert_eq!(settled(&rig, "hdb_scheduled_events", START).await, json!([["delivered", 1]]));
}

#[tokio::test]
async fn triggers_outside_the_metadata_are_not_exported_and_outlive_it() {
    let (service, clock) = (Service::start().await, Clock::at(START));
    let rig = rig(&service, &clock, json!([])).await;
    let mut outside = trigger();
    outside["name"] = json!("outside");
    outside["include_in_metadata"] = json!(false);
    rig.command(json!({"type": "create_cron_trigger", "args": outside})).await;
    rig.command(json!({"type": "create_cron_trigger", "args": trigger()})).await;
    let exported = rig.command(json!({"type": "export_metadata", "args": {}})).await;
    assert_eq!(exported["cron_triggers"], json!([trigger()]));
    let names = async || -> Vec<Value> {
        let answer = rig.command(json!({"type": "get_cron_triggers"})).await;
        answer["cron_triggers"].as_array().unwrap().iter().map(|one| one["name"].clone()).collect()
    };
    rig.command(json!({"type": "replace_metadata", "args": empty_metadata()})).await;
    assert_eq!(names().await, ["outside"]);
    let (status, answer) = refused(&rig, "replace_metadata", metadata(json!([outside]))).await;
    assert_eq!((status, &answer["code"]), (400, &json!("already-exists")), "{answer}");
}

#[tokio::test]
async fn what_is_no_trigger_or_event_is_refused_in_the_recorded_words() {
    let (service, clock) = (Service::start().await, Clock::at(START));
    let rig = rig(&service, &clock, json!([trigger()])).await;
    let is = |error: &str, path: &str, code: &str| (400, json!({"error": error, "path": path, "code": code}));
    let bare = json!({"name": "bad", "webhook": "http://x", "schedule": "every minute", "include_in_metadata": true});
    assert_eq!(
        refused(&rig, "create_cron_trigger", bare).await,
        is("Failed reading: takeWhile1", "$.args.schedule", "parse-failed")
    );
    assert_eq!(
        refused(&rig, "create_cron_trigger", trigger()).await,
        is("cron trigger with name: lease_sweep already exists", "$.args", "already-exists")
    );
    let missing = "cron trigger with name: nope does not exist";
    for (ty, args) in [
        ("delete_cron_trigger", json!({"name": "nope"})),
        ("get_scheduled_events", json!({"type": "cron", "trigger_name": "nope"})),
        ("get_scheduled_event_invocations", json!({"type": "cron", "trigger_name": "nope"})),
    ] {
        assert_eq!(refused(&rig, ty, args).await, is(missing, "$.args", "not-exists"), "{ty}");
    }
    let mut unset = trigger();
    unset["name"] = json!("unset");
    unset["webhook"] = json!("{{NOPE}}/x");
    let (status, answer) = refused(&rig, "create_cron_trigger", unset).await;
    assert_eq!(
        (status, &answer["code"], &answer["error"]),
        (400, &json!("invalid-configuration"), &json!("Inconsistent object: environment variable 'NOPE' not set"))
    );
    assert_eq!(
        refused(&rig, "get_scheduled_events", json!({"type": "one_off", "status": ["done"]})).await,
        is("unexpected status: done", "$.args.status[0]", "parse-failed")
    );
    let mut event = one_off("tomorrow");
    assert_eq!(refused(&rig, "create_scheduled_event", event["args"].clone()).await.1["path"], "$.args.schedule_at");
    event["args"]["schedule_at"] = json!("2026-11-21T21:03:49Z");
    event["args"]["retry_conf"] = json!({"timeout_seconds": -1});
    assert_eq!(
        refused(&rig, "create_scheduled_event", event["args"].clone()).await.1["path"],
        "$.args.retry_conf.timeout_seconds"
    );
    assert!(service.received().is_empty());
}
