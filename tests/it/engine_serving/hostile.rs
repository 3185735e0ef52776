//! Hostile requests are refused before a statement is sent: the sessions of the database that run the engine's queries
//! have not moved afterwards.

use northstack::engine::EngineOptions;
use serde_json::{Value, json};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;

use super::{Rig, SECRET, Setup, empty_metadata};

const SETUP: &str = "create table nodes (id int primary key, parent int references nodes, name text);
    insert into nodes values (1, null, 'root'), (2, 1, 'leaf');";

/// The name under which the engine's queries reach the database.
const QUERIES: &str = "engine-queries";

fn metadata() -> Value {
    let mut metadata = empty_metadata();
    metadata["sources"][0]["tables"] = json!([{
        "table": {"schema": "public", "name": "nodes"},
        "object_relationships": [{"name": "up", "using": {"foreign_key_constraint_on": "parent"}}],
        "array_relationships": [{"name": "down", "using": {"foreign_key_constraint_on": {
            "table": {"schema": "public", "name": "nodes"}, "column": "parent"}}}],
        "select_permissions": [{"role": "user", "permission": {"columns": "*", "filter": {}}}],
    }]);
    metadata
}

fn own_connections(options: &mut EngineOptions) {
    let connect = options.pool.connect_options().as_ref().clone().application_name(QUERIES);
    options.query_pool = Some(PgPoolOptions::new().max_connections(2).connect_lazy_with(connect));
}

async fn ask(rig: &Rig, body: Vec<u8>) -> (u16, String) {
    let headers = [("x-hasura-admin-secret", SECRET), ("x-hasura-role", "user")];
    let request =
        headers.into_iter().fold(rig.http.post(rig.url("/v1/graphql")), |request, (n, v)| request.header(n, v));
    let response = request.body(body).send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

/// When each of the engine's sessions began its last statement.
async fn last_statements(observer: &PgPool) -> Vec<(i32, String)> {
    sqlx::query_as("select pid, query_start::text from pg_stat_activity where application_name = $1 order by pid")
        .bind(QUERIES)
        .fetch_all(observer)
        .await
        .unwrap()
}

fn many(count: usize, part: impl Fn(usize) -> String) -> String {
    (0..count).map(part).collect::<Vec<_>>().join(" ")
}

fn nested(count: usize, open: &str, middle: &str, close: &str) -> String {
    format!("{}{middle}{}", open.repeat(count), close.repeat(count))
}

/// Bodies by name, none of which may reach the database.
fn hostile() -> Vec<(&'static str, Vec<u8>)> {
    let query = |text: String| json!({"query": text}).to_string().into_bytes();
    let filtered = |variables: String| {
        let text = "query ($w: nodes_bool_exp) { nodes(where: $w) { id } }";
        format!("{{\"query\": {}, \"variables\": {{\"w\": {variables}}}}}", Value::from(text)).into_bytes()
    };
    let doubling = many(30, |at| match at {
        29 => "fragment f29 on nodes { id }".to_owned(),
        at => format!("fragment f{at} on nodes {{ ...f{next} ...f{next} }}", next = at + 1),
    });
    let one = json!({"query": "{ nodes { id } }"});
    vec![
        ("fields nested 26 deep", query(format!("{{ nodes {{ {} }} }}", nested(26, "up { ", "id", " }")))),
        ("fields nested 10,000 deep", query(format!("{{ nodes {{ {} }} }}", nested(10_000, "up { ", "id", " }")))),
        (
            "a filter nested 10,000 deep",
            query(format!("{{ nodes(where: {}) {{ id }} }}", nested(10_000, "{_not: ", "{}", "}"))),
        ),
        (
            "a list nested 100,000 deep",
            query(format!("{{ nodes(where: {}) {{ id }} }}", nested(100_000, "[", "", "]"))),
        ),
        ("101 aliases", query(format!("{{ nodes {{ {} }} }}", many(101, |at| format!("a{at}: id"))))),
        ("10,000 aliases", query(format!("{{ {} }}", many(10_000, |at| format!("a{at}: nodes {{ id }}"))))),
        ("101 root fields", query(format!("{{ {} }}", many(101, |_| "nodes { id }".into())))),
        ("100,000 times one field", query(format!("{{ nodes {{ {} }} }}", many(100_000, |_| "id".into())))),
        ("10,000 directives", query(format!("{{ nodes {{ id {} }} }}", many(10_000, |_| "@skip(if: false)".into())))),
        ("2^30 fields", query(format!("{{ nodes {{ ...f0 }} }} {doubling}"))),
        (
            "fragments in a circle",
            query("{ nodes { ...a } } fragment a on nodes { ...b } fragment b on nodes { ...a }".into()),
        ),
        ("10,000 operations", query(many(10_000, |at| format!("query q{at} {{ nodes {{ id }} }}")))),
        ("a batch of 10,000", Value::from(vec![one; 10_000]).to_string().into_bytes()),
        ("an integer of 10,000 digits", query(format!("{{ nodes(limit: {}) {{ id }} }}", "9".repeat(10_000)))),
        ("variables nested 10,000 deep", filtered(nested(10_000, "{\"_not\": ", "{}", "}"))),
        (
            "10,000 unknown filters",
            filtered(format!("{{\"_or\": [{{\"nope\": 1}}{}]}}", ", {\"nope\": 1}".repeat(9_999))),
        ),
        ("a NUL in a value", filtered("{\"name\": {\"_eq\": \"a\\u0000b\"}}".into())),
        ("half a surrogate pair", filtered("{\"name\": {\"_eq\": \"\\ud800\"}}".into())),
        ("bytes that are no UTF-8", [b"{\"query\": \"{ nodes { id } }\xff\"}".as_slice()].concat()),
        ("a number beyond every type", filtered("{\"id\": {\"_eq\": 1e400}}".into())),
        ("no JSON", b"{\"query\": \"{ nodes { id } }\"".to_vec()),
        ("a name with a quote", query("{ nodes { id \" } }".into())),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_request_is_refused_and_no_statement_is_sent() {
    let adjust = Some(own_connections as fn(&mut EngineOptions));
    let rig = Rig::start(Setup { sql: SETUP, metadata: Some(metadata()), adjust, ..Setup::default() }).await;
    let honest = json!({"query": "{ nodes(order_by: {id: asc}) { id up { id } } }"}).to_string().into_bytes();
    let wanted = r#"{"data":{"nodes":[{"id":1,"up":null},{"id":2,"up":{"id":1}}]}}"#;
    assert_eq!(ask(&rig, honest.clone()).await, (200, wanted.to_owned()));
    let before = last_statements(&rig.pool).await;
    assert!(!before.is_empty(), "the engine's sessions are seen");
    for (name, body) in hostile() {
        let (status, text) = ask(&rig, body).await;
        let text: String = text.chars().take(300).collect();
        assert!(status < 500 && text.contains("\"errors\""), "{name}: {status} {text}");
        assert_eq!(last_statements(&rig.pool).await, before, "{name}: {text}");
    }
    assert_eq!(ask(&rig, honest).await, (200, wanted.to_owned()), "the honest are answered as before");
    assert_ne!(last_statements(&rig.pool).await, before, "and a statement is seen when one is sent");
}
