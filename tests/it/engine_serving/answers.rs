//! Synchronous actions and remote schemas: which answers fit, where redirects lead, what reaches the handler, and the
//! cookies and statuses that reach the client.

use axum::http::Method;
use serde_json::{Value, json};

use super::service::{Reply, Service};
use super::{Rig, SECRET, Setup, empty_metadata};

const USER: &[(&str, &str)] =
    &[("x-hasura-admin-secret", SECRET), ("x-hasura-role", "user"), ("x-hasura-user-id", "1")];

fn metadata() -> Value {
    let mut metadata = empty_metadata();
    metadata["sources"][0]["tables"] = json!([{"table": "things", "insert_permissions": [
        {"role": "worker", "permission": {"columns": "*", "check": {}, "backend_only": true}}]}]);
    metadata["custom_types"] = json!({
        "objects": [
            {"name": "Shop", "fields": [{"name": "id", "type": "String!"}, {"name": "owner", "type": "Person"}, {"name": "tags", "type": "[String!]"}]},
            {"name": "Person", "fields": [{"name": "name", "type": "String!"}]},
        ],
        "input_objects": [{"name": "Filter", "fields": [{"name": "ids", "type": "[Int!]"}, {"name": "more", "type": "[Filter!]"}]}],
        "scalars": [{"name": "jsonb"}],
    });
    let action = |name: &str, output: &str| {
        json!({
            "name": name, "permissions": [{"role": "user"}],
            "definition": {
                "type": "query", "handler": format!("{{{{SERVICE}}}}/{name}"), "output_type": output, "forward_client_headers": true,
                "headers": [{"name": "x-secret", "value": "of the metadata"}],
                "arguments": [{"name": "ids", "type": "[Int!]"}, {"name": "filter", "type": "Filter"}],
            },
        })
    };
    metadata["actions"] = json!([
        action("shop", "Shop!"),
        action("shops", "[Shop!]"),
        action("anything", "jsonb"),
        action("word", "String"),
        action("words", "[String!]!"),
        action("number", "Int"),
    ]);
    let queries =
        json!([{"name": "word", "query": "query { word }"}, {"name": "remote", "query": "query { greeting }"}]);
    metadata["query_collections"] = json!([{"name": "rest", "definition": {"queries": queries}}]);
    let endpoint = |name: &str| {
        json!({"name": name, "url": name, "methods": ["GET"],
        "definition": {"query": {"collection_name": "rest", "query_name": name}}})
    };
    metadata["rest_endpoints"] = json!([endpoint("word"), endpoint("remote")]);
    metadata["remote_schemas"] = json!([{
        "name": "greeter", "definition": {"url": "{{SERVICE}}/graphql"},
        "permissions": [{"role": "user", "definition": {"schema": "schema { query: Query } type Query { greeting: String }"}}],
    }]);
    metadata
}

/// The introspection of the remote schema, as its first answer.
fn introspected() -> Value {
    let scalar = |name: &str| json!({"kind": "SCALAR", "name": name});
    json!({"data": {"__schema": {
        "queryType": {"name": "Query"}, "mutationType": null, "subscriptionType": null, "directives": [],
        "types": [
            {"kind": "OBJECT", "name": "Query", "interfaces": [], "fields": [{"name": "greeting", "args": [], "isDeprecated": false,
                "type": {"kind": "SCALAR", "name": "String", "ofType": null}}]},
            scalar("String"), scalar("Boolean"),
        ],
    }}})
}

async fn rig() -> (Rig, Service) {
    let service = Service::start().await;
    service.reply([Reply::new(200, introspected())]);
    let rig = Rig::start(Setup {
        sql: "create table things (id int primary key)",
        metadata: Some(metadata()),
        env: vec![("SERVICE", service.url())],
        ..Setup::default()
    })
    .await;
    (rig, service)
}

async fn ask(rig: &Rig, text: &str) -> Value {
    rig.ask(USER, &json!({"query": text})).await
}

#[tokio::test]
async fn an_actions_answer_is_held_against_its_type_as_in_hasura() {
    let (rig, service) = rig().await;
    let good = [
        ("{ anything }", json!([1, {"a": null}]), json!({"anything": [1, {"a": null}]})),
        ("{ anything }", json!({"a": [1]}), json!({"anything": {"a": [1]}})),
        ("{ words }", json!(["a", "b"]), json!({"words": ["a", "b"]})),
        ("{ word }", Value::Null, json!({"word": null})),
        // What is nested is let through, and selected as far as it has the form.
        (
            "{ shop { id owner { name } tags } }",
            json!({"id": "s", "owner": {"name": null}, "tags": "x"}),
            json!({"shop": {"id": "s", "owner": {"name": null}, "tags": "x"}}),
        ),
        (
            "{ shop { id owner { name } } }",
            json!({"id": 5, "owner": {}}),
            json!({"shop": {"id": 5, "owner": {"name": null}}}),
        ),
        ("{ shop { owner { name } } }", json!({"id": "s", "owner": "x"}), json!({"shop": {"owner": null}})),
    ];
    for (text, reply, data) in good {
        service.reply([Reply::new(200, &reply)]);
        assert_eq!(ask(&rig, text).await, json!({"data": data}), "{text} {reply}");
    }
    let bad = [
        ("{ word }", json!(5), "got scalar String for the action webhook response, expecting String"),
        ("{ word }", json!({"a": 1}), "got object for the action webhook response, expecting String"),
        ("{ word }", json!(["a"]), "got array for the action webhook response, expecting String"),
        ("{ words }", json!("a"), "expecting array for the action webhook response"),
        ("{ number }", json!(true), "got scalar Boolean for the action webhook response, expecting Int"),
        ("{ shop { tags } }", json!({"id": null}), "expecting not null value for field \"id\""),
        ("{ shop { tags } }", json!({}), "field \"id\" expected in webhook response, but not found"),
        ("{ shops { id } }", json!([null]), "got null for the action webhook response"),
    ];
    for (text, reply, message) in bad {
        service.reply([Reply::new(200, &reply)]);
        let answer = ask(&rig, text).await;
        assert_eq!(answer["errors"][0]["message"], message, "{text} {reply}: {answer}");
        assert_eq!(answer["errors"][0]["extensions"], json!({"path": "$", "code": "unexpected"}));
    }
}

#[tokio::test]
async fn a_single_value_reaches_the_handler_as_the_list_that_is_declared() {
    let (rig, service) = rig().await;
    let before = service.received().len();
    for (text, variables) in [
        ("{ word(ids: 7, filter: {ids: 1, more: {ids: [2]}}) }", json!({})),
        (
            "query ($i: Int!, $f: Filter) { word(ids: [$i], filter: $f) }",
            json!({"i": 7, "f": {"ids": 1, "more": {"ids": [2]}}}),
        ),
    ] {
        service.reply([Reply::new(200, json!("ok"))]);
        let answer = rig.ask(USER, &json!({"query": text, "variables": variables})).await;
        assert_eq!(answer, json!({"data": {"word": "ok"}}), "{text}");
    }
    for received in &service.received()[before..] {
        assert_eq!(received.body["input"], json!({"ids": [7], "filter": {"ids": [1], "more": [{"ids": [2]}]}}));
    }
}

#[tokio::test]
async fn redirects_are_followed_and_secrets_stay_with_their_host() {
    let (rig, service) = rig().await;
    let elsewhere = Service::start().await;
    for (status, method) in
        [(301, Method::POST), (302, Method::GET), (303, Method::GET), (307, Method::POST), (308, Method::POST)]
    {
        let before = service.received().len();
        service.reply([Reply::new(status, "").with("location", "/moved"), Reply::new(200, json!("there"))]);
        assert_eq!(ask(&rig, "{ word }").await, json!({"data": {"word": "there"}}), "{status}");
        let [first, second] = &service.received()[before..] else { panic!("two requests were awaited") };
        assert_eq!((&second.method, second.path.as_str()), (&method, "/moved"), "{status}");
        assert_eq!(second.headers["x-secret"], "of the metadata");
        assert_eq!(second.body, if method == Method::POST { first.body.clone() } else { Value::Null }, "{status}");
    }
    let to = format!("{}/word", elsewhere.url());
    service.reply([Reply::new(307, "").with("location", &to)]);
    elsewhere.reply([Reply::new(200, json!("elsewhere"))]);
    assert_eq!(ask(&rig, "{ word }").await, json!({"data": {"word": "elsewhere"}}));
    let received = elsewhere.received();
    assert!(received[0].headers.get("x-secret").is_none() && received[0].body["action"]["name"] == "word");
    // One that leads nowhere is an answer like any other; a circle ends.
    service.reply([Reply::new(302, "")]);
    assert_eq!(ask(&rig, "{ word }").await["errors"][0]["message"], "not a valid json response from webhook");
    service.reply((0..11).map(|_| Reply::new(307, "").with("location", "/again")));
    let answer = rig.ask(&[("x-hasura-admin-secret", SECRET)], &json!({"query": "{ word }"})).await;
    assert_eq!(answer["errors"][0]["message"], "http exception when calling webhook", "{answer}");
    assert_eq!(answer["errors"][0]["extensions"]["internal"]["error"]["message"], "too many redirects");
}

#[tokio::test]
async fn cookies_of_a_remote_schema_reach_the_client() {
    let (rig, service) = rig().await;
    let reply = || {
        Reply::new(200, json!({"data": {"greeting": "hello"}}))
            .with("set-cookie", "a=b; Path=/")
            .with("set-cookie", "c=d")
    };
    for (path, method, body) in [
        ("/v1/graphql", Method::POST, json!({"query": "{ greeting }"}).to_string()),
        ("/v1/graphql", Method::POST, json!([{"query": "{ greeting }"}]).to_string()),
        ("/api/rest/remote", Method::GET, String::new()),
    ] {
        service.reply([reply()]);
        let request = rig.http.request(method, rig.url(path)).header("x-hasura-admin-secret", SECRET);
        let response = request.header("x-hasura-role", "user").body(body).send().await.unwrap();
        let cookies: Vec<&str> =
            response.headers().get_all("set-cookie").iter().map(|value| value.to_str().unwrap()).collect();
        assert_eq!(cookies, ["a=b; Path=/", "c=d"], "{path}");
        assert_eq!(response.status(), 200);
    }
}

#[tokio::test]
async fn an_endpoint_says_what_a_webhook_or_remote_schema_refused() {
    let (rig, service) = rig().await;
    let get = async |path: &str, reply: Reply| {
        service.reply([reply]);
        rig.send("GET", &format!("/api/rest/{path}"), USER, None).await
    };
    let refusal = |code: &str| json!({"message": "no such thing", "extensions": {"code": code, "field": "id"}});
    let refused = |code: &str| json!({"error": "no such thing", "path": "$", "code": code, "field": "id"});
    for status in [404, 409, 422, 429] {
        let (got, answer) = get("word", Reply::new(status, refusal("not-found"))).await;
        assert_eq!((got, answer), (status, refused("not-found")));
    }
    for (code, status) in
        [("not-found", 404), ("forbidden", 403), ("rate-limited", 429), ("unavailable", 503), ("own", 500)]
    {
        let (got, answer) = get("remote", Reply::new(200, json!({"data": null, "errors": [refusal(code)]}))).await;
        assert_eq!((got, answer), (status, refused(code)));
    }
    let (got, answer) = get("remote", Reply::new(200, json!({"errors": [{"message": "no"}]}))).await;
    assert_eq!((got, answer), (500, json!({"error": "no", "path": "$", "code": "unexpected"})));
    service.reply([Reply::new(404, refusal("not-found"))]);
    let (status, answer) = rig.send("POST", "/v1/graphql", USER, Some(json!({"query": "{ word }"}).to_string())).await;
    assert_eq!((status, &answer["errors"][0]["extensions"]), (200, &json!({"code": "not-found", "field": "id"})));
}

#[tokio::test]
async fn backend_only_mutations_are_for_who_says_so_in_a_boolean() {
    let (rig, _service) = rig().await;
    let ask = async |value: Option<&str>, text: &str| {
        let mut headers = vec![("x-hasura-admin-secret", SECRET), ("x-hasura-role", "worker")];
        headers.extend(value.map(|value| ("x-hasura-use-backend-only-permissions", value)));
        rig.ask(&headers, &json!({"query": text})).await
    };
    for value in ["true", "T", "yes", "Y"] {
        assert_eq!(ask(Some(value), "mutation { __typename }").await, json!({"data": {"__typename": "mutation_root"}}));
    }
    for value in [None, Some("false"), Some("f"), Some("NO"), Some("n")] {
        let answer = ask(value, "mutation { __typename }").await;
        assert_eq!(answer["errors"][0]["message"], "no mutations exist", "{value:?}: {answer}");
    }
    for value in ["1", "", "on", "wahr"] {
        let answer = ask(Some(value), "mutation { __typename }").await;
        assert_eq!(
            answer["errors"][0],
            json!({
                "message": "x-hasura-use-backend-only-permissions:  Not a valid boolean text. True values are \
                    [\"true\",\"t\",\"yes\",\"y\"] and  False values are [\"false\",\"f\",\"no\",\"n\"]. All values are case insensitive",
                "extensions": {"path": "$", "code": "bad-request"},
            }),
            "{value}"
        );
    }
}
