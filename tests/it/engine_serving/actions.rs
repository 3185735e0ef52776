//! Asynchronous actions: the id at once, the call by the worker, the result from the log.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::sync::Notify;

use super::live::{Client, Heard};
use super::recorded;
use super::service::{Reply, Service};
use super::{Rig, SECRET, Setup, empty_metadata};
use crate::support::empty_database;

const SQL: &str = "create table stores (id text primary key, name text not null, owner text not null);\
    insert into stores values ('s1', 'Shop', 'u1');";
const ASK: &str = "query Q($id: uuid!) { createStore(id: $id) { id errors output { storeId store { name } } } }";

fn metadata() -> Value {
    let mut metadata = empty_metadata();
    metadata["sources"][0]["tables"] = json!([{
        "table": {"name": "stores", "schema": "public"},
        "select_permissions": [
            {"role": "user", "permission": {"columns": ["name"], "filter": {"owner": {"_eq": "x-hasura-user-id"}}}},
        ],
    }]);
    metadata["custom_types"] = json!({"objects": [{
        "name": "StoreResult", "fields": [{"name": "storeId", "type": "String!"}],
        "relationships": [{
            "name": "store", "type": "object", "source": "default", "field_mapping": {"storeId": "id"},
            "remote_table": {"name": "stores", "schema": "public"},
        }],
    }]});
    metadata["actions"] = json!([{
        "name": "createStore",
        "definition": {
            "type": "mutation", "kind": "asynchronous", "handler": "{{SERVICE}}/createStore", "timeout": 30,
            "forward_client_headers": true, "output_type": "StoreResult!",
            "arguments": [{"name": "name", "type": "String!"}],
        },
        "permissions": [{"role": "user"}],
    }]);
    metadata
}

fn setup(url: String) -> Setup<'static> {
    Setup { sql: SQL, metadata: Some(metadata()), env: vec![("SERVICE", url)], ..Setup::default() }
}

fn user(id: &'static str) -> [(&'static str, &'static str); 3] {
    [("x-hasura-admin-secret", SECRET), ("x-hasura-role", "user"), ("x-hasura-user-id", id)]
}

/// Calls the action as a user; gives the id.
async fn create(rig: &Rig, who: &'static str, name: &str) -> String {
    let body = json!({"query": "mutation M($name: String!) { createStore(name: $name) }", "variables": {"name": name}});
    let answer = rig.ask(&user(who), &body).await;
    answer["data"]["createStore"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
}

async fn ask(rig: &Rig, who: &'static str, id: &str) -> Value {
    rig.ask(&user(who), &json!({"query": ASK, "variables": {"id": id}})).await
}

fn held(body: &Value) -> (Reply, Arc<Notify>) {
    let open = Arc::new(Notify::new());
    (Reply { until: Some(open.clone()), ..Reply::new(200, body) }, open)
}

async fn status(pool: &PgPool, id: &str) -> String {
    sqlx::query_scalar("select status from hdb_catalog.hdb_action_log where id = $1::uuid")
        .bind(id)
        .fetch_one(pool)
        .await
        .unwrap()
}

/// Waits until a call is answered; gives its status.
async fn settled(pool: &PgPool, id: &str) -> String {
    let wait = async {
        loop {
            let status = status(pool, id).await;
            if !["created", "processing"].contains(&status.as_str()) {
                return status;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), wait).await.expect("a call is answered in time")
}

fn answered(id: &str) -> Value {
    json!({"data": {"createStore": {
        "id": id, "errors": null, "output": {"storeId": "s1", "store": {"name": "Shop"}},
    }}})
}

#[tokio::test]
async fn everything_is_as_recorded() {
    let service = Service::start().await;
    let Some(rig) = recorded::rig(&service).await else { return };
    let mut ids = HashMap::new();
    let (mut differences, mut calls, mut requests) = (Vec::new(), 0, 0);
    for entry in recorded::entries("actions-async.json") {
        let name = entry["name"].as_str().unwrap();
        let replayed = if entry["steps"].is_array() {
            calls += 1;
            replay_call(&rig, &service, &entry, &mut ids).await
        } else if entry["request"].is_object() {
            requests += 1;
            replay_step(&rig, &entry, &ids).await
        } else {
            continue;
        };
        if let Err(difference) = replayed {
            differences.push(format!("{name}: {difference}"));
        }
    }
    assert!(calls >= 8 && requests >= 8, "{calls} calls, {requests} requests");
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// Sends a recorded request with the ids of this run; gives the answer with the recorded ones.
async fn send(rig: &Rig, step: &Value, ids: &HashMap<String, String>) -> Value {
    let request = &step["request"];
    let headers: Vec<(&str, &str)> = request["headers"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str().unwrap()))
        .collect();
    let mut body = request["body"].to_string();
    for (recorded, here) in ids {
        body = body.replace(recorded, here);
    }
    let mut answer = rig.send("POST", "/v1/graphql", &headers, Some(body)).await.1.to_string();
    for (recorded, here) in ids {
        answer = answer.replace(here, recorded);
    }
    serde_json::from_str(&answer).unwrap()
}

async fn replay_step(rig: &Rig, step: &Value, ids: &HashMap<String, String>) -> Result<(), String> {
    let mut answer = send(rig, step, ids).await;
    let mut recorded = step["response"]["body"].clone();
    for value in [&mut answer, &mut recorded] {
        // The moment differs, not its form.
        if let Some(at) = value.pointer_mut("/data/createStore/created_at") {
            assert!(at.as_str().is_some_and(|at| at.contains('T') && at.ends_with("+00:00")), "{at}");
            *at = Value::Null;
        }
    }
    match answer == recorded {
        true => Ok(()),
        false => Err(format!("{answer}\n    instead of {recorded}")),
    }
}

async fn replay_call(
    rig: &Rig,
    service: &Service,
    entry: &Value,
    ids: &mut HashMap<String, String>,
) -> Result<(), String> {
    let [call, at_once, later] = entry["steps"].as_array().unwrap().as_slice() else { panic!("{entry}") };
    let webhook = &entry["webhook"][0];
    let reply = &webhook["reply"];
    let body = match &reply["body"] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let open = Arc::new(Notify::new());
    let status = u16::try_from(reply["status"].as_u64().unwrap()).unwrap();
    service.reply([Reply { until: Some(open.clone()), ..Reply::new(status, body) }]);
    let before = service.received().len();
    let answer = send(rig, call, &HashMap::new()).await;
    let id = answer["data"]["createStore"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned();
    ids.insert(call["response"]["body"]["data"]["createStore"].as_str().unwrap().to_owned(), id.clone());
    replay_step(rig, at_once, ids).await?;
    let received = service.wait_for(before + 1).await.remove(before);
    // A webhook that was too slow stays so.
    if reply["after_seconds"].as_f64().is_none_or(|seconds| seconds < 3.0) {
        open.notify_one();
    }
    settled(&rig.pool, &id).await;
    replay_step(rig, later, ids).await?;
    if received.body != webhook["body"] {
        return Err(format!("the webhook was asked {}\n    instead of {}", received.body, webhook["body"]));
    }
    for header in webhook["headers"].as_array().unwrap() {
        let name = header[0].as_str().unwrap().to_ascii_lowercase();
        // Those of the connection, and an id that Hasura makes up.
        let own = ["host", "accept-encoding", "content-length", "x-request-id", "x-forwarded-host", "user-agent"];
        if !own.contains(&name.as_str())
            && received.headers.get(&name).map(|value| value.as_bytes()) != header[1].as_str().map(str::as_bytes)
        {
            return Err(format!("the webhook was not told {header}, but {:?}", received.headers));
        }
    }
    assert!(received.headers.keys().all(|name| !name.as_str().starts_with("x-hasura-")), "{:?}", received.headers);
    let row: Value = sqlx::query_scalar(
        "select json_build_object('action_name', action_name, 'input_payload', input_payload, 'session_variables', \
         session_variables, 'response_payload', response_payload, 'errors', errors, 'status', status) \
         from hdb_catalog.hdb_action_log where id = $1::uuid",
    )
    .bind(&id)
    .fetch_one(&rig.pool)
    .await
    .unwrap();
    for (name, value) in row.as_object().unwrap() {
        let recorded = &entry["hdb_action_log_after"][0][name];
        if value != recorded {
            return Err(format!("the log's {name} is {value}\n    instead of {recorded}"));
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_result_is_seen_by_the_session_that_asked_and_by_admin_alone() {
    let service = Service::start().await;
    let rig = Rig::start(setup(service.url())).await;
    let (reply, open) = held(&json!({"storeId": "s1"}));
    service.reply([reply]);
    let id = create(&rig, "u1", "Shop").await;
    let outstanding = json!({"data": {"createStore": {
        "id": id, "errors": null, "output": {"storeId": null, "store": null},
    }}});
    assert_eq!(ask(&rig, "u1", &id).await, outstanding);
    service.wait_for(1).await;
    let kept: Value = sqlx::query_scalar("select request_headers from hdb_catalog.hdb_action_log")
        .fetch_one(&rig.pool)
        .await
        .unwrap();
    assert!(!kept.to_string().contains(SECRET) && !kept.to_string().contains("x-hasura"), "{kept}");
    open.notify_one();
    assert_eq!(settled(&rig.pool, &id).await, "completed");
    assert_eq!(ask(&rig, "u1", &id).await, answered(&id), "with the row that the user may see");
    let nothing = json!({"data": {"createStore": null}});
    assert_eq!(ask(&rig, "u2", &id).await, nothing);
    let mut more = user("u1").to_vec();
    more.push(("x-hasura-team", "t"));
    assert_eq!(rig.ask(&more, &json!({"query": ASK, "variables": {"id": id}})).await, nothing, "another session");
    let admin = [("x-hasura-admin-secret", SECRET)];
    assert_eq!(rig.ask(&admin, &json!({"query": ASK, "variables": {"id": id}})).await, answered(&id));
    let kept: Value = sqlx::query_scalar("select request_headers from hdb_catalog.hdb_action_log")
        .fetch_one(&rig.pool)
        .await
        .unwrap();
    assert_eq!(kept, json!({}), "forgotten once they have done their part");
}

#[tokio::test]
async fn a_webhook_is_told_the_id_of_the_request_whether_or_not_headers_are_forwarded() {
    let service = Service::start().await;
    let mut metadata = metadata();
    metadata["actions"][0]["definition"]["forward_client_headers"] = json!(false);
    let mut at_once = metadata["actions"][0].clone();
    at_once["name"] = json!("renameStore");
    at_once["definition"]["kind"] = json!("synchronous");
    metadata["actions"].as_array_mut().unwrap().push(at_once);
    let rig = Rig::start(Setup { metadata: Some(metadata), ..setup(service.url()) }).await;
    service.reply([Reply::new(200, json!({"storeId": "s1"})), Reply::new(200, json!({"storeId": "s1"}))]);
    let mut headers = user("u1").to_vec();
    headers.extend([("x-request-id", "request-7"), ("x-custom", "c")]);
    for query in ["mutation { createStore(name: \"Shop\") }", "mutation { renameStore(name: \"Shop\") { storeId } }"] {
        let before = service.received().len();
        let answer = rig.ask(&headers, &json!({"query": query})).await;
        assert!(answer["errors"].is_null(), "{answer}");
        let told = service.wait_for(before + 1).await.remove(before).headers;
        let ids: Vec<_> = told.get_all("x-request-id").iter().collect();
        assert_eq!(ids, ["request-7"], "{query}");
        assert!(!told.contains_key("x-custom"), "{query}");
    }
}

#[tokio::test]
async fn a_failure_is_told_and_never_repeated() {
    let service = Service::start().await;
    let rig = Rig::start(setup(service.url())).await;
    service.reply([
        Reply::new(400, json!({"message": "no more stores", "extensions": {"code": "limit"}})),
        Reply::new(200, json!({"storeId": "a\u{0}b"})),
        Reply::new(200, json!({"storeId": "s1"})),
    ]);
    let mut ids = Vec::new();
    for name in ["refused", "nul", "good"] {
        let id = create(&rig, "u1", name).await;
        settled(&rig.pool, &id).await;
        ids.push(id);
    }
    let errors = async |id: &str| ask(&rig, "u1", id).await["data"]["createStore"]["errors"].clone();
    assert_eq!(errors(&ids[0]).await, json!({"code": "unexpected", "path": "$", "error": "no more stores"}));
    assert!(errors(&ids[1]).await["error"].as_str().is_some_and(|error| error.contains("NUL")));
    assert_eq!(ask(&rig, "u1", &ids[2]).await, answered(&ids[2]));
    let asked: Vec<Value> = service.received().iter().map(|one| one.body["input"]["name"].clone()).collect();
    assert_eq!(asked, ["refused", "nul", "good"]);
}

#[tokio::test]
async fn a_subscription_tells_when_the_result_is_there() {
    let service = Service::start().await;
    let rig = Rig::start(setup(service.url())).await;
    let (reply, open) = held(&json!({"storeId": "s1"}));
    service.reply([reply]);
    let id = create(&rig, "u1", "Shop").await;
    service.wait_for(1).await;
    let mut clients = Vec::new();
    for who in ["u1", "u2"] {
        let mut client = Client::connect(&rig, Some("graphql-transport-ws"), &[]).await;
        let headers = json!({"x-hasura-admin-secret": SECRET, "x-hasura-role": "user", "x-hasura-user-id": who});
        client.say(json!({"type": "connection_init", "payload": {"headers": headers}})).await;
        client.hear().await;
        let query = format!("subscription {{ createStore(id: \"{id}\") {{ id errors output {{ storeId }} }} }}");
        client.subscribe("1", &query).await;
        clients.push(client);
    }
    let seen = |store: Value| json!({"createStore": {"id": id, "errors": null, "output": {"storeId": store}}});
    assert_eq!(clients[0].data().await, seen(Value::Null));
    assert_eq!(clients[1].data().await, json!({"createStore": null}));
    open.notify_one();
    assert_eq!(clients[0].data().await, seen("s1".into()));
    // The other hears nothing more: what comes next is what it asks next.
    clients[1]
        .subscribe(
            "2",
            &ASK.replacen("query", "subscription", 1)
                .replace("$id)", &format!("\"{id}\")"))
                .replace("Q($id: uuid!)", "Q"),
        )
        .await;
    match clients[1].hear().await {
        Heard::Frame(frame) => {
            assert_eq!((&frame["type"], &frame["id"]), (&json!("error"), &json!("2")), "{frame}");
            let error = json!([{
                "message": "Remote relationships are not allowed in subscriptions",
                "extensions": {"path": "$", "code": "not-supported"},
            }]);
            assert_eq!(frame["payload"], error);
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_call_whose_engine_was_killed_is_made_again() {
    let service = Service::start().await;
    let (never, _open) = held(&json!({}));
    service.reply([never]);
    let options = empty_database().await;
    let (at, url) = (options.clone(), service.url());
    // A runtime of its own, so that all that the engine does can end in the middle.
    let doomed = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let begun = doomed.spawn(async move {
        let pool = PgPool::connect_with(at).await.unwrap();
        sqlx::raw_sql(SQL).execute(&pool).await.unwrap();
        let rig = Rig::over(pool, setup(url)).await;
        create(&rig, "u1", "first").await
    });
    let id = begun.await.unwrap();
    service.wait_for(1).await;
    doomed.shutdown_background();

    let pool = PgPool::connect_with(options).await.unwrap();
    let rig = Rig::over(pool.clone(), setup(service.url())).await;
    service.reply([Reply::new(200, json!({"storeId": "s1"})), Reply::new(200, json!({"storeId": "s1"}))]);
    let other = create(&rig, "u1", "second").await;
    assert_eq!(settled(&pool, &other).await, "completed");
    assert_eq!(status(&pool, &id).await, "processing", "a claim holds until it ends");
    assert_eq!(service.received().len(), 2);
    sqlx::raw_sql(
        "update hdb_catalog.hdb_action_log set locked = locked - interval '46 seconds' where locked is not null",
    )
    .execute(&pool)
    .await
    .unwrap();
    assert_eq!(settled(&pool, &id).await, "completed");
    assert_eq!(ask(&rig, "u1", &id).await, answered(&id));
    let asked: Vec<Value> = service.received().iter().map(|one| one.body["input"]["name"].clone()).collect();
    assert_eq!(asked, ["first", "second", "first"]);
}

#[tokio::test]
async fn what_is_in_flight_at_the_end_is_given_back() {
    let service = Service::start().await;
    let (never, _open) = held(&json!({}));
    service.reply([never, Reply::new(200, json!({"storeId": "s1"}))]);
    let first = Rig::start(setup(service.url())).await;
    let id = create(&first, "u1", "Shop").await;
    service.wait_for(1).await;
    first.server.surface().background.actions.finish(Duration::from_millis(10)).await;
    assert_eq!(status(&first.pool, &id).await, "created");
    let second = Rig::over(first.pool.clone(), setup(service.url())).await;
    assert_eq!(settled(&second.pool, &id).await, "completed");
    assert_eq!(ask(&second, "u1", &id).await, answered(&id));
}

#[tokio::test]
async fn two_engines_make_each_call_once() {
    let service = Service::start().await;
    let first = Rig::start(setup(service.url())).await;
    let second = Rig::over(first.pool.clone(), setup(service.url())).await;
    let rigs = [&first, &second];
    let calls = (0..60).map(|index| async move { create(rigs[index % 2], "u1", &index.to_string()).await });
    let ids = futures::future::join_all(calls).await;
    for id in &ids {
        // The service answers `{}`, which is no store.
        assert_eq!(settled(&first.pool, id).await, "error");
    }
    let mut asked: Vec<String> = service.received().iter().map(|one| one.body["input"]["name"].to_string()).collect();
    asked.sort();
    asked.dedup();
    assert_eq!((asked.len(), service.received().len()), (60, 60));
}
