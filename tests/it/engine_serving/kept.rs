//! Metadata that is changed while the engine runs: kept over restarts, followed by other instances and by what is
//! subscribed, and taken away with what depends on it.

use std::time::Duration;

use northstack::engine::EngineOptions;
use serde_json::{Value, json};
use sqlx::PgPool;

use super::live::{Client, Heard};
use super::{Rig, SECRET, Setup, empty_metadata};
use crate::support::empty_database;

const SQL: &str = "create table teams (id int primary key, name text);\
    create table apps (id int primary key, name text, team int default 1 references teams);\
    insert into teams values (1, 'a'), (2, 'b'); insert into apps values (1, 'x', 1), (2, 'y', 2);";

fn keep(options: &mut EngineOptions) {
    options.keep_metadata = true;
}

fn given(tables: Value) -> Option<Value> {
    let mut metadata = empty_metadata();
    metadata["sources"][0]["tables"] = tables;
    Some(metadata)
}

fn table(name: &str) -> Value {
    json!({"table": {"schema": "public", "name": name}})
}

async fn kept(pool: &PgPool, tables: Value) -> Rig {
    Rig::over(pool.clone(), Setup { metadata: given(tables), adjust: Some(keep), ..Setup::default() }).await
}

async fn database() -> PgPool {
    let pool = PgPool::connect_with(empty_database().await).await.unwrap();
    sqlx::raw_sql(SQL).execute(&pool).await.unwrap();
    pool
}

/// The tracked tables and the version.
async fn tracked(rig: &Rig) -> (Vec<String>, u64) {
    let exported = rig.command(json!({"type": "export_metadata", "version": 2, "args": {}})).await;
    let tables = exported["metadata"]["sources"][0]["tables"].as_array().unwrap();
    let names = tables.iter().map(|table| table["table"]["name"].as_str().unwrap().to_owned()).collect();
    (names, exported["resource_version"].as_u64().unwrap())
}

fn track(name: &str) -> Value {
    json!({"type": "pg_track_table", "args": {"source": "default", "table": name}})
}

#[tokio::test]
async fn a_change_survives_a_restart_until_the_directory_changes() {
    let pool = database().await;
    let first = kept(&pool, json!([table("teams")])).await;
    assert_eq!(tracked(&first).await, (vec!["teams".to_owned()], 1));
    first.command(track("apps")).await;
    assert_eq!(tracked(&first).await, (vec!["teams".to_owned(), "apps".to_owned()], 2));
    first.command(json!({"type": "reload_metadata", "args": {}})).await;
    assert_eq!(tracked(&first).await.1, 3, "other instances read the database again");
    first.server.stop().await;

    let second = kept(&pool, json!([table("teams")])).await;
    assert_eq!(tracked(&second).await, (vec!["teams".to_owned(), "apps".to_owned()], 3), "what was given is old news");
    assert_eq!(second.admin("{ apps { id } }").await, json!({"data": {"apps": [{"id": 1}, {"id": 2}]}}));
    second.server.stop().await;

    let third = kept(&pool, json!([table("apps")])).await;
    assert_eq!(tracked(&third).await, (vec!["apps".to_owned()], 4), "what is given has changed, and wins");
    third.server.stop().await;
    let row: (Value, i32) =
        sqlx::query_as("select metadata, resource_version from hdb_catalog.hdb_metadata where id = 1")
            .fetch_one(&pool)
            .await
            .unwrap();
    assert_eq!((&row.0["sources"][0]["tables"][0]["table"]["name"], row.1), (&json!("apps"), 4));
}

#[tokio::test]
async fn a_stale_version_is_refused_and_changes_nothing() {
    let rig = kept(&database().await, json!([table("teams")])).await;
    let replace = |version: u64, tables: Value| {
        json!({"type": "replace_metadata", "version": 2, "resource_version": version,
            "args": {"metadata": given(tables)}})
        .to_string()
    };
    let headers = [("x-hasura-admin-secret", SECRET)];
    let (status, answer) =
        rig.send("POST", "/v1/metadata", &headers, Some(replace(1, json!([table("apps"), table("teams")])))).await;
    assert_eq!((status, &answer["is_consistent"]), (200, &json!(true)), "{answer}");
    let (status, answer) = rig.send("POST", "/v1/metadata", &headers, Some(replace(1, json!([])))).await;
    let expected = json!({"path": "$", "code": "conflict",
        "error": "metadata resource version referenced (1) did not match current version"});
    assert_eq!((status, answer), (409, expected));
    assert_eq!(tracked(&rig).await.1, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_instance_reads_again_the_others_do() {
    let pool = database().await;
    let (one, two) = (kept(&pool, json!([table("teams")])).await, kept(&pool, json!([table("teams")])).await);
    sqlx::raw_sql("alter table teams add column motto text default 'on'").execute(&pool).await.unwrap();
    let headers = [("x-hasura-admin-secret", SECRET)];
    let reload = |args: Value| Some(json!({"type": "reload_metadata", "args": args}).to_string());
    for (args, message) in [
        (json!({"reload_sources": ["default", "nope"]}), "Source with name nope not found in metadata"),
        (json!({"reload_remote_schemas": ["nope"]}), "Remote schema with name nope not found in metadata"),
    ] {
        let (status, answer) = one.send("POST", "/v1/metadata", &headers, reload(args)).await;
        let expected = json!({"error": message, "path": "$.args", "code": "not-exists"});
        assert_eq!((status, answer), (400, expected));
    }
    let (status, answer) =
        one.send("POST", "/v1/metadata", &headers, reload(json!({"reload_sources": ["default"]}))).await;
    assert_eq!((status, &answer["is_consistent"]), (200, &json!(true)), "{answer}");
    let newest = tracked(&one).await.1;
    let wait = async {
        while tracked(&two).await.1 != newest {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), wait).await.expect("the other instance reads again");
    assert!(two.admin("{ teams { motto } }").await["errors"].is_null());
}

#[tokio::test(flavor = "multi_thread")]
async fn instances_follow_each_other_and_no_change_is_lost() {
    let pool = database().await;
    let names: Vec<String> = (0..8).map(|index| format!("t{index}")).collect();
    for name in &names {
        sqlx::raw_sql(sqlx::AssertSqlSafe(format!("create table {name} (id int)"))).execute(&pool).await.unwrap();
    }
    let (one, two) = (kept(&pool, json!([])).await, kept(&pool, json!([])).await);
    let add = async |rig: &Rig, names: &[String]| {
        for name in names {
            // Whoever was slower is told so, and asks again.
            loop {
                let body = Some(track(name).to_string());
                let (status, answer) =
                    rig.send("POST", "/v1/metadata", &[("x-hasura-admin-secret", SECRET)], body).await;
                match status {
                    200 => break,
                    409 => assert_eq!(answer["code"], "conflict"),
                    _ => panic!("{answer}"),
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    };
    tokio::join!(add(&one, &names[..4]), add(&two, &names[4..]));
    let wait = async {
        loop {
            let (mut left, mut right) = (tracked(&one).await, tracked(&two).await);
            left.0.sort();
            right.0.sort();
            if left == right && left.0 == names {
                return left.1;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let version = tokio::time::timeout(Duration::from_secs(20), wait).await.expect("both have all tables");
    assert_eq!(version, 9);
    assert_eq!(one.admin("{ t7 { id } }").await, json!({"data": {"t7": []}}));
}

fn permitted(team: i64) -> Value {
    json!([{"table": {"schema": "public", "name": "apps"}, "select_permissions": [
        {"role": "user", "permission": {"columns": ["id", "name"], "filter": {"team": {"_eq": team}}}}]}])
}

#[tokio::test]
async fn live_queries_and_streams_get_new_permissions_and_streams_keep_their_place() {
    let pool = database().await;
    let rig = Rig::over(pool.clone(), Setup { metadata: given(permitted(1)), ..Setup::default() }).await;
    let mut client = Client::connect(&rig, Some("graphql-transport-ws"), &[]).await;
    let headers = json!({"x-hasura-admin-secret": SECRET, "x-hasura-role": "user"});
    client.say(json!({"type": "connection_init", "payload": {"headers": headers}})).await;
    client.hear().await;
    let mut other = Client::connect(&rig, Some("graphql-transport-ws"), &[]).await;
    other.say(json!({"type": "connection_init", "payload": {"headers": headers}})).await;
    other.hear().await;
    client.subscribe("s", "subscription { apps_stream(batch_size: 5, cursor: {initial_value: {id: 0}}) { id } }").await;
    assert_eq!(client.data().await, json!({"apps_stream": [{"id": 1}]}));
    other.subscribe("l", "subscription { apps(order_by: {id: asc}) { id } }").await;
    assert_eq!(other.data().await, json!({"apps": [{"id": 1}]}));

    let replace =
        |tables: Value| json!({"type": "replace_metadata", "version": 2, "args": {"metadata": given(tables)}});
    rig.command(replace(permitted(2))).await;
    assert_eq!(other.data().await, json!({"apps": [{"id": 2}]}));
    // Row 2 lies behind the place of the stream and is permitted now; row 1 is not sent again.
    assert_eq!(client.data().await, json!({"apps_stream": [{"id": 2}]}));
    sqlx::raw_sql("insert into apps values (3, 'z', 1), (4, 'z', 2)").execute(&pool).await.unwrap();
    assert_eq!(other.data().await, json!({"apps": [{"id": 2}, {"id": 4}]}));
    assert_eq!(client.data().await, json!({"apps_stream": [{"id": 4}]}));

    // As a console saves a permission: it is never away for those who are subscribed.
    let both = json!({"columns": ["id", "name"], "filter": {}});
    rig.command(json!({"type": "bulk", "args": [
        {"type": "pg_drop_select_permission", "args": {"table": "apps", "role": "user"}},
        {"type": "pg_create_select_permission", "args": {"table": "apps", "role": "user", "permission": both}},
    ]}))
    .await;
    assert_eq!(other.data().await, json!({"apps": [{"id": 1}, {"id": 2}, {"id": 3}, {"id": 4}]}));
    sqlx::raw_sql("insert into apps values (5, 'z', 1)").execute(&pool).await.unwrap();
    assert_eq!(client.data().await, json!({"apps_stream": [{"id": 5}]}));
    let all = json!({"apps": (1..=5).map(|id| json!({"id": id})).collect::<Vec<_>>()});
    assert_eq!(other.data().await, all);

    rig.command(replace(json!([table("apps")]))).await;
    for (client, id) in [(&mut client, "s"), (&mut other, "l")] {
        match client.hear().await {
            Heard::Frame(frame) => assert_eq!((&frame["type"], &frame["id"]), (&json!("error"), &json!(id)), "{frame}"),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn untracking_takes_along_what_depends_only_when_told_to() {
    let pool = database().await;
    let mut metadata = given(json!([
        {"table": {"schema": "public", "name": "teams"},
            "event_triggers": [{"name": "team_changed", "definition": {"enable_manual": false, "insert": {"columns": "*"}},
                "webhook": "http://127.0.0.1:9/"}],
            "array_relationships": [{"name": "apps", "using": {"foreign_key_constraint_on": {
                "column": "team", "table": {"schema": "public", "name": "apps"}}}}]},
        {"table": {"schema": "public", "name": "apps"},
            "object_relationships": [{"name": "owner", "using": {"foreign_key_constraint_on": "team"}}],
            "select_permissions": [
                {"role": "user", "permission": {"columns": "*", "filter": {"owner": {"name": {"_eq": "a"}}}}},
                {"role": "guest", "permission": {"columns": ["id"], "filter": {}}}]},
    ]))
    .unwrap();
    metadata["inherited_roles"] = json!([{"role_name": "both", "role_set": ["user", "guest"]}]);
    let rig = Rig::over(pool.clone(), Setup { metadata: Some(metadata), ..Setup::default() }).await;
    let untrack = |cascade: bool| json!({"type": "pg_untrack_table", "args": {"table": "teams", "cascade": cascade}});
    let headers = [("x-hasura-admin-secret", SECRET)];
    let (status, answer) = rig.send("POST", "/v1/metadata", &headers, Some(untrack(false).to_string())).await;
    assert_eq!((status, &answer["code"]), (400, &json!("dependency-error")), "{answer}");
    let message = answer["error"].as_str().unwrap();
    assert!(message.starts_with("cannot drop due to the following dependent objects: "), "{message}");
    assert_eq!(tracked(&rig).await.0, ["teams", "apps"], "nothing was removed");

    rig.command(untrack(true)).await;
    let exported = rig.command(json!({"type": "export_metadata", "args": {}})).await;
    let tables = exported["sources"][0]["tables"].as_array().unwrap();
    assert_eq!(tables.len(), 1, "{exported}");
    assert_eq!(tables[0].get("object_relationships").cloned().unwrap_or(json!([])), json!([]), "{exported}");
    let roles: Vec<&Value> =
        tables[0]["select_permissions"].as_array().unwrap().iter().map(|one| &one["role"]).collect();
    assert_eq!(roles, ["guest"]);
    let inconsistent = rig.command(json!({"type": "get_inconsistent_metadata", "args": {}})).await;
    assert_eq!(inconsistent, json!({"is_consistent": true, "inconsistent_objects": []}));
    let capturing: i64 = sqlx::query_scalar("select count(*) from pg_trigger where tgname like 'notify_hasura%'")
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(capturing, 0, "its event trigger captures no more");
}

#[tokio::test]
async fn what_graphql_cannot_name_is_refused_with_its_name() {
    let pool = database().await;
    sqlx::raw_sql(
        "create table \"a-b\" (id int primary key);\
         create table colours (value text primary key, comment text);\
         insert into colours values ('red', null), ('dark blue', null), ('true', null);",
    )
    .execute(&pool)
    .await
    .unwrap();
    let rig = kept(&pool, json!([table("teams"), table("apps")])).await;
    let headers = [("x-hasura-admin-secret", SECRET)];
    let relationship = json!({"type": "pg_create_object_relationship", "args": {
        "table": "apps", "name": "the team", "using": {"foreign_key_constraint_on": "team"}}});
    let enumerated =
        json!({"type": "pg_track_table", "args": {"source": "default", "table": "colours", "is_enum": true}});
    let custom = json!({"type": "pg_track_table", "args": {"source": "default", "table": "colours",
        "configuration": {"custom_name": "1st"}}});
    for (command, says) in [
        (track("a-b"), "\"a-b\" is not a valid GraphQL identifier; give it a custom name"),
        (relationship, "in relationship \"the team\": \"the team\" is not a valid GraphQL identifier"),
        (enumerated, "because values \"dark blue\" and \"true\" are not valid GraphQL enum value names"),
        (custom, "\"1st\" is not a valid GraphQL name"),
    ] {
        let (status, answer) = rig.send("POST", "/v1/metadata", &headers, Some(command.to_string())).await;
        assert_eq!(status, 400, "{command}: {answer}");
        assert!(answer.to_string().replace("\\\"", "\"").contains(says), "{command}: {answer}");
    }
    assert_eq!(tracked(&rig).await, (vec!["teams".to_owned(), "apps".to_owned()], 1), "nothing has changed");
}
