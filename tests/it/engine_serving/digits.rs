//! Numbers on their way: through requests, REST endpoints, actions and templates no digit is lost.

use serde_json::{Value, json};

use super::service::{Reply, Service};
use super::{Rig, SECRET, Setup, empty_metadata};

const ADMIN: &[(&str, &str)] = &[("x-hasura-admin-secret", SECRET)];
const LONG: &str = "123456789012345678901234567890.12345678901";
const SQL: &str = "create table sums (id int primary key, amount numeric, data jsonb);";

fn metadata() -> Value {
    let mut metadata = empty_metadata();
    metadata["sources"][0]["tables"] = json!([{"table": "sums"}]);
    let add = "mutation ($id: Int!, $amount: numeric, $data: jsonb) {
        insert_sums_one(object: {id: $id, amount: $amount, data: $data}) { id } }";
    let remove = "mutation ($id: Int) { delete_sums(where: {id: {_eq: $id}}) { affected_rows } }";
    metadata["query_collections"] = json!([{"name": "rest", "definition": {"queries": [
        {"name": "add", "query": add}, {"name": "remove", "query": remove}]}}]);
    let endpoint = |name: &str| {
        json!({"name": name, "url": name, "methods": ["POST"],
            "definition": {"query": {"collection_name": "rest", "query_name": name}}})
    };
    metadata["rest_endpoints"] = json!([endpoint("add"), endpoint("remove")]);
    metadata["custom_types"] = json!({
        "scalars": [{"name": "Anything"}],
        "objects": [{"name": "Told", "fields": [{"name": "total", "type": "Float"}, {"name": "raw", "type": "Anything"}]}],
    });
    let action = |name: &str, transform: Value| {
        let mut definition = json!({"type": "mutation", "kind": "synchronous", "handler": "{{SERVICE}}/tell",
            "output_type": "Told", "arguments": [{"name": "what", "type": "Anything"}, {"name": "more", "type": "Float"}]});
        if !transform.is_null() {
            definition["request_transform"] = transform;
        }
        json!({"name": name, "definition": definition})
    };
    let template = json!({"version": 2, "template_engine": "Kriti",
        "body": {"action": "transform", "template": "{\"w\": {{$body.input.what}}, \"t\": \"{{$body.input.what}}\"}"}});
    metadata["actions"] = json!([action("tell", Value::Null), action("rewritten", template)]);
    metadata
}

async fn rig(service: &Service) -> Rig {
    let env = vec![("SERVICE", service.url())];
    Rig::start(Setup { sql: SQL, metadata: Some(metadata()), env, ..Setup::default() }).await
}

async fn stored(rig: &Rig, id: i32) -> (String, String) {
    let select = "select amount::text, data::text from sums where id = $1";
    sqlx::query_as(select).bind(id).fetch_one(&rig.pool).await.unwrap()
}

/// The text of an answer.
async fn text(rig: &Rig, body: String) -> String {
    let request = rig.http.post(rig.url("/v1/graphql")).header("x-hasura-admin-secret", SECRET).body(body);
    request.send().await.unwrap().text().await.unwrap()
}

#[tokio::test]
async fn requests_and_rest_endpoints_store_what_they_are_given() {
    let rig = rig(&Service::start().await).await;
    let data = "{\"n\": [18446744073709551616, \"18446744073709551616\"]}";
    let add = "mutation ($a: numeric, $d: jsonb) { insert_sums_one(object: {id: 1, amount: $a, data: $d}) { id } }";
    let body = format!("{{\"query\": {}, \"variables\": {{\"a\": {LONG}, \"d\": {data}}}}}", json!(add));
    assert_eq!(text(&rig, body.clone()).await, "{\"data\":{\"insert_sums_one\":{\"id\":1}}}");
    assert_eq!(stored(&rig, 1).await, (LONG.to_owned(), data.to_owned()));
    let batch = format!("[{}]", body.replace("id: 1", "id: 2"));
    assert_eq!(text(&rig, batch).await, "[{\"data\":{\"insert_sums_one\":{\"id\":2}}}]");
    assert_eq!(stored(&rig, 2).await, (LONG.to_owned(), data.to_owned()));

    let body = format!("{{\"id\": 3, \"data\": {data}}}");
    let (status, answer) = rig.send("POST", &format!("/api/rest/add?amount={LONG}"), ADMIN, Some(body)).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(stored(&rig, 3).await, (LONG.to_owned(), data.to_owned()));
    // A variable that is not given is null, and a filter that names it is no filter that holds of all rows.
    let (status, answer) = rig.send("POST", "/api/rest/remove", ADMIN, None).await;
    assert_eq!((status, &answer["error"]), (400, &json!("unexpected null value for type 'Int'")));
    assert_eq!(stored(&rig, 3).await.0, LONG);

    let mark = json!({"query": "{ sums { id } }", "variables": {"x": "\u{10FFFE}1"}}).to_string();
    assert!(text(&rig, mark).await.contains("invalid-json"), "nobody sends a text that would be taken for a number");
}

#[tokio::test]
async fn actions_are_asked_and_answered_with_all_digits() {
    let service = Service::start().await;
    let rig = rig(&service).await;
    let raw = format!("{{\"n\":18446744073709551616,\"l\":[{LONG},1,\"x\"]}}");
    service.reply([Reply::new(200, format!("{{\"total\": {LONG}, \"raw\": {raw}}}"))]);
    let ask = "mutation ($w: Anything) { tell(what: $w, more: 33.333333333333336) { total raw } }";
    let answer = text(&rig, format!("{{\"query\": {}, \"variables\": {{\"w\": {raw}}}}}", json!(ask))).await;
    assert_eq!(answer, format!("{{\"data\":{{\"tell\":{{\"total\":{LONG},\"raw\":{raw}}}}}}}"));
    let asked = &service.wait_for(1).await[0].text;
    assert!(asked.contains(&format!("\"input\":{{\"what\":{raw},\"more\":33.333333333333336}}")), "{asked}");

    let ask = "mutation { rewritten(what: 18446744073709551616) { total } }";
    text(&rig, json!({"query": ask}).to_string()).await;
    let asked = &service.wait_for(2).await[1].text;
    assert_eq!(asked, "{\"w\":18446744073709551616,\"t\":\"18446744073709551616\"}");
    // What is not given is null.
    text(&rig, json!({"query": "mutation ($w: Anything) { tell(what: $w) { total } }"}).to_string()).await;
    let asked = &service.wait_for(3).await[2].text;
    assert!(asked.contains("\"input\":{\"what\":null}"), "{asked}");
}

#[tokio::test]
async fn metadata_and_templates_keep_all_digits() {
    let rig = rig(&Service::start().await).await;
    let command = async |body: String| {
        let (status, _) = rig.send("POST", "/v1/metadata", ADMIN, Some(body.clone())).await;
        assert_eq!(status, 200, "{body}");
        let request = rig.http.post(rig.url("/v1/metadata")).header("x-hasura-admin-secret", SECRET);
        request.body("{\"type\":\"export_metadata\",\"args\":{}}").send().await.unwrap().text().await.unwrap()
    };
    rig.admin("mutation { insert_sums(objects: [{id: 7, amount: 1}]) { affected_rows } }").await;
    let table = "\"source\":\"default\",\"table\":\"sums\",\"role\":\"r\"";
    let exported = command(format!(
        "{{\"type\":\"pg_create_update_permission\",\"args\":{{{table},\"permission\":{{\"columns\":[\"id\"],\"filter\":{{\"amount\":{{\"_neq\":{LONG}}}}},\
         \"set\":{{\"amount\":{LONG},\"data\":{{\"n\":[{LONG}]}}}}}}}}}}"
    ))
    .await;
    assert_eq!(exported.matches(LONG).count(), 3, "{exported}");
    let update = "mutation { update_sums(where: {}, _set: {id: 7}) { affected_rows } }";
    let role = [("x-hasura-admin-secret", SECRET), ("x-hasura-role", "r")];
    for rows in [1, 0] {
        let (_, answer) = rig.send("POST", "/v1/graphql", &role, Some(json!({"query": update}).to_string())).await;
        assert_eq!(answer["data"]["update_sums"]["affected_rows"], json!(rows), "{answer}");
    }
    assert_eq!(stored(&rig, 7).await, (LONG.to_owned(), format!("{{\"n\": [{LONG}]}}")));

    command(format!(
        "{{\"type\":\"create_scheduled_event\",\"args\":{{\"webhook\":\"http://127.0.0.1:9/\",\"schedule_at\":\"2999-01-01T00:00:00Z\",\"payload\":{{\"n\":{LONG}}}}}}}"
    ))
    .await;
    let kept: String = sqlx::query_scalar("select payload::text from hdb_catalog.hdb_scheduled_events")
        .fetch_one(&rig.pool)
        .await
        .unwrap();
    assert_eq!(kept, format!("{{\"n\":{LONG}}}"));

    let template = "[{{$body.n}}, 12345678901234567890123, {{size($body.n)}}, {{empty($body.n)}}, {{head($body.l)}}, \
         {{concat([$body.l, $body.l])}}, {{$body.n == 18446744073709551617}}, {{inverse([$body.n, 1])}}]";
    let body = format!(
        "{{\"type\":\"test_webhook_transform\",\"args\":{{\"webhook_url\":\"http://x\",\"body\":{{\"n\":{LONG},\"l\":[18446744073709551616]}},\
         \"request_transform\":{{\"version\":2,\"template_engine\":\"Kriti\",\"body\":{{\"action\":\"transform\",\"template\":{}}}}}}}}}",
        json!(template)
    );
    let request = rig.http.post(rig.url("/v1/metadata")).header("x-hasura-admin-secret", SECRET).body(body);
    let shown = request.send().await.unwrap().text().await.unwrap();
    let n = "18446744073709551616";
    let expected = format!("[{LONG},12345678901234567890123,{LONG},false,{n},[{n},{n}],false,[1,{LONG}]]");
    assert!(shown.contains(&expected), "{shown}\n{expected}");
}
