//! What one caller may take of the engine: introspection, tokens, rows, turns and rates, on the product's own metadata and
//! on a table whose rows are slow.

use std::time::{Duration, Instant};

use northstack::engine::serving::{OperationRates, TurnLimits};
use serde_json::{Value, json};
use sqlx::postgres::PgPoolOptions;

use super::live::{Client, Heard};
use super::settings::{ADMIN, USER, code, product, query};
use super::{Rig, SECRET, Setup, empty_metadata};

/// A selection of nearly all that introspection shows of a type.
const FULL: &str = "name description fields { name description args { name description type { name } } type { name } } \
    inputFields { name description type { name ofType { name } } }";

/// What tools send, with everything that they may ask for.
const USUAL: &str = "query IntrospectionQuery { __schema { description queryType { name kind } mutationType { name kind } \
    subscriptionType { name kind } types { ...FullType } \
    directives { name description isRepeatable locations args(includeDeprecated: true) { ...InputValue } } } } \
    fragment FullType on __Type { kind name description specifiedByURL \
      fields(includeDeprecated: true) { name description args(includeDeprecated: true) { ...InputValue } type { ...TypeRef } \
        isDeprecated deprecationReason } \
      inputFields(includeDeprecated: true) { ...InputValue } interfaces { ...TypeRef } \
      enumValues(includeDeprecated: true) { name description isDeprecated deprecationReason } possibleTypes { ...TypeRef } } \
    fragment InputValue on __InputValue { name description type { ...TypeRef } defaultValue isDeprecated deprecationReason } \
    fragment TypeRef on __Type { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name \
      ofType { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name } } } } } } } } } }";

fn aliased(count: usize, field: &str) -> String {
    let fields: String = (0..count).map(|at| format!(" a{at}: {field}")).collect();
    format!("{{{fields} }}")
}

#[tokio::test(flavor = "multi_thread")]
async fn introspection_answers_tools_and_no_more_however_it_is_asked() {
    let (rig, _service) = product(|_| {}).await;
    for who in [ADMIN, USER, &[]] {
        let answer = rig.ask(who, &query(USUAL)).await;
        assert!(answer["data"]["__schema"]["types"].is_array(), "{answer}");
        let names: Vec<&str> = answer["data"]["__schema"]["types"]
            .as_array()
            .unwrap()
            .iter()
            .map(|ty| ty["name"].as_str().unwrap())
            .collect();
        assert!(names.is_sorted() && names.contains(&"__Schema"), "{names:?}");
        let directives = answer["data"]["__schema"]["directives"].as_array().unwrap();
        let directives: Vec<&str> = directives.iter().map(|one| one["name"].as_str().unwrap()).collect();
        assert_eq!(directives, ["include", "skip", "cached"]);
    }
    let types = format!("__schema {{ types {{ {FULL} }} }}");
    // Through every wrapper, so that rows lead to their lists and these back to rows.
    let leaf = "name fields { name description args { name description } }".to_owned();
    let deep = (0..3).fold(leaf, |under, _| {
        format!("fields {{ type {{ {under} ofType {{ {under} ofType {{ ofType {{ {under} }} }} }} }} }}")
    });
    let deep = format!("{{ __schema {{ types {{ {deep} }} }} }}");
    for text in [
        aliased(20, &types),
        aliased(90, &types),
        format!("{{ __schema {} }}", aliased(90, &format!("types {{ {FULL} }}"))),
        format!("{{ __schema {{ types {} }} }}", aliased(90, "fields { name description type { name } }")),
        deep.clone(),
        aliased(
            90,
            "__type(name: \"query_root\") { fields { name description type { fields { name description args { name description } } } } }",
        ),
    ] {
        let begun = Instant::now();
        let answer = rig.ask(USER, &query(&text)).await;
        assert_eq!(code(&answer), "node-limit-exceeded", "{text:.100}: {answer:.300}");
        assert!(begun.elapsed() < Duration::from_secs(20), "{text:.100}: {:?}", begun.elapsed());
    }
    let message = rig.ask(USER, &query(&deep)).await["errors"][0]["message"].to_string();
    assert!(message.contains("the answer to introspection has over"), "not for its few fields: {message}");
    // A batch has what one operation has.
    for who in [USER, &[]] {
        let one = query("{ __schema { queryType { name } } }");
        let other = query("{ __typename }");
        let answer = rig.ask(who, &json!([one, other, one, one])).await;
        assert_eq!(answer[0]["data"]["__schema"]["queryType"]["name"], "query_root", "{answer}");
        assert_eq!(answer[1]["data"]["__typename"], "query_root", "{answer}");
        assert_eq!((code(&answer[2]), code(&answer[3])), ("batch-limit-exceeded", "batch-limit-exceeded"), "{answer}");
    }
    let small = aliased(99, "__schema { queryType { name } }");
    assert!(rig.ask(&[], &query(&small)).await["data"].is_object(), "what is small may be asked often");
    assert!(rig.ask(ADMIN, &query(&aliased(3, &types))).await["data"].is_object(), "the administrator has no bounds");
}

#[tokio::test(flavor = "multi_thread")]
async fn introspection_says_what_was_selected_and_merges_what_is_selected_twice() {
    let (rig, _service) = product(|_| {}).await;
    let text = "query ($all: Boolean = false) { \
        t: __type(name: \"teams\") { __typename kind ofType { name } ...n } t: __type(name: \"teams\") { name } \
        c: __type(name: \"mutation_root\") { fields(includeDeprecated: $all) @skip(if: true) { type { kind ofType { kind ofType { name } } } } name } \
        i: __type(name: \"teams_bool_exp\") { inputFields { name type { kind name ofType { kind } } } fields { name } } \
        none: __type(name: \"nothing\") { name } } \
        fragment n on __Type { name ... on __Type { description } ... on __Field { nothing } }";
    let answer = rig.ask(USER, &query(text)).await;
    let teams = &answer["data"]["t"];
    assert_eq!(answer["data"]["c"], json!({"name": "mutation_root"}), "{answer}");
    assert_eq!(
        (&teams["__typename"], &teams["kind"], &teams["name"]),
        (&json!("__Type"), &json!("OBJECT"), &json!("teams"))
    );
    assert_eq!((teams["ofType"].clone(), &answer["data"]["none"]), (Value::Null, &Value::Null), "{answer}");
    assert!(teams["description"].is_string() && answer["data"]["i"]["fields"].is_null());
    let keys: Vec<&String> = teams.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["__typename", "kind", "ofType", "name", "description"], "in the order of the selection");
    for (text, message) in [
        (
            "{ __schema { a: types { name } a: directives { name } } }",
            "selection of both 'types' and 'directives' on the same response key 'a'",
        ),
        (
            "{ __type(name: \"teams\") { fields { name } fields(includeDeprecated: true) { name } } }",
            "inconsistent arguments between multiple selections of field 'fields'",
        ),
    ] {
        assert_eq!(rig.ask(USER, &query(text)).await["errors"][0]["message"], message);
    }
}

#[tokio::test]
async fn tokens_are_bounded_in_words_that_fit_and_not_for_admin() {
    let (rig, _service) = product(|engine| engine.max_tokens = 1_000).await;
    let rows: String = (0..400).map(|at| format!("{{name: \"n{at}\", slug: \"s{at}\"}}")).collect();
    let text = format!("mutation {{ insert_teams(objects: [{rows}]) {{ affected_rows }} }}");
    let answer = rig.ask(USER, &query(&text)).await;
    assert_eq!(
        answer["errors"][0],
        json!({"message": "the document has over 1000 tokens; at most 1000 are allowed",
            "extensions": {"path": "$", "code": "token-limit-exceeded"}})
    );
    let answer = rig.ask(ADMIN, &query(&text)).await;
    assert_ne!(code(&answer), "token-limit-exceeded", "{answer}");
    let (rig, _service) = product(|_| {}).await;
    let rows: String = (0..2_000).map(|at| format!("{{name: \"n{at}\", slug: \"s{at}\"}}")).collect();
    let text = format!("mutation {{ insert_teams(objects: [{rows}]) {{ affected_rows }} }}");
    assert_ne!(code(&rig.ask(USER, &query(&text)).await), "token-limit-exceeded", "thousands of rows by default");
}

#[tokio::test]
async fn lists_within_lists_are_bounded_by_the_rows_that_they_may_come_to() {
    let (rig, _service) = product(|_| {}).await;
    let circle = |times: usize, limit: &str| {
        format!(
            "{{ applications{limit} {{ {} id {} }} }}",
            format!("project {{ applications{limit} {{ ").repeat(times),
            "} }".repeat(times)
        )
    };
    assert!(rig.ask(USER, &query(&circle(2, ""))).await["data"].is_object(), "three lists within each other");
    let answer = rig.ask(USER, &query(&circle(3, ""))).await;
    assert_eq!(code(&answer), "row-limit-exceeded", "{answer}");
    let message = answer["errors"][0]["message"].as_str().unwrap();
    assert!(message.contains("101010100 rows") && message.contains("\"limit\""), "{message}");
    assert!(rig.ask(USER, &query(&circle(3, "(limit: 20)"))).await["data"].is_object());
    assert!(rig.ask(ADMIN, &query(&circle(3, ""))).await["data"].is_object());
    let text = "query ($n: Int) { applications(limit: $n) { project { applications { project { applications { project { applications { id } } } } } } } }";
    let with = |n: Value| json!({"query": text, "variables": {"n": n}});
    assert!(rig.ask(USER, &with(json!(1))).await["data"].is_object());
    assert_eq!(
        code(&rig.ask(USER, &with(json!(50))).await),
        "row-limit-exceeded",
        "a plan for one value is not used for another"
    );
    let fragment = "{ applications { ...a } } fragment a on applications { project { applications { ...b } } } \
        fragment b on applications { project { applications { project { applications { id } } } } }";
    assert_eq!(code(&rig.ask(USER, &query(fragment)).await), "row-limit-exceeded");
    let mut socket = Client::connect(&rig, Some("graphql-transport-ws"), &headers(USER)).await;
    socket.say(json!({"type": "connection_init"})).await;
    assert_eq!(socket.hear().await, Heard::Frame(json!({"type": "connection_ack"})));
    socket.subscribe("1", &format!("subscription {}", circle(3, ""))).await;
    let Heard::Frame(frame) = socket.hear().await else { panic!("an error was awaited") };
    assert_eq!(frame["payload"][0]["extensions"]["code"], "row-limit-exceeded", "{frame}");
}

fn headers(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// An engine with four connections for requests, of which one user gets two, and a view that takes its time.
async fn slow() -> Rig {
    let mut metadata = empty_metadata();
    let permission = json!([{"role": "user", "permission": {"columns": "*", "filter": {}}}]);
    metadata["sources"][0]["tables"] = json!([
        {"table": "things", "select_permissions": permission},
        {"table": "slow", "select_permissions": permission},
    ]);
    let sql = "create table things (id int primary key); insert into things values (1);
        create view slow as select id, pg_sleep(3)::text as nothing from things";
    let key = json!({"type": "HS256", "key": super::sockets::KEY});
    Rig::start(Setup {
        sql,
        metadata: Some(metadata),
        jwt_secret: Some(key),
        unauthorized_role: Some("anonymous"),
        adjust: Some(|options| {
            let connect = options.pool.connect_options().as_ref().clone();
            let pool = PgPoolOptions::new().max_connections(4).acquire_timeout(Duration::from_secs(2));
            options.query_pool = Some(pool.connect_lazy_with(connect));
            options.turns = Some(TurnLimits { running: 2, waiting: 3, patience: Duration::from_secs(20) });
        }),
        ..Setup::default()
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn one_user_cannot_take_every_connection() {
    let rig = slow().await;
    let bearer = |user: &str| format!("Bearer {}", super::sockets::token(user));
    let (eve, alice) = (bearer("eve"), bearer("alice"));
    let ask = async |bearer: &str, text: &str| {
        let body = query(text).to_string();
        rig.send("POST", "/v1/graphql", &[("authorization", bearer)], Some(body)).await
    };
    let flood = futures::future::join_all((0..22).map(|_| ask(&eve, "{ slow { nothing } }")));
    let others = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let begun = Instant::now();
        let answer = ask(&alice, "{ things { id } }").await;
        (answer, begun.elapsed())
    };
    let (flood, (answer, waited)) = tokio::join!(flood, others);
    assert_eq!(answer, (200, json!({"data": {"things": [{"id": 1}]}})));
    assert!(waited < Duration::from_secs(2), "{waited:?}");
    let refused: Vec<&(u16, Value)> = flood.iter().filter(|(status, _)| *status == 429).collect();
    assert_eq!(refused.len(), 17, "two run, three wait: {flood:?}");
    assert!(refused.iter().all(|(_, answer)| code(answer) == "rate-limit-exceeded"), "{refused:?}");
    let served = flood.iter().filter(|(status, answer)| *status == 200 && answer["data"]["slow"].is_array());
    assert_eq!(served.count(), 5);
    // Whoever shows the admin secret answers for themselves.
    let trusted = [("x-hasura-admin-secret", SECRET), ("x-hasura-role", "user"), ("x-hasura-user-id", "eve")];
    let body = query("{ things { id } }");
    let answers = futures::future::join_all((0..20).map(|_| rig.ask(&trusted, &body))).await;
    assert!(answers.iter().all(|answer| answer["data"].is_object()), "{answers:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_nobody_waits_for_ends_and_holds_up_nobody() {
    let (rig, _service) = product(|_| {}).await;
    // The administrator's introspection has no bound: it is given up by who asked, not by the engine.
    let text = aliased(300, &format!("__schema {{ types {{ {FULL} }} }}"));
    let asked = tokio::time::timeout(Duration::from_millis(500), rig.ask(ADMIN, &query(&text))).await;
    assert!(asked.is_err(), "it takes longer than that");
    let begun = Instant::now();
    let answer = rig.ask(USER, &query("{ teams { id slug name settings } }")).await;
    assert!(answer["data"].is_object(), "{answer}");
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_tells_of_the_limit_that_refused_over_http_and_on_a_socket() {
    let key = json!({"type": "HS256", "key": super::sockets::KEY});
    let rig = Rig::start(Setup {
        metadata: Some(empty_metadata()),
        jwt_secret: Some(key),
        adjust: Some(|options| {
            let rates = OperationRates { window: Duration::from_secs(600), per_user: 2, per_address: 1 };
            options.operation_rates = Some(std::sync::Arc::new(move || Some(rates)));
        }),
        ..Setup::default()
    })
    .await;
    let bearer = format!("Bearer {}", super::sockets::token("eve"));
    let body = query("{ __typename }").to_string();
    let ask = || rig.http.post(rig.url("/v1/graphql")).header("authorization", &bearer).body(body.clone()).send();
    for _ in 0..2 {
        assert_eq!(ask().await.unwrap().status(), 200);
    }
    let refused = ask().await.unwrap();
    assert_eq!(refused.status(), 429);
    let header = |name: &str| refused.headers()[name].to_str().unwrap().to_owned();
    assert_eq!((header("x-ratelimit-limit"), header("x-ratelimit-remaining")), ("2".into(), "0".into()));
    let wait: u64 = header("retry-after").parse().unwrap();
    // The window and one slot of it at most.
    assert!((1..=610).contains(&wait) && header("x-ratelimit-reset") == header("retry-after"), "{wait}");
    let answer: Value = refused.json().await.unwrap();
    assert_eq!(answer["errors"][0]["extensions"]["retryAfter"], wait, "{answer}");

    let mut socket = Client::connect(&rig, Some("graphql-transport-ws"), &[]).await;
    socket.say(json!({"type": "connection_init", "payload": {"headers": {"authorization": bearer}}})).await;
    assert_eq!(socket.hear().await, Heard::Frame(json!({"type": "connection_ack"})));
    socket.say(json!({"type": "subscribe", "id": "1", "payload": query("{ __typename }")})).await;
    let Heard::Frame(frame) = socket.hear().await else { panic!("an error answers it") };
    let extensions = &frame["payload"][0]["extensions"];
    assert_eq!((&frame["type"], &extensions["code"]), (&json!("error"), &json!("rate-limit-exceeded")), "{frame}");
    assert!((1..=wait).contains(&extensions["retryAfter"].as_u64().unwrap()), "{frame}");
}
