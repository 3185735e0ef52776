//! Relationships between tables and remote schemas, over a real remote and a real database.

mod metadata;
mod names;
mod remote;
mod subscriptions;

use serde_json::{Value, json};

use super::{Rig, SECRET, Setup, empty_metadata};
use remote::Remote;

const SQL: &str = "create table apps (id int primary key, key text, alias uuid, owner text, team int default 1, big bigint);\
    create table builds (id int primary key, app int references apps, app_key text);\
    create function key_of(app apps) returns text language sql stable as $$ select 'app-' || app.id $$;\
    insert into apps values (1, 'app-1', null, 'o1', 1), (2, 'app-2', null, 'o2', 1), (3, null, null, 'o3', 2), (4, 'gone', null, null, 2);\
    insert into builds values (1, 1, 'app-1'), (2, 1, 'app-1'), (3, 2, 'app-2'), (4, 1, 'app-1');";

/// A relationship to a field of the remote.
fn to_remote(name: &str, left: &[&str], field: Value) -> Value {
    json!({"name": name, "definition": {"to_remote_schema": {
        "remote_schema": "runtime", "lhs_fields": left, "remote_field": field}}})
}

/// A relationship to rows.
fn to_rows(name: &str, table: &str, kind: &str, mapping: Value) -> Value {
    json!({"name": name, "definition": {"to_source": {
        "source": "default", "table": {"schema": "public", "name": table}, "relationship_type": kind,
        "field_mapping": mapping}}})
}

const USER_SDL: &str = "type Query { runtime(id: ID!, region: String @preset(value: \"x-hasura-region\")): Runtime } \
    type Runtime { id: ID! appId: Int phase: Phase! region: String pods(limit: Int! = 2 @preset(value: 1)): [Pod!]! } \
    type Pod { name: String! } enum Phase { PENDING RUNNING FAILED }";

fn setup_metadata(remote: &Remote) -> Value {
    let runtime = json!({"runtime": {"arguments": {"id": "$key"}}});
    let pods = json!({"runtime": {"arguments": {"id": "$app_key"}, "field": {"pods": {"arguments": {"limit": 1}}}}});
    let many = json!({"runtimes": {"arguments": {"ids": ["$key", "app-7"]}}});
    let computed = json!({"runtime": {"arguments": {"id": "$made_key", "region": "eu"}}});
    let search = json!({"search": {"arguments": {"filter": {"owner": {"eq": "$owner"}}}}});
    let user = |columns: Value, computed: Value| {
        json!([{"role": "user", "permission": {"columns": columns, "computed_fields": computed,
            "filter": {"team": {"_eq": "X-Hasura-Team"}}, "allow_aggregations": true}}])
    };
    let mut metadata = empty_metadata();
    metadata["sources"][0]["tables"] = json!([
        {
            "table": {"schema": "public", "name": "apps"},
            "array_relationships": [{"name": "builds", "using": {"foreign_key_constraint_on": {"column": "app", "table": "builds"}}}],
            "computed_fields": [{"name": "made_key", "definition": {"function": "key_of"}}],
            "remote_relationships": [
                to_remote("runtime", &["key"], runtime),
                to_remote("many", &["key"], many),
                to_remote("computed", &["made_key"], computed),
                to_remote("search", &["owner"], search),
                to_rows("own_builds", "builds", "array", json!({"id": "app"})),
                {"name": "older", "definition": {"remote_schema": "runtime", "hasura_fields": ["key"],
                    "remote_field": {"runtime": {"arguments": {"id": "$key"}}}}},
            ],
            "select_permissions": user(json!(["id", "key"]), json!([])),
            "update_permissions": [{"role": "user", "permission": {"columns": ["owner"], "filter": {}}}],
        },
        {
            "table": {"schema": "public", "name": "builds"},
            "remote_relationships": [to_remote("pods", &["app_key"], pods)],
            "object_relationships": [{"name": "application", "using": {"foreign_key_constraint_on": "app"}}],
        },
    ]);
    metadata["remote_schemas"] = json!([remote.entry(json!({
        "remote_relationships": [{"type_name": "Runtime", "relationships": [
            to_rows("app", "apps", "object", json!({"appId": "id"})),
            to_rows("builds", "builds", "array", json!({"id": "app_key"})),
            to_remote("again", &["id"], json!({"runtime": {"arguments": {"id": "$id"}}})),
        ]}],
        "permissions": [{"role": "user", "definition": {"schema": USER_SDL}}],
    }))]);
    metadata
}

async fn rig() -> (Rig, Remote) {
    let remote = Remote::start().await;
    let metadata = Some(setup_metadata(&remote));
    let rig = Rig::start(Setup { sql: SQL, metadata, unauthorized_role: Some("anonymous"), ..Setup::default() }).await;
    let answer = rig.command(json!({"type": "get_inconsistent_metadata", "args": {}})).await;
    assert_eq!(answer["is_consistent"], true, "{answer}");
    (rig, remote)
}

/// The headers of a user of a team.
fn user(team: &str) -> [(&'static str, String); 4] {
    [
        ("x-hasura-admin-secret", SECRET.to_owned()),
        ("x-hasura-role", "user".to_owned()),
        ("x-hasura-team", team.to_owned()),
        ("x-hasura-region", "eu-west".to_owned()),
    ]
}

async fn ask_as(rig: &Rig, headers: &[(&'static str, String)], query: &str) -> Value {
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    rig.ask(&headers, &json!({"query": query})).await
}

#[tokio::test]
async fn rows_are_joined_in_one_request_and_null_asks_nothing() {
    let (rig, remote) = rig().await;
    let answer = rig.admin("{ apps(order_by: {id: asc}) { id runtime { phase pods(limit: 1) { name } } } }").await;
    let runtime = |key: &str| json!({"phase": "RUNNING", "pods": [{"name": format!("{key}-0")}]});
    assert_eq!(
        answer,
        json!({"data": {"apps": [
            {"id": 1, "runtime": runtime("app-1")},
            {"id": 2, "runtime": runtime("app-2")},
            {"id": 3, "runtime": null},
            {"id": 4, "runtime": null},
        ]}})
    );
    let asked = remote.asked();
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert_eq!(asked[0].matches("runtime(id:").count(), 3, "a key that is null is not asked for: {asked:?}");
    let nothing = rig.admin("{ apps(where: {id: {_eq: 3}}) { runtime { phase } } }").await;
    assert_eq!(nothing, json!({"data": {"apps": [{"runtime": null}]}}));
    assert!(remote.asked().is_empty());
}

#[tokio::test]
async fn equal_keys_are_asked_once_wherever_they_stand() {
    let (rig, remote) = rig().await;
    let answer = rig
        .admin("{ apps(where: {id: {_lte: 2}}, order_by: {id: asc}) { builds(order_by: {id: asc}) { id pods { name } application { older { id } } } } }")
        .await;
    let build = |id: i32, key: &str| json!({"id": id, "pods": [{"name": format!("{key}-0")}], "application": {"older": {"id": key}}});
    let first = json!([build(1, "app-1"), build(2, "app-1"), build(4, "app-1")]);
    assert_eq!(answer, json!({"data": {"apps": [{"builds": first}, {"builds": [build(3, "app-2")]}]}}));
    let asked = remote.asked();
    assert_eq!(asked.len(), 2, "one request for each relationship: {asked:?}");
    assert!(asked.iter().all(|query| query.matches("runtime(id:").count() == 2), "{asked:?}");
}

#[tokio::test]
async fn aggregates_by_pk_and_computed_fields_join_as_well() {
    let (rig, remote) = rig().await;
    let answer = rig
        .admin("{ a: apps_aggregate(where: {id: {_eq: 1}}) { nodes { runtime { id } } } b: apps_by_pk(id: 3) { computed { id region } } c: apps(limit: 1, offset: 2, order_by: {id: asc}) { computed { id } } d: apps(where: {id: {_eq: 2}}) { many { id } } }")
        .await;
    assert_eq!(
        answer,
        json!({"data": {
            "a": {"nodes": [{"runtime": {"id": "app-1"}}]},
            "b": {"computed": {"id": "app-3", "region": "eu"}},
            "c": [{"computed": {"id": "app-3"}}],
            "d": [{"many": [{"id": "app-2"}, {"id": "app-7"}]}],
        }})
    );
    remote.asked();
}

#[tokio::test]
async fn what_a_mutation_returns_is_joined() {
    let (rig, remote) = rig().await;
    let answer = rig
        .admin("mutation { update_apps(where: {id: {_lte: 2}}, _set: {owner: \"new\"}) { affected_rows returning { id runtime { id } own_builds_aggregate { aggregate { count } } } } insert_builds_one(object: {id: 9, app: 2, app_key: \"app-2\"}) { pods { name } } }")
        .await;
    let mut returning = answer["data"]["update_apps"]["returning"].clone();
    returning.as_array_mut().unwrap().sort_by_key(|row| row["id"].as_i64());
    // Joins are made when the transaction is over: they see its build.
    let row = |id: i32, builds: i32| json!({"id": id, "runtime": {"id": format!("app-{id}")}, "own_builds_aggregate": {"aggregate": {"count": builds}}});
    assert_eq!(returning, json!([row(1, 3), row(2, 2)]), "{answer}");
    assert_eq!(answer["data"]["insert_builds_one"], json!({"pods": [{"name": "app-2-0"}]}));
    remote.asked();
    let remote_mutation = rig.admin("mutation { restart(id: \"app-1\") { id app { key } } }").await;
    assert_eq!(remote_mutation, json!({"data": {"restart": {"id": "app-1", "app": {"key": "app-1"}}}}));
}

#[tokio::test]
async fn remote_objects_are_joined_with_rows_and_with_remote_objects() {
    let (rig, remote) = rig().await;
    let answer = rig
        .admin("{ runtimes(ids: [\"app-1\", \"app-3\", \"app-99\", \"none\"]) { id app { owner runtime { region } } builds(order_by: {id: desc}, limit: 2) { id } again { phase } } }")
        .await;
    assert_eq!(
        answer,
        json!({"data": {"runtimes": [
            {"id": "app-1", "app": {"owner": "o1", "runtime": {"region": null}}, "builds": [{"id": 4}, {"id": 2}], "again": {"phase": "RUNNING"}},
            {"id": "app-3", "app": {"owner": "o3", "runtime": null}, "builds": [], "again": {"phase": "RUNNING"}},
            {"id": "app-99", "app": null, "builds": [], "again": {"phase": "RUNNING"}},
            {"id": "none", "app": null, "builds": [], "again": {"phase": "RUNNING"}},
        ]}})
    );
    assert_eq!(remote.asked().len(), 3, "the root, one relationship of the type, one of the joined rows");
    // Objects of several types: each is joined by its own.
    let answer = rig
        .admin("{ found { __typename ... on Runtime { key: id app { id } } ... on Bill { total } } things { id ... on Runtime { app { id } } } }")
        .await;
    assert_eq!(
        answer,
        json!({"data": {
            "found": [{"__typename": "Runtime", "key": "app-1", "app": {"id": 1}}, {"__typename": "Bill", "total": 12.5}],
            "things": [{"id": "app-2", "app": {"id": 2}}, {"id": "b-2"}],
        }})
    );
}

#[tokio::test]
async fn a_role_joins_what_it_sees_on_both_sides() {
    let (rig, remote) = rig().await;
    let answer =
        ask_as(&rig, &user("1"), "{ apps(order_by: {id: asc}) { runtime { region pods { name } app { id } } } }").await;
    let row = |id: i32| json!({"runtime": {"region": "eu-west", "pods": [{"name": format!("app-{id}-0")}], "app": {"id": id}}});
    assert_eq!(answer, json!({"data": {"apps": [row(1), row(2)]}}));
    remote.asked();
    // The remote object is another team's: its row is not joined.
    let other = ask_as(&rig, &user("1"), "{ runtime(id: \"app-3\") { id app { id } } }").await;
    assert_eq!(other, json!({"data": {"runtime": {"id": "app-3", "app": null}}}));
    let refused = |field: &'static str, of: &'static str| {
        let rig = &rig;
        async move {
            let answer = ask_as(rig, &user("1"), &format!("{{ apps {{ {field} }} }}")).await;
            let message = format!("field '{of}' not found in type: 'apps'");
            assert_eq!(answer["errors"][0]["message"], json!(message), "{answer}");
        }
    };
    // Without the column, without the computed field, without the remote field, without the table.
    refused("search", "search").await;
    refused("computed { id }", "computed").await;
    refused("many { id }", "many").await;
    refused("own_builds { id }", "own_builds").await;
    let hidden = ask_as(&rig, &user("1"), "{ runtime(id: \"app-1\") { pods { restarts } } }").await;
    assert_eq!(hidden["errors"][0]["message"], "field 'restarts' not found in type: 'Pod'");
    let preset = ask_as(&rig, &user("1"), "{ apps { runtime(region: \"us\") { id } } }").await;
    assert_eq!(preset["errors"][0]["message"], "'runtime' has no argument named 'region'");
}

#[tokio::test]
async fn faults_of_the_remote_are_told_as_hasura_tells_them() {
    let (rig, _remote) = rig().await;
    let answer = rig.admin("{ apps(where: {id: {_eq: 1}}) { id runtime { broken } } }").await;
    let error = &answer["errors"][0];
    assert_eq!(answer["data"], Value::Null);
    assert_eq!(
        (&error["message"], &error["extensions"]["code"]),
        (&json!("Errors from remote server"), &json!("unexpected"))
    );
    assert_eq!(error["extensions"]["internal"]["errors"][0]["message"], "pods cannot be listed");
    let seen = ask_as(&rig, &user("1"), "{ apps(where: {id: {_eq: 1}}) { runtime { region } } }").await;
    assert!(seen["errors"].is_null(), "{seen}");
    // A root field's errors go out as they are.
    let root = rig.admin("{ runtime(id: \"app-1\") { broken } }").await;
    assert_eq!(root["data"], Value::Null);
    assert_eq!(root["errors"][0]["extensions"], json!({"code": "UPSTREAM"}), "{root}");
    // A value of a row is a value in the request, whatever it holds.
    sqlx::query("update apps set key = $1 where id = 1")
        .bind("x\") { id } f9: runtime(id: \"y\n\\")
        .execute(&rig.pool)
        .await
        .unwrap();
    let answer = rig.admin("{ apps(where: {id: {_eq: 1}}) { key runtime { id } } }").await;
    assert_eq!(answer["data"]["apps"][0]["runtime"]["id"], answer["data"]["apps"][0]["key"], "{answer}");
}

#[tokio::test]
async fn what_a_relationship_leaves_open_of_an_input_object_stays_an_argument() {
    let (rig, remote) = rig().await;
    let query = "{ apps(where: {id: {_eq: 1}}) { a: search b: search(filter: {phase: FAILED, limit: 5, owner: {like: \"x\"}}) } }";
    let answer = rig.admin(query).await;
    assert_eq!(
        answer,
        json!({"data": {"apps": [{
            "a": "owner eq Some(\"o1\") like None phase any limit None",
            "b": "owner eq Some(\"o1\") like Some(\"x\") phase FAILED limit Some(5)",
        }]}})
    );
    remote.asked();
    let bound = rig.admin("{ apps { search(filter: {owner: {eq: \"other\"}}) } }").await;
    assert_eq!(
        bound["errors"][0]["extensions"],
        json!({"path": "$.selectionSet.apps.selectionSet.search.args.filter.owner.eq", "code": "validation-failed"})
    );
    assert!(remote.asked().is_empty());
    let ty = |name: &str| format!("{{ __type(name: \"{name}\") {{ inputFields {{ name type {{ name }} }} }} }}");
    let shown = rig.admin("{ __type(name: \"apps\") { fields { name args { name type { name } } } } }").await;
    let fields = shown["data"]["__type"]["fields"].as_array().unwrap().clone();
    let search = fields.iter().find(|field| field["name"] == "search").unwrap();
    assert_eq!(search["args"], json!([{"name": "filter", "type": {"name": "Filter_remote_rel_public_appssearch"}}]));
    let open = rig.admin(&ty("Filter_remote_rel_public_appssearch")).await;
    let names: Vec<&str> =
        open["data"]["__type"]["inputFields"].as_array().unwrap().iter().map(|f| f["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["limit", "owner", "phase"]);
    let inner = rig.admin(&ty("Text_remote_rel_public_appssearch")).await;
    assert_eq!(inner["data"]["__type"]["inputFields"], json!([{"name": "like", "type": {"name": "String"}}]));
}
