//! RESTified endpoints: arguments of every kind from path, query string and body, and how requests are refused.

use serde_json::{Value, json};

use super::{Rig, SECRET, Setup, empty_metadata};

const ADMIN: &[(&str, &str)] = &[("x-hasura-admin-secret", SECRET)];
const USER: &[(&str, &str)] = &[("x-hasura-admin-secret", SECRET), ("x-hasura-role", "user")];

const SQL: &str = "create table things (id int primary key, name text, fine bool, ref uuid, big bigint, ratio float8, \
    doc jsonb, tags text[], day date); insert into things (id, name) values (1, 'one'), (2, 'two words');";

const ADD: &str = "mutation ($id: Int!, $name: String, $fine: Boolean, $ref: uuid, $big: bigint, $ratio: float8, \
    $doc: jsonb, $tags: [String!], $day: date) { insert_things_one(object: {id: $id, name: $name, fine: $fine, ref: $ref, \
    big: $big, ratio: $ratio, doc: $doc, tags: $tags, day: $day}) { id name fine ref big ratio doc tags day } }";

async fn rig() -> Rig {
    let queries = [
        ("thing", "query ($id: Int!) { things_by_pk(id: $id) { id name } }"),
        ("named", "query ($name: String!) { things(where: {name: {_eq: $name}}) { id } }"),
        (
            "list",
            "query ($limit: Int = 1, $more: Boolean! = false) { things(limit: $limit, order_by: {id: asc}) { id name @include(if: $more) } }",
        ),
        ("add", ADD),
        ("live", "subscription { things { id } }"),
    ];
    let endpoint = |name: &str, url: &str, methods: Value| json!({"name": name, "url": url, "methods": methods, "definition": {"query": {"collection_name": "rest", "query_name": name}}});
    let mut metadata = empty_metadata();
    metadata["sources"][0]["tables"] = json!([{
        "table": "things",
        "select_permissions": [{"role": "user", "permission": {"columns": ["id"], "filter": {"id": {"_eq": 1}}}}],
    }]);
    let queries: Vec<Value> = queries.iter().map(|(name, query)| json!({"name": name, "query": query})).collect();
    metadata["query_collections"] = json!([{"name": "rest", "definition": {"queries": queries}}]);
    metadata["rest_endpoints"] = json!([
        endpoint("thing", "thing/:id", json!(["GET", "POST"])),
        endpoint("named", "named/:name", json!(["GET"])),
        endpoint("list", "list", json!(["GET", "PUT"])),
        endpoint("add", "add", json!(["POST", "PATCH"])),
        endpoint("live", "live", json!(["GET"])),
    ]);
    Rig::start(Setup { sql: SQL, metadata: Some(metadata), ..Setup::default() }).await
}

#[tokio::test]
async fn arguments_of_every_kind_come_from_path_query_string_and_body() {
    let rig = rig().await;
    let get = async |path: &str| rig.send("GET", &format!("/api/rest/{path}"), ADMIN, None).await;
    assert_eq!(get("thing/1").await, (200, json!({"things_by_pk": {"id": 1, "name": "one"}})));
    assert_eq!(get("thing/9").await, (200, json!({"things_by_pk": null})));
    assert_eq!(get("named/two%20words").await, (200, json!({"things": [{"id": 2}]})));
    assert_eq!(get("list").await, (200, json!({"things": [{"id": 1}]})), "defaults of the document");
    assert_eq!(get("list?limit=").await, (200, json!({"things": [{"id": 1}]})), "an empty text is no value");
    let both = json!({"things": [{"id": 1, "name": "one"}, {"id": 2, "name": "two words"}]});
    assert_eq!(get("list?limit=2&more").await, (200, both.clone()), "a name alone is true");
    let (status, answer) =
        rig.send("PUT", "/api/rest/list?limit=1&more=true", ADMIN, Some(json!({"limit": 5}).to_string())).await;
    assert_eq!((status, answer), (200, both), "the body counts before the query string");
    let (status, answer) = rig.send("POST", "/api/rest/thing/2", ADMIN, Some(json!({"id": 1}).to_string())).await;
    assert_eq!((status, answer["things_by_pk"]["id"].as_i64()), (200, Some(2)), "the path counts before the body");

    let reference = "5f2b8a5e-8a2b-4a51-9a49-3e1d62c5b1a7";
    let texts =
        format!("id=3&name=7&fine=false&ref={reference}&big=9007199254740993&ratio=1.5&doc=%7B%7D&day=2024-02-29");
    let (status, answer) = rig.send("POST", &format!("/api/rest/add?{texts}"), ADMIN, None).await;
    let row = json!({"id": 3, "name": "7", "fine": false, "ref": reference, "big": 9_007_199_254_740_993_i64, "ratio": 1.5,
        "doc": "{}", "tags": null, "day": "2024-02-29"});
    assert_eq!((status, answer), (200, json!({"insert_things_one": row})));
    let row = json!({"id": 4, "name": "b", "fine": true, "ref": reference, "big": 5, "ratio": 2.0, "doc": {"a": [1]},
        "tags": ["x", "y z"], "day": null});
    let (status, answer) = rig.send("PATCH", "/api/rest/add", ADMIN, Some(row.to_string())).await;
    assert_eq!(
        (status, &answer["insert_things_one"]["doc"], &answer["insert_things_one"]["tags"]),
        (200, &row["doc"], &row["tags"]),
        "{answer}"
    );
}

#[tokio::test]
async fn a_trailing_slash_and_a_form_are_as_good() {
    let rig = rig().await;
    let (status, answer) = rig.send("GET", "/api/rest/thing/1/", ADMIN, None).await;
    assert_eq!((status, answer), (200, json!({"things_by_pk": {"id": 1, "name": "one"}})));
    let (status, answer) = rig.send("GET", "/api/rest/list/?limit=1", ADMIN, None).await;
    assert_eq!((status, answer), (200, json!({"things": [{"id": 1}]})));
    let form = [("x-hasura-admin-secret", SECRET), ("content-type", "application/x-www-form-urlencoded")];
    let body = Some("id=6&name=a+b%26c&fine=true&ratio=0.5".to_owned());
    let (status, answer) = rig.send("POST", "/api/rest/add?name=other&id=1", &form, body).await;
    assert_eq!(status, 200, "{answer}");
    let row = &answer["insert_things_one"];
    assert_eq!(
        (&row["id"], &row["name"], &row["fine"], &row["ratio"]),
        (&json!(6), &json!("a b&c"), &json!(true), &json!(0.5))
    );
    let (status, answer) = rig.send("POST", "/api/rest/add", &form, Some("nothing=1".to_owned())).await;
    assert_eq!((status, answer["error"].as_str()), (400, Some("Unexpected variable nothing")), "{answer}");
    let (status, answer) = rig.send("POST", "/api/rest/add", &form, None).await;
    assert_eq!((status, answer["code"].as_str()), (400, Some("validation-failed")), "`id` is required: {answer}");
}

#[tokio::test]
async fn what_does_not_fit_is_refused_with_a_status() {
    let rig = rig().await;
    let body = |value: Value| Some(value.to_string());
    let expected_int =
        |found: &str| format!("expected a non-negative 32-bit integer for type 'Int', but found {found}");
    let cases = [
        ("GET", "nothing", None, 404, "not-found", "$", "Endpoint not found".to_owned()),
        ("GET", "thing/1/2", None, 404, "not-found", "$", "Endpoint not found".to_owned()),
        ("DELETE", "thing/1", None, 405, "method-not-allowed", "$", "Allowed methods: GET, POST".to_owned()),
        ("OPTIONS", "thing/1", None, 400, "bad-request", "$", "Method OPTIONS not supported.".to_owned()),
        ("GET", "thing/1?other=2", None, 400, "bad-request", "$", "Unexpected variable other".to_owned()),
        ("POST", "thing/1", body(json!({"other": 2})), 400, "bad-request", "$", "Unexpected variable other".to_owned()),
        (
            "POST",
            "add?id=5&tags=a",
            None,
            400,
            "bad-request",
            "$",
            "List variables are not currently supported in URL or Query parameters. (Variable tags, with value \"a\")"
                .to_owned(),
        ),
        (
            "POST",
            "add",
            None,
            400,
            "validation-failed",
            "$",
            "expecting a value for non-nullable variable: \"id\"".to_owned(),
        ),
        (
            "POST",
            "add",
            body(json!({"id": null})),
            400,
            "validation-failed",
            "$",
            "null value found for non-nullable type: \"Int!\"".to_owned(),
        ),
        (
            "GET",
            "list?limit=many",
            None,
            400,
            "validation-failed",
            "$.selectionSet.things.args.limit",
            expected_int("a string"),
        ),
        (
            "GET",
            "list?more=1",
            None,
            400,
            "validation-failed",
            "$.selectionSet.things.selectionSet.name.include.if",
            "expected a boolean for type 'Boolean'".to_owned(),
        ),
        (
            "GET",
            "live",
            None,
            400,
            "unexpected-payload",
            "$",
            "subscriptions are not supported over HTTP, use websockets instead".to_owned(),
        ),
    ];
    for (method, path, body, status, code, place, message) in cases {
        let (got, answer) = rig.send(method, &format!("/api/rest/{path}"), ADMIN, body).await;
        let told = (got, answer["code"].as_str().unwrap_or_default(), answer["path"].as_str().unwrap_or_default());
        assert_eq!(told, (status, code, place), "{method} {path}: {answer}");
        // Where the engine says more than the start, that is no fault.
        let said = answer["error"].as_str().unwrap_or_default();
        assert!(said.starts_with(&message), "{method} {path}: {said}, not {message}");
        assert!(answer.get("errors").is_none() && answer.get("data").is_none(), "{answer}");
    }
    let (status, answer) = rig.send("POST", "/api/rest/add?id=5&ref=nothing", ADMIN, None).await;
    assert_eq!((status, answer["code"].as_str()), (400, Some("data-exception")), "{answer}");
    let (status, answer) = rig.send("POST", "/api/rest/add?id=1", ADMIN, None).await;
    assert_eq!((status, answer["code"].as_str()), (400, Some("constraint-violation")), "{answer}");
}

#[tokio::test]
async fn an_endpoint_is_asked_as_who_asks() {
    let rig = rig().await;
    let (status, answer) = rig.send("GET", "/api/rest/list?limit=5&more=true", USER, None).await;
    assert_eq!(
        (status, answer["code"].as_str()),
        (400, Some("validation-failed")),
        "`name` is not the role's: {answer}"
    );
    let (status, answer) = rig.send("POST", "/api/rest/add?id=9", USER, None).await;
    assert_eq!((status, answer["error"].as_str()), (400, Some("no mutations exist")), "{answer}");
    let (status, answer) = rig.send("GET", "/api/rest/list", &[], None).await;
    assert_eq!((status, answer["code"].as_str()), (401, Some("access-denied")), "{answer}");
}
