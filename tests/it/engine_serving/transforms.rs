//! Webhooks whose requests and answers are rewritten.

use serde_json::{Value, json};

use super::recorded;
use super::service::{Reply, Service};
use super::{Rig, SECRET, Setup, empty_metadata};

const ADMIN: [(&str, &str); 1] = [("x-hasura-admin-secret", SECRET)];

#[tokio::test]
async fn an_action_is_asked_and_answers_as_recorded() {
    let service = Service::start().await;
    let Some(rig) = recorded::rig(&service).await else { return };
    let mut replayed = 0;
    for entry in recorded::entries("actions-requests.json") {
        let name = entry["name"].as_str().unwrap();
        if !name.contains("transform") {
            continue;
        }
        replayed += 1;
        let webhook = &entry["webhook"][0];
        service.reply([Reply::new(200, &webhook["reply"]["body"])]);
        let headers: Vec<(&str, &str)> = entry["request"]["headers"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str().unwrap()))
            .collect();
        let answer = rig.ask(&headers, &entry["request"]["body"]).await;
        assert_eq!(answer, entry["response"]["body"], "{name}");
        let received = service.received().pop().unwrap();
        assert_eq!(received.method.as_str(), webhook["method"], "{name}");
        assert_eq!((&json!(received.path), &received.body), (&webhook["path"], &webhook["body"]), "{name}");
        assert_eq!(received.headers["x-role"], "user");
        assert!(!received.headers.contains_key("content-type"), "{:?}", received.headers);
    }
    assert_eq!(replayed, 2);
}

const SQL: &str = "create table teams (id int primary key, slug text, name text);";

fn metadata(trigger: &Value) -> Value {
    let mut metadata = empty_metadata();
    let mut given = json!({
        "name": "teams_changed", "webhook": "{{SERVICE}}/events/teams", "definition": {"insert": {"columns": "*"}},
        "retry_conf": {"num_retries": 3, "interval_sec": 0, "timeout_sec": 5},
    });
    given.as_object_mut().unwrap().extend(trigger.as_object().unwrap().clone());
    metadata["sources"][0]["tables"] =
        json!([{"table": {"name": "teams", "schema": "public"}, "event_triggers": [given]}]);
    metadata["actions"] = json!([{"name": "greet", "definition": {
        "type": "query", "handler": "{{SERVICE}}/greet", "output_type": "String!",
        "arguments": [{"name": "name", "type": "String!"}],
        "request_transform": {"version": 1, "body": "{\"hello\": {{$body.input.name}}, \"size\": {{size $body.z}}}"},
    }}]);
    metadata
}

async fn rig(service: &Service, trigger: Value) -> Rig {
    let env = vec![("SERVICE", service.url())];
    Rig::start(Setup { sql: SQL, metadata: Some(metadata(&trigger)), env, ..Setup::default() }).await
}

async fn log(rig: &Rig) -> Value {
    rig.events_settle().await;
    sqlx::query_scalar(
        "select json_build_object('delivered', delivered, 'error', error, 'tries', tries, 'log', (select \
         coalesce(json_agg(json_build_array(i.status, i.request, i.response) order by i.created_at), '[]') \
         from hdb_catalog.event_invocation_logs i where i.event_id = e.id)) from hdb_catalog.event_log e",
    )
    .fetch_one(&rig.pool)
    .await
    .unwrap()
}

#[tokio::test]
async fn an_event_is_delivered_in_its_new_form_and_logged_so() {
    let service = Service::start().await;
    let trigger = json!({
        "request_transform": {
            "version": 2, "method": "PUT", "url": "{{$base_url}}/{{$body.event.data.new.slug}}",
            "body": {"action": "transform", "template":
                "{\"op\": {{$body.event.op}}, \"by\": {{$session_variables['x-hasura-role']}}}"},
        },
        "response_transform": {"version": 2, "body": {"action": "transform", "template": "{\"said\": {{$body.a}}}"}},
    });
    let rig = rig(&service, trigger).await;
    service.reply([Reply::new(200, json!({"a": 1}))]);
    rig.admin("mutation { insert_teams_one(object: {id: 1, slug: \"team-1\"}) { id } }").await;
    let received = service.wait_for(1).await.remove(0);
    assert_eq!((received.method.as_str(), received.path.as_str()), ("PUT", "/events/teams/team-1"));
    assert_eq!(received.body, json!({"op": "INSERT", "by": "admin"}));
    assert_eq!(received.headers["content-type"], "application/json");
    let log = log(&rig).await;
    assert_eq!((&log["delivered"], &log["tries"], &log["log"][0][0]), (&json!(true), &json!(1), &json!(200)));
    assert_eq!(log["log"][0][1]["payload"], received.body);
    assert_eq!(log["log"][0][2]["data"]["body"], "{\"said\":1}");
}

#[tokio::test]
async fn an_event_that_cannot_be_rewritten_is_an_error_at_once_and_nothing_is_sent() {
    let service = Service::start().await;
    let rig = rig(&service, json!({"request_transform": {"version": 2, "url": "{{$base_url}}/{{$body.nope}}"}})).await;
    rig.admin("mutation { insert_teams_one(object: {id: 1}) { id } }").await;
    assert_eq!(log(&rig).await, json!({"delivered": false, "error": true, "tries": 0, "log": []}));
    assert!(service.received().is_empty());
}

#[tokio::test]
async fn an_action_whose_request_cannot_be_rewritten_is_not_called() {
    let service = Service::start().await;
    let rig = rig(&service, json!({})).await;
    assert_eq!(
        rig.admin("{ greet(name: \"n\") }").await,
        json!({"errors": [{"message": "Request Transformation Failed", "extensions": {
            "path": "$", "code": "unexpected", "internal": [{
                "error_code": "Attribute Error",
                "message": "'Object' has no attritubte 'z'.",
                "source_position": {"start_line": 0, "start_column": 48, "end_line": 0, "end_column": 55},
            }],
        }}]})
    );
    assert!(service.received().is_empty());
}

#[tokio::test]
async fn a_transform_is_tested_without_being_sent() {
    let rig = Rig::start(Setup::default()).await;
    for entry in recorded_tests() {
        let body = entry["request"]["body"].to_string();
        let (status, answer) = rig.send("POST", "/v1/metadata", &ADMIN, Some(body)).await;
        assert_eq!((json!(status), &answer), (entry["response"]["status"].clone(), &entry["response"]["body"]));
    }
    let answer = rig
        .command(json!({"type": "test_webhook_transform", "args": {
            "webhook_url": "{{BASE}}/x",
            "env": {"BASE": "http://service.test"},
            "request_headers": [["X-A", "{{BASE}}"], ["X-B", "b"]],
            "session_variables": {"X-Hasura-Role": "user"},
            "body": {"a": [1, 2]},
            "request_transform": {
                "version": 2, "method": "POST", "url": "{{$base_url}}/{{$body.a[1]}}", "query_params": {"r": "{{$session_variables['x-hasura-role']}}"},
                "request_headers": {"remove_headers": ["x-b"]},
                "body": {"action": "x_www_form_urlencoded", "form_template": {"n": "{{$body.a[0]}}"}},
            },
        }}))
        .await;
    assert_eq!(
        answer,
        json!({
            "webhook_url": "http://service.test/x/2?r=user", "method": "POST", "body": "n=1",
            "headers": [["x-a", "http://service.test"]],
        })
    );
}

fn recorded_tests() -> Vec<Value> {
    if crate::support::shared_directory("vendor/hasura/recorded").is_none() {
        return Vec::new();
    }
    let named = |entry: &Value| entry["name"].as_str().unwrap().starts_with("test_webhook_transform");
    recorded::entries("metadata-api.json").into_iter().filter(named).collect()
}

#[tokio::test]
async fn what_cannot_be_tested_or_taken_is_refused_with_the_reason() {
    let rig = Rig::start(Setup::default()).await;
    let refused = async |ty: &str, args: Value| -> (String, Value, Value) {
        let body = json!({"type": ty, "args": args}).to_string();
        let (status, answer) = rig.send("POST", "/v1/metadata", &ADMIN, Some(body)).await;
        assert_eq!(status, 400, "{answer}");
        let text = |key: &str| answer[key].as_str().unwrap().to_owned();
        (text("code"), answer["error"].clone(), answer["internal"][0]["message"].clone())
    };
    let test = async |args: Value| refused("test_webhook_transform", args).await;
    let transform = json!({"version": 2});
    let missing = test(json!({"webhook_url": "{{NO}}/x", "body": {}, "request_transform": transform})).await;
    assert!(missing.0 == "not-found" && missing.1.as_str().unwrap().starts_with("Missing Env Var: NO. For security"));
    let from_env = test(json!({"webhook_url": {"from_env": "NO"}, "body": {}, "request_transform": transform})).await;
    assert_eq!((from_env.0.as_str(), from_env.1), ("not-found", json!("Missing Env Var")));
    assert_eq!(test(json!({"webhook_url": "http://x"})).await.1, json!("key \"body\" not found"));
    assert_eq!(
        test(json!({"webhook_url": "nowhere", "body": 1, "request_transform": transform})).await.2,
        json!("InvalidUrlException \"nowhere\" \"Invalid URL\"")
    );
    let broken = json!({"version": 2, "body": {"action": "transform", "template": "{{ $body. }}"}});
    let wanted =
        ("validation-failed".to_owned(), json!("request transform validation failed"), json!("Unexpected token '}}'."));
    assert_eq!(test(json!({"webhook_url": "http://x", "body": 1, "request_transform": broken})).await, wanted);
    let action = json!({"name": "a", "definition": {
        "handler": "http://x", "output_type": "String", "request_transform": broken,
    }});
    assert_eq!(refused("create_action", action).await, wanted);
}
