//! `run_sql` as migrations use it: what the metadata names is not taken away unseen, and new names are followed.

use serde_json::{Value, json};

use super::{Rig, SECRET, Setup, empty_metadata};

const SQL: &str = "create table teams (id int primary key, name text, secret text);\
    create table apps (id int primary key, name text, team_id int constraint apps_team references teams, owner text, size int);\
    create function team_label(team teams) returns text language sql stable as $$ select team.name $$;\
    create function small_apps() returns setof apps language sql stable as $$ select * from apps $$;";

fn metadata() -> Value {
    let mut metadata = empty_metadata();
    metadata["sources"][0]["tables"] = json!([
        {
            "table": {"schema": "public", "name": "teams"},
            "configuration": {"column_config": {"name": {"custom_name": "title"}}, "custom_column_names": {"name": "title"}},
            "array_relationships": [{"name": "apps", "using": {"foreign_key_constraint_on":
                {"column": "team_id", "table": {"schema": "public", "name": "apps"}}}}],
            "computed_fields": [{"name": "label", "definition": {"function": {"schema": "public", "name": "team_label"}}}],
            "remote_relationships": [{"name": "same", "definition": {"to_source": {"source": "default",
                "relationship_type": "array", "table": {"schema": "public", "name": "apps"},
                "field_mapping": {"secret": "owner"}}}}],
            "select_permissions": [{"role": "user", "permission": {"columns": ["id"], "filter":
                {"_or": [{"apps": {"owner": {"_eq": "X-Hasura-User-Id"}}},
                    {"_exists": {"_table": {"schema": "public", "name": "apps"}, "_where": {"size": {"_gt": 3}}}},
                    {"apps_aggregate": {"count": {"arguments": ["size"], "filter": {"name": {"_ceq": ["owner"]}}, "predicate": {"_gt": 1}}}}]}}}],
        },
        {
            "table": {"schema": "public", "name": "apps"},
            "object_relationships": [
                {"name": "team", "using": {"foreign_key_constraint_on": "team_id"}},
                {"name": "by_hand", "using": {"manual_configuration": {"insertion_order": null,
                    "remote_table": {"schema": "public", "name": "teams"}, "column_mapping": {"team_id": "id"}}}},
            ],
            "insert_permissions": [{"role": "user", "permission": {"check": {}, "columns": ["id", "name"],
                "set": {"owner": "X-Hasura-User-Id", "size": 1}}}],
            "event_triggers": [{"name": "resized", "webhook": "http://127.0.0.1:9/", "definition":
                {"enable_manual": false, "update": {"columns": ["size"], "payload": ["id", "size"]}},
                "retry_conf": {"num_retries": 0, "interval_sec": 10, "timeout_sec": 60}}],
        },
    ]);
    metadata["sources"][0]["functions"] = json!([{"function": {"schema": "public", "name": "small_apps"}}]);
    metadata
}

async fn rig() -> Rig {
    let rig = Rig::start(Setup { sql: SQL, metadata: Some(metadata()), ..Setup::default() }).await;
    assert_eq!(inconsistent(&rig).await, json!([]));
    rig
}

async fn inconsistent(rig: &Rig) -> Value {
    rig.command(json!({"type": "get_inconsistent_metadata", "args": {}})).await["inconsistent_objects"].take()
}

async fn run(rig: &Rig, sql: &str, cascade: bool) -> (u16, Value) {
    let body = json!({"type": "run_sql", "args": {"source": "default", "sql": sql, "cascade": cascade}});
    rig.send("POST", "/v2/query", &[("x-hasura-admin-secret", SECRET)], Some(body.to_string())).await
}

/// Runs SQL that must be refused; gives the code and what is said.
async fn refused(rig: &Rig, sql: &str) -> (Value, String) {
    let before = rig.command(json!({"type": "export_metadata", "args": {}})).await;
    let (status, answer) = run(rig, sql, false).await;
    assert_eq!(status, 400, "{sql}: {answer}");
    assert_eq!(answer["path"], "$.args", "{answer}");
    assert_eq!(rig.command(json!({"type": "export_metadata", "args": {}})).await, before, "{sql}: nothing has changed");
    (answer["code"].clone(), answer["error"].as_str().unwrap().to_owned())
}

async fn source(rig: &Rig) -> Value {
    rig.command(json!({"type": "export_metadata", "args": {}})).await["sources"][0].take()
}

#[tokio::test]
async fn what_the_metadata_names_is_not_taken_away_unseen() {
    let rig = rig().await;
    let said = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|name| format!("{name} in source \"default\"")).collect();
        (json!("dependency-error"), format!("cannot drop due to the following dependent objects: {}", names.join(", ")))
    };
    for (sql, names) in [
        // By permissions over a relationship, presets, a relationship that leaves the source.
        (
            "alter table apps drop column owner",
            &["permission apps.user.insert", "permission teams.user.select", "remote relationship teams.same"][..],
        ),
        ("alter table teams drop column secret", &["remote relationship teams.same"]),
        (
            "alter table apps drop column size",
            &["event-trigger apps.resized", "permission apps.user.insert", "permission teams.user.select"],
        ),
        // By relationships over a foreign key and by hand.
        (
            "alter table apps drop column team_id",
            &["relationship apps.by_hand", "relationship apps.team", "relationship teams.apps"],
        ),
        ("alter table apps drop constraint apps_team", &["relationship apps.team", "relationship teams.apps"]),
        ("drop function team_label", &["computed field teams.label"]),
        (
            "drop table apps cascade",
            &[
                "function small_apps",
                "permission teams.user.select",
                "relationship teams.apps",
                "remote relationship teams.same",
            ],
        ),
    ] {
        assert_eq!(refused(&rig, sql).await, said(names), "{sql}");
    }
    let columns: i64 =
        sqlx::query_scalar("select count(*) from information_schema.columns where table_name in ('apps', 'teams')")
            .fetch_one(&rig.pool)
            .await
            .unwrap();
    assert_eq!(columns, 8, "the database is as it was");
    // What nothing names goes, as does a key that is made anew in the same SQL.
    let (status, answer) = run(&rig, "alter table apps add note text; alter table apps drop column note", false).await;
    assert_eq!(status, 200, "{answer}");
    let anew = "alter table apps drop constraint apps_team; \
        alter table apps add constraint apps_team foreign key (team_id) references teams on delete cascade";
    assert_eq!(run(&rig, anew, false).await.0, 200);
    assert_eq!(inconsistent(&rig).await, json!([]));
}

#[tokio::test]
async fn every_column_is_named_by_a_star() {
    let mut metadata = empty_metadata();
    metadata["sources"][0]["tables"] = json!([{"table": {"schema": "public", "name": "apps"},
        "select_permissions": [{"role": "user", "permission": {"columns": "*", "filter": {}}}]}]);
    let rig = Rig::start(Setup { sql: SQL, metadata: Some(metadata), ..Setup::default() }).await;
    let (code, message) = refused(&rig, "alter table apps drop column owner").await;
    assert_eq!(code, "dependency-error");
    assert!(message.ends_with("objects: permission apps.user.select in source \"default\""), "{message}");
}

#[tokio::test]
async fn a_cascade_takes_along_what_depends() {
    let rig = rig().await;
    let (status, answer) = run(&rig, "alter table apps drop column owner", true).await;
    assert_eq!(status, 200, "{answer}");
    let tables = source(&rig).await["tables"].take();
    assert_eq!((tables[0].get("select_permissions"), tables[0].get("remote_relationships")), (None, None), "{tables}");
    assert_eq!(tables[1].get("insert_permissions"), None, "{tables}");
    assert_eq!(tables[1]["event_triggers"][0]["name"], "resized");
    assert_eq!(run(&rig, "drop table apps cascade", true).await.0, 200);
    let left = source(&rig).await;
    assert_eq!(left["tables"].as_array().unwrap().len(), 1, "{left}");
    assert_eq!((left["tables"][0].get("array_relationships"), left.get("functions")), (None, None), "{left}");
    assert_eq!(inconsistent(&rig).await, json!([]));
}

#[tokio::test]
async fn a_function_that_goes_is_no_field_any_more() {
    let rig = rig().await;
    assert_eq!(run(&rig, "drop function small_apps", false).await.0, 200);
    assert_eq!(source(&rig).await.get("functions"), None);
    assert_eq!(inconsistent(&rig).await, json!([]));
}

#[tokio::test]
async fn functions_in_use_stay_what_they_are() {
    let rig = rig().await;
    let (code, message) = refused(
        &rig,
        "create function small_apps(most int) returns setof apps language sql stable as $$ select * from apps $$",
    )
    .await;
    assert_eq!(code, "not-supported");
    assert_eq!(message, "the following tracked function(s) cannot be overloaded: small_apps");
    let (code, message) = refused(&rig, "alter function small_apps() volatile").await;
    assert_eq!(code, "not-supported");
    assert_eq!(message, "type of function \"small_apps\" is altered to \"VOLATILE\" which is not supported now");
    let (_, message) = refused(&rig, "alter function team_label(teams) volatile").await;
    assert_eq!(
        message,
        "The type of function \"team_label\" associated with computed field \"label\" of table \"teams\" is being altered \
         to \"VOLATILE\""
    );
}

#[tokio::test]
async fn new_types_do_not_meet_literals_of_old_ones() {
    let rig = rig().await;
    let (code, message) = refused(&rig, "alter table apps alter column size type text").await;
    assert_eq!(code, "dependency-error");
    assert_eq!(
        message,
        "cannot change type of column \"size\" in table \"apps\" because of the following dependencies: permission \
         apps.user.insert in source \"default\", permission teams.user.select in source \"default\""
    );
    // Session variables are read as whatever the column is.
    let sql = "alter table apps alter column owner type varchar(30), alter column name type varchar(30)";
    assert_eq!(run(&rig, sql, false).await.0, 200);
    assert_eq!(inconsistent(&rig).await, json!([]));
}

#[tokio::test]
async fn new_names_are_followed_wherever_the_old_ones_stand() {
    let rig = rig().await;
    let sql = "alter table apps rename column owner to holder; alter table apps rename column size to units; \
        alter table apps rename to applications; alter table teams rename column name to label_text; \
        alter table applications rename column team_id to group_id; alter table teams rename column secret to code";
    let (status, answer) = run(&rig, sql, false).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(inconsistent(&rig).await, json!([]));
    let now = metadata().to_string();
    let mut now: Value = serde_json::from_str(
        &now.replace("\"owner\"", "\"holder\"")
            .replace("\"size\"", "\"units\"")
            .replace("\"name\":\"apps\",\"schema\"", "\"name\":\"applications\",\"schema\"")
            .replace("\"schema\":\"public\",\"name\":\"apps\"", "\"schema\":\"public\",\"name\":\"applications\"")
            .replace("\"team_id\"", "\"group_id\"")
            .replace("\"secret\"", "\"code\"")
            .replace("{\"name\":{\"custom_name\"", "{\"label_text\":{\"custom_name\"")
            .replace("{\"name\":\"title\"}", "{\"label_text\":\"title\"}"),
    )
    .unwrap();
    assert_eq!(source(&rig).await["tables"], now["sources"][0]["tables"].take());
    let both = "alter table applications rename column id to x; alter table applications rename column name to id; \
        alter table applications rename column x to name";
    assert_eq!(run(&rig, both, false).await.0, 200, "names may be exchanged");
    let tables = source(&rig).await["tables"].take();
    assert_eq!(tables[1]["insert_permissions"][0]["permission"]["columns"], json!(["name", "id"]));
    assert_eq!(tables[1]["event_triggers"][0]["definition"]["update"]["payload"], json!(["name", "units"]));
    assert_eq!(inconsistent(&rig).await, json!([]));
    let (code, message) = refused(&rig, "alter table applications rename column units to team").await;
    assert_eq!(code, "already-exists");
    assert_eq!(
        message,
        "cannot rename column \"units\" to \"team\" in table \"applications\" as a relationship with the name already \
         exists"
    );
}

#[tokio::test]
async fn a_relationship_is_renamed_in_permissions_too() {
    let rig = rig().await;
    let rename = |new: &str| {
        json!({"type": "pg_rename_relationship", "args": {"source": "default", "table": "teams", "name": "apps", "new_name": new}})
            .to_string()
    };
    let headers = [("x-hasura-admin-secret", SECRET)];
    let (status, answer) = rig.send("POST", "/v1/metadata", &headers, Some(rename("label_x"))).await;
    assert_eq!((status, &answer), (200, &json!({"message": "success"})));
    let filter = &source(&rig).await["tables"][0]["select_permissions"][0]["permission"]["filter"];
    assert_eq!(filter["_or"][0], json!({"label_x": {"owner": {"_eq": "X-Hasura-User-Id"}}}));
    assert!(filter["_or"][2].get("label_x_aggregate").is_some(), "{filter}");
    assert_eq!(inconsistent(&rig).await, json!([]));
    let (status, answer) = rig.send("POST", "/v1/metadata", &headers, Some(rename("y"))).await;
    assert_eq!((status, &answer["code"]), (400, &json!("not-exists")), "{answer}");
}
