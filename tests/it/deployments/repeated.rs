//! Requests that come twice or at once: keys that stand for one request, the newest wish that is carried out alone, a
//! host name that one application has.

use std::time::{Duration, Instant};

use northstack::app::deployments::NewDeployment;
use northstack::workflow::Faults;
use northstack::workflow::flows::application;
use northstack::workflow::testing::{Bench, Worker, ended};
use serde_json::{Value, json};
use uuid::Uuid;

use super::bench::Town;

/// Asks for an action as the town's person.
async fn ask(town: &Town, action: &str, input: Value) -> (u16, Value) {
    let session = json!({ "x-hasura-role": "user", "x-hasura-user-id": town.caller.actor.user_id() });
    let answer = town.service.action(action, input, session).await;
    (answer.status.as_u16(), answer.json())
}

async fn paused(town: &Town, deployment: Uuid, weight: u64) {
    let begun = Instant::now();
    let stand =
        "select status = 'paused' and (progress -> 'canary' ->> 'weight')::bigint = $2 from deployments where id = $1";
    loop {
        let query = sqlx::query_scalar::<_, Option<bool>>(stand).bind(deployment).bind(i64::try_from(weight).unwrap());
        if query.fetch_one(&town.pool()).await.unwrap() == Some(true) {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "the canary does not pause at {weight} %");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_promotion_with_a_key_is_one_promotion() {
    let town = Town::new(application::CANARY).await;
    let steps = json!({ "canary": { "steps": [{ "weight": 25 }, { "weight": 50 }] } });
    let id = town.running("api", json!({ "strategy": "canary", "replicas": 4, "settings": steps })).await;
    let made = town.deploy(id, "nginx:2").await;
    let worker = Worker::start(&town, Faults::none());
    paused(&town, made.deployment, 25).await;
    let promote = json!({ "id": made.deployment, "idempotencyKey": "to-50" });
    let (status, first) = ask(&town, "promoteDeployment", promote.clone()).await;
    assert_eq!((status, &first["operationId"]), (200, &json!(made.operation)));
    paused(&town, made.deployment, 50).await;

    // A repetition, after the share that it asked for was reached, does not go on to the next.
    assert_eq!(ask(&town, "promoteDeployment", promote).await, (200, first));
    let signals = "select count(*) from operation_signals where operation_id = $1";
    let signals = sqlx::query_scalar::<_, i64>(signals).bind(made.operation).fetch_one(&town.pool()).await.unwrap();
    assert_eq!(signals, 1);
    let other = json!({ "id": made.deployment, "full": true, "idempotencyKey": "to-50" });
    let (status, refused) = ask(&town, "promoteDeployment", other).await;
    assert_eq!((status, &refused["extensions"]["code"]), (409, &json!("idempotency-conflict")));

    let abort = json!({ "id": made.deployment, "idempotencyKey": "stop" });
    let (status, first) = ask(&town, "abortDeployment", abort.clone()).await;
    assert_eq!(status, 200, "{first}");
    assert_eq!(ended(&town, made.operation).await, "cancelled");
    worker.stop().await;
    assert_eq!(ask(&town, "abortDeployment", abort).await, (200, first), "also when it has ended");
    let without = json!({ "id": made.deployment });
    assert_eq!(ask(&town, "abortDeployment", without).await.1["extensions"]["code"], json!("illegal-transition"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_and_a_cancellation_with_a_key_are_one_each() {
    let town = Town::new(application::ROLLING).await;
    let id = town.application("api", json!({})).await;
    let made = town.deploy(id, "nginx:missing").await;
    assert_eq!(town.finish(made.operation).await, "failed");
    let retry = json!({ "id": made.operation, "idempotencyKey": "again" });
    assert_eq!(ask(&town, "retryOperation", retry.clone()).await.0, 200);
    assert_eq!(town.finish(made.operation).await, "failed");
    let generation = "select generation from operations where id = $1";
    let generation =
        async || sqlx::query_scalar::<_, i64>(generation).bind(made.operation).fetch_one(&town.pool()).await.unwrap();
    let before = generation().await;
    assert_eq!(ask(&town, "retryOperation", retry.clone()).await.0, 200);
    assert_eq!(
        town.text("operations", "status", made.operation).await.as_deref(),
        Some("failed"),
        "it was retried once"
    );
    assert_eq!(generation().await, before);
    let cancel = json!({ "id": made.operation, "idempotencyKey": "over" });
    assert_eq!(ask(&town, "cancelOperation", cancel.clone()).await.0, 200);
    assert_eq!(town.finish(made.operation).await, "cancelled");
    assert_eq!(ask(&town, "cancelOperation", cancel.clone()).await.0, 200);

    // Also once a newer operation has taken the place of that one.
    let newer = town.deploy(id, "nginx:2").await;
    assert_eq!(town.finish(newer.operation).await, "succeeded");
    for (action, input) in [("retryOperation", retry), ("cancelOperation", cancel)] {
        assert_eq!(ask(&town, action, input).await, (200, json!({ "operationId": made.operation })), "{action}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn variables_with_a_key_are_set_once() {
    let town = Town::new(application::ROLLING).await;
    let id = town.application("api", json!({})).await;
    let set =
        |value: &str, key: &str| json!({ "applicationId": id, "variables": { "LEVEL": value }, "idempotencyKey": key });
    let (first, again) = tokio::join!(
        ask(&town, "setEnvironmentVariables", set("debug", "one")),
        ask(&town, "setEnvironmentVariables", set("debug", "one"))
    );
    assert_eq!(first, (200, json!({ "applicationId": id, "count": 1, "removed": 0 })));
    assert_eq!(again, first);
    assert_eq!(ask(&town, "setEnvironmentVariables", set("info", "two")).await.0, 200);
    assert_eq!(ask(&town, "setEnvironmentVariables", set("debug", "one")).await, first, "a late repetition");
    let value = "select value from environment_variables where application_id = $1 and deleted_at is null";
    let value = sqlx::query_scalar::<_, String>(value).bind(id).fetch_one(&town.pool()).await.unwrap();
    assert_eq!(value, "info", "changes nothing");
    assert_eq!(ask(&town, "setEnvironmentVariables", set("warn", "one")).await.0, 409);
    // A key of a request that is done at once is none of another action's.
    let (status, refused) = ask(&town, "deployApplication", json!({ "id": id, "idempotencyKey": "one" })).await;
    assert_eq!((status, &refused["extensions"]["code"]), (409, &json!("idempotency-conflict")));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_wishes_that_wait_the_newest_is_carried_out_whatever_their_strategies() {
    let town = Town::new(application::ROLLING).await;
    let id = town.running("api", json!({})).await;
    let deploy = async |image: &str, strategy: &str| {
        let new = NewDeployment {
            image: Some(image.to_owned()),
            strategy: Some(strategy.to_owned()),
            ..NewDeployment::default()
        };
        town.service.app.deploy_application(&town.caller, id, &new, None).await.unwrap()
    };
    let rolling = deploy("nginx:2", "rolling").await;
    let canary = deploy("nginx:3", "canary").await;
    let back = town.rollback(id, Some(1)).await.deployment;
    let colours = deploy("nginx:4", "blue_green").await;
    let newest = deploy("nginx:5", "recreate").await;
    let end = town.finish(newest.operation).await;
    assert_eq!(end, "succeeded", "{:?}", town.text("operations", "error_message", newest.operation).await);
    for older in [&rolling, &canary, &back, &colours] {
        let status = town.text("deployments", "status", older.deployment).await;
        assert_eq!(status.as_deref(), Some("superseded"));
        assert_eq!(town.text("operations", "status", older.operation).await.as_deref(), Some("cancelled"));
    }
    assert_eq!(town.pods(id).await, ["nginx:5"; 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_applications_that_want_a_host_name_the_first_that_set_it_has_it() {
    let town = Town::new(application::ROLLING).await;
    let (one, two) = (town.application("one", json!({})).await, town.application("two", json!({})).await);
    let pool = town.pool();
    let set = async |id: Uuid, host: &str| {
        let update =
            sqlx::query("update applications set settings = jsonb_build_object('host', $2::text) where id = $1");
        update.bind(id).bind(host).execute(&pool).await.map_err(northstack::domain::Error::from)
    };
    let (first, second) = tokio::join!(set(one, "shop.example.com"), set(two, "Shop.Example.com."));
    assert!(first.is_ok() != second.is_ok(), "{first:?} {second:?}");
    let refused = first.as_ref().err().or(second.as_ref().err()).unwrap();
    assert_eq!(refused.message(), "settings.host: another application has this host name");
    let (has, lacks) = if first.is_ok() { (one, two) } else { (two, one) };
    set(has, "shop.example.com").await.unwrap();
    let deploy = |id: Uuid| ask(&town, "deployApplication", json!({ "id": id }));
    let made = deploy(has).await;
    assert_eq!(made.0, 200, "{}", made.1);
    let operation: Uuid = made.1["operationId"].as_str().unwrap().parse().unwrap();
    assert_eq!(town.finish(operation).await, "succeeded");
    // It serves under the name until it is deployed with another.
    set(has, "other.example.com").await.unwrap();
    set(lacks, "shop.example.com").await.unwrap();
    let refused = deploy(lacks).await;
    assert_eq!(refused.0, 422, "it is taken while it serves");
    assert_eq!(refused.1["extensions"]["field"], json!("settings.host"));
    // Nor does a revision bring back a name that another has set since.
    let moved = deploy(has).await;
    let operation: Uuid = moved.1["operationId"].as_str().unwrap().parse().unwrap();
    assert_eq!(town.finish(operation).await, "succeeded");
    let back = ask(&town, "rollbackDeployment", json!({ "applicationId": has, "revision": 1 })).await;
    assert_eq!((back.0, &back.1["extensions"]["field"]), (422, &json!("settings.host")), "{}", back.1);
    let made = deploy(lacks).await;
    assert_eq!(made.0, 200, "{}", made.1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_leaves_others_alone_whose_names_its_own_objects_would_have() {
    let town = Town::new(application::ROLLING).await;
    let here = json!({ "environment": "shared" });
    let mut others = Vec::new();
    for name in ["api-green", "api-canary", "api-preview"] {
        others.push(town.running(name, here.clone()).await);
    }
    let api = town.running("api", here).await;
    for strategy in ["canary", "blue_green"] {
        let new = NewDeployment {
            image: Some("nginx:2".to_owned()),
            strategy: Some(strategy.to_owned()),
            ..NewDeployment::default()
        };
        let made = town.service.app.deploy_application(&town.caller, api, &new, None).await.unwrap();
        let worker = Worker::start(&town, Faults::none());
        let begun = Instant::now();
        while town.text("deployments", "status", made.deployment).await.as_deref() != Some("paused") {
            assert!(begun.elapsed() < Duration::from_secs(30), "{strategy} does not pause");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let promoted = ask(&town, "promoteDeployment", json!({ "id": made.deployment, "full": true })).await;
        assert_eq!(promoted.0, 200, "{}", promoted.1);
        assert_eq!(ended(&town, made.operation).await, "succeeded", "{strategy}");
        worker.stop().await;
    }
    for other in others {
        assert_eq!(town.pods(other).await, ["nginx:1"; 2], "{:?}", town.text("applications", "name", other).await);
    }
}
