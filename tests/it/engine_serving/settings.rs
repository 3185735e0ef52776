//! Each setting of `engine` has its effect, and hostile documents are refused, on the product's own metadata.

use std::time::{Duration, Instant};

use northstack::cli::graphql_engine::{self, GraphqlEngine};
use northstack::config::{Config, Engine};
use serde_json::{Value, json};

use super::live::{Client, Heard};
use super::{Rig, SECRET, Setup, empty_metadata};
use crate::support::Service;

pub const ADMIN: &[(&str, &str)] = &[("x-hasura-admin-secret", SECRET)];
pub const USER: &[(&str, &str)] = &[
    ("x-hasura-admin-secret", SECRET),
    ("x-hasura-role", "user"),
    ("x-hasura-user-id", "20000000-0000-4000-8000-000000000001"),
];

/// The product's engine under a configuration; the service beside it must live as long.
pub async fn product(change: impl FnOnce(&mut Engine)) -> (Rig, Service) {
    let service = Service::with(|config: &mut Config| {
        config.hasura.metadata_dir = concat!(env!("CARGO_MANIFEST_DIR"), "/hasura/metadata").into();
        config.hasura.admin_secret = Some(SECRET.into());
        change(&mut config.engine);
    })
    .await;
    let started = graphql_engine::start(&service.config, &service.app).await.unwrap();
    let GraphqlEngine::Embedded(server, _) = started else { panic!("the engine is embedded by default") };
    (Rig::serve(service.app.db.pool().clone(), server).await, service)
}

pub fn query(text: &str) -> Value {
    json!({"query": text})
}

pub fn code(answer: &Value) -> &str {
    answer["errors"][0]["extensions"]["code"].as_str().unwrap_or("none")
}

#[tokio::test]
async fn what_a_document_may_ask_is_bounded_for_everyone_but_admin() {
    let (rig, _service) = product(|engine| {
        engine.max_depth = 3;
        engine.max_nodes = 6;
        engine.max_aliases = 2;
        engine.max_directives = 1;
        engine.max_batch = 2;
        engine.introspection = false;
    })
    .await;
    let within = [
        "{ teams { members { role } } }",
        "{ teams { id name slug created_at updated_at } }",
        "{ a: teams { b: id } }",
        "{ teams { id @include(if: true) } }",
        "{ ...f } fragment f on query_root { teams { id } }",
    ];
    let beyond = [
        ("{ teams { members { user { id } } } }", "depth-limit-exceeded"),
        ("{ ...f } fragment f on query_root { teams { members { user { id } } } }", "depth-limit-exceeded"),
        ("{ teams { id name slug created_at updated_at id } }", "node-limit-exceeded"),
        ("{ teams { ...f ...f ...f } } fragment f on teams { id name }", "node-limit-exceeded"),
        ("{ a: teams { b: id c: id } }", "alias-limit-exceeded"),
        ("{ teams { id @include(if: true) name @skip(if: false) } }", "directive-limit-exceeded"),
    ];
    for text in within {
        let answer = rig.ask(USER, &query(text)).await;
        assert!(answer["data"].is_object(), "{text}: {answer}");
    }
    for (text, expected) in beyond {
        let answer = rig.ask(USER, &query(text)).await;
        assert_eq!(code(&answer), expected, "{text}: {answer}");
        let answer = rig.ask(ADMIN, &query(text)).await;
        assert!(answer["data"].is_object(), "{text}: {answer}");
    }

    let one = query("{ teams { id } }");
    let answer = rig.ask(USER, &json!([one, one])).await;
    assert_eq!(answer.as_array().map(Vec::len), Some(2), "{answer}");
    assert_eq!(code(&rig.ask(USER, &json!([one, one, one])).await), "batch-limit-exceeded");
    assert_eq!(rig.ask(ADMIN, &json!([one, one, one])).await.as_array().map(Vec::len), Some(3));

    let schema = query("{ __schema { queryType { name } } }");
    let answer = rig.ask(USER, &schema).await;
    assert_eq!(code(&answer), "validation-failed", "{answer}");
    assert_eq!(rig.ask(ADMIN, &schema).await["data"]["__schema"]["queryType"]["name"], "query_root");
}

#[tokio::test]
async fn a_statement_ends_after_the_query_timeout() {
    let (rig, _service) = product(|engine| engine.query_timeout = Duration::from_millis(200)).await;
    sqlx::raw_sql("create view public.slow as select 1 as id, pg_sleep(60)::text as nothing")
        .execute(&rig.pool)
        .await
        .unwrap();
    rig.command(json!({"type": "pg_track_table", "args": {"table": "slow"}})).await;
    let begun = Instant::now();
    let answer = rig.ask(ADMIN, &query("{ slow { nothing } }")).await;
    assert_eq!(answer["errors"][0]["message"], "database query error", "{answer}");
    assert_eq!(answer["errors"][0]["extensions"]["internal"]["error"]["status_code"], "57014", "{answer}");
    assert!(begun.elapsed() < Duration::from_secs(30));
}

#[tokio::test]
async fn with_the_allow_list_only_listed_operations_run() {
    let (rig, _service) = product(|engine| engine.allow_list = true).await;
    let listed = query("query Teams { teams { id } }");
    assert_eq!(rig.ask(USER, &listed).await["errors"][0]["message"], "query is not allowed");
    assert!(rig.ask(ADMIN, &listed).await["data"].is_object());
    for command in [
        json!({"type": "create_query_collection", "args": {"name": "portal", "definition": {"queries": [
            {"name": "Teams", "query": "query Teams { teams { id } }"}]}}}),
        json!({"type": "add_collection_to_allowlist", "args": {"collection": "portal", "scope": {"global": false, "roles": ["user"]}}}),
    ] {
        rig.command(command).await;
    }
    assert!(rig.ask(USER, &query("query Teams { teams { __typename id } }")).await["data"].is_object());
    assert_eq!(
        rig.ask(USER, &query("query Teams { teams { name } }")).await["errors"][0]["message"],
        "query is not allowed"
    );
    let anonymous = rig.ask(&[], &listed).await;
    assert_eq!(anonymous["errors"][0]["message"], "query is not allowed", "{anonymous}");
}

#[tokio::test]
async fn requests_without_credentials_have_the_configured_role() {
    let (rig, _service) = product(|engine| engine.unauthorized_role = "nobody".to_owned()).await;
    let answer = rig.ask(&[], &query("{ teams { id } }")).await;
    assert_eq!(answer["errors"][0]["message"], "field 'teams' not found in type: 'query_root'", "{answer}");
    let answer = rig.ask(&[], &query("mutation { login(email: \"a\", password: \"b\") { __typename } }")).await;
    assert_eq!(answer["errors"][0]["message"], "no mutations exist", "{answer}");
}

#[tokio::test]
async fn a_live_query_finds_by_poll_what_nobody_told() {
    let (rig, _service) = product(|engine| engine.live_query_poll = Duration::from_millis(100)).await;
    // Nothing tells of changes of this table from now on.
    sqlx::raw_sql("alter table public.teams disable trigger northstack_changed").execute(&rig.pool).await.unwrap();
    let mut client = Client::admin(&rig).await;
    client.subscribe("1", "subscription { teams { slug } }").await;
    assert_eq!(client.data().await, json!({"teams": []}));
    sqlx::raw_sql("insert into public.teams (id, name, slug) values (gen_random_uuid(), 'Ada', 'ada')")
        .execute(&rig.pool)
        .await
        .unwrap();
    match client.hear_within(Duration::from_secs(5)).await {
        Heard::Frame(frame) => assert_eq!(frame["payload"]["data"], json!({"teams": [{"slug": "ada"}]})),
        other => panic!("not found by the poll: {other:?}"),
    }
}

/// A table that a role may read, and limits of the metadata.
async fn limited(limits: Value) -> Rig {
    let mut metadata = empty_metadata();
    metadata["sources"][0]["tables"] = json!([{
        "table": {"schema": "public", "name": "slow"},
        "select_permissions": [
            {"role": "user", "permission": {"columns": "*", "filter": {}}},
            {"role": "patient", "permission": {"columns": "*", "filter": {}}},
        ],
        "array_relationships": [{"name": "same", "using": {"manual_configuration": {
            "remote_table": "slow", "column_mapping": {"id": "id"}}}}],
    }]);
    metadata["api_limits"] = limits;
    let sql = "create table t (id int); insert into t values (1);\
        create function pause() returns int language plpgsql volatile as \
            'begin if current_setting(''test.quick'', true) is null then perform pg_sleep(3); end if; return 1; end';\
        create view slow as select id, pause() as pause from t;";
    Rig::start(Setup { sql, metadata: Some(metadata), ..Setup::default() }).await
}

#[tokio::test]
async fn limits_of_the_metadata_hold_by_role() {
    let limits = json!({
        "depth_limit": {"global": 1, "per_role": {"patient": 3}},
        "node_limit": {"global": 2},
        "time_limit": {"global": 0.2, "per_role": {"patient": 60.0}},
    });
    let rig = limited(limits).await;
    let of = |role: &'static str| [("x-hasura-admin-secret", SECRET), ("x-hasura-role", role)];
    assert_eq!(code(&rig.ask(&of("user"), &query("{ slow { id } }")).await), "depth-limit-exceeded");
    assert_eq!(rig.ask(&of("patient"), &query("{ slow { id } }")).await["data"], json!({"slow": [{"id": 1}]}));
    assert_eq!(code(&rig.ask(&of("patient"), &query("{ slow { a: id b: id } }")).await), "node-limit-exceeded");
    assert!(rig.ask(ADMIN, &query("{ slow { same { a: id b: id } } }")).await["data"].is_object());
    let begun = Instant::now();
    rig.command(json!({"type": "set_api_limits", "args": {"time_limit": {"global": 0.2}}})).await;
    let answer = rig.ask(&of("user"), &query("{ slow { pause } }")).await;
    assert_eq!(code(&answer), "time-limit-exceeded", "{answer}");
    assert!(begun.elapsed() < Duration::from_millis(2900), "{:?}", begun.elapsed());
    rig.command(json!({"type": "set_api_limits", "args": {"disabled": true, "depth_limit": {"global": 1}}})).await;
    assert_eq!(rig.ask(&of("user"), &query("{ slow { id } }")).await["data"], json!({"slow": [{"id": 1}]}));
}

#[tokio::test]
async fn hostile_documents_are_refused_without_harm() {
    let (rig, _service) = product(|_| {}).await;
    let nested = |open: &str, close: &str, times: usize| format!("{}id{}", open.repeat(times), close.repeat(times));
    let aliases = |count: usize| {
        let fields: String = (0..count).map(|index| format!(" a{index}: id")).collect();
        format!("{{ teams {{{fields} }} }}")
    };
    let fragments: String =
        (0..30).map(|n| format!(" fragment f{n} on teams {{ id ...f{m} ...f{m} }}", m = n + 1)).collect();
    let chain: String = (0..1000).map(|n| format!(" fragment f{n} on teams {{ ...f{m} }}", m = n + 1)).collect();
    let and = |times: usize| {
        let filter = format!("{}{{}}{}", "{_and: [".repeat(times), "]}".repeat(times));
        format!("{{ teams(where: {filter}) {{ id }} }}")
    };
    let operations: String = (0..10_000).map(|n| format!(" query q{n} {{ teams {{ id }} }}")).collect();
    let refused = [
        ("101 aliases", aliases(101)),
        ("10,000 aliases", aliases(10_000)),
        ("100,000 fields", format!("{{ teams {{ {} }} }}", "id ".repeat(100_000))),
        ("10,000 directives", format!("{{ teams {{ id {} }} }}", "@include(if: true) ".repeat(10_000))),
        ("500 directives", format!("{{ teams {{ id {} }} }}", "@include(if: true) ".repeat(500))),
        ("depth 50", format!("{{ teams {{ {} }} }}", nested("members { team { ", " } }", 25))),
        ("depth 50,000", nested("{ teams ", "}", 50_000)),
        ("_and 10,000", and(10_000)),
        ("2^30 fields", format!("{{ teams {{ ...f0 }} }}{fragments} fragment f30 on teams {{ id }}")),
        ("a chain of fragments", format!("{{ teams {{ ...f0 }} }}{chain} fragment f1000 on teams {{ id }}")),
        ("a cycle", "{ teams { ...a } } fragment a on teams { ...b } fragment b on teams { ...a }".to_owned()),
        ("10,000 operations", operations),
        (
            "a circle through the schema",
            format!("{{ __schema {{ types {{ {} }} }} }}", nested("fields { type { ", " } }", 12)),
        ),
    ];
    for (name, text) in refused {
        for headers in [USER, &[]] {
            let answer = rig.ask(headers, &query(&text)).await;
            assert!(answer["errors"].is_array() && answer.get("data").is_none(), "{name}: {answer}");
        }
    }
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let body = format!(
        "{{\"query\": \"query ($w: teams_bool_exp) {{ teams(where: $w) {{ id }} }}\", \"variables\": {{\"w\": {deep}}}}}"
    );
    let (_, answer) = rig.send("POST", "/v1/graphql", USER, Some(body)).await;
    assert!(answer["errors"].is_array(), "{answer}");
    let answer =
        rig.ask(ADMIN, &query(&format!("{{ teams {{ ...f0 }} }}{chain} fragment f1000 on teams {{ id }}"))).await;
    assert_eq!(code(&answer), "depth-limit-exceeded", "for admin too: {answer}");
    for allowed in [aliases(100), format!("{{ teams {{ {} }} }}", "id ".repeat(500)), and(30)] {
        let answer = rig.ask(USER, &query(&allowed)).await;
        assert!(answer["data"].is_object(), "{answer}");
    }
}
