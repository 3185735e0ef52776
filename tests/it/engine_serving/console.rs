//! What the console and the CLI ask besides: plans, suggestions, sources, their own notes, limits.

use serde_json::{Value, json};

use super::{Rig, SECRET, Setup, empty_metadata};

const ADMIN: [(&str, &str); 1] = [("x-hasura-admin-secret", SECRET)];

const SQL: &str = "create table teams (id int primary key, name text not null);\
    create table projects (id int primary key, team_id int not null references teams, name text not null);\
    create table seats (team_id int unique references teams, person text);\
    insert into teams values (1, 'One'), (2, 'Two');";

fn metadata() -> Value {
    let mut metadata = empty_metadata();
    let table = |name: &str| json!({"table": {"name": name, "schema": "public"}});
    metadata["sources"][0]["tables"] = json!([table("teams"), table("projects"), table("seats")]);
    metadata["sources"][0]["tables"][0]["select_permissions"] =
        json!([{"role": "user", "permission": {"columns": ["name"], "filter": {"id": {"_eq": "X-Hasura-Team"}}}}]);
    metadata
}

async fn rig() -> Rig {
    Rig::start(Setup { sql: SQL, metadata: Some(metadata()), ..Setup::default() }).await
}

async fn post(rig: &Rig, path: &str, body: Value) -> (u16, Value) {
    rig.send("POST", path, &ADMIN, Some(body.to_string())).await
}

async fn refused(rig: &Rig, ty: &str, args: Value) -> (u16, String, String) {
    let (status, answer) = post(rig, "/v1/metadata", json!({"type": ty, "args": args})).await;
    (status, answer["code"].as_str().unwrap().to_owned(), answer["error"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_query_is_explained_field_by_field_and_not_run() {
    let rig = rig().await;
    let explain = async |query: &str, more: Value| {
        let mut body = json!({"query": {"query": query}});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        post(&rig, "/v1/graphql/explain", body).await
    };
    let query = "{ one: teams_by_pk(id: 1) { name } projects { name } __typename }";
    let (status, plans) = explain(query, json!({})).await;
    assert_eq!(status, 200, "{plans}");
    let fields: Vec<&Value> = plans.as_array().unwrap().iter().map(|plan| &plan["field"]).collect();
    assert_eq!(fields, ["one", "projects", "__typename"]);
    assert!(plans[0]["sql"].as_str().unwrap().contains("\"teams\""), "{plans}");
    assert!(plans[0]["plan"].as_array().unwrap().iter().any(|line| line.as_str().unwrap().contains("teams")));
    assert_eq!((&plans[2]["sql"], &plans[2]["plan"]), (&Value::Null, &Value::Null));
    let user = json!({"user": {"X-Hasura-Role": "user", "x-hasura-team": "1"}});
    let (_, plans) = explain("{ teams { name } }", user.clone()).await;
    assert!(plans[0]["sql"].as_str().unwrap().contains("WHERE"), "{plans}");
    let (_, plan) = explain("subscription { teams { name } }", user.clone()).await;
    assert!(plan["plan"].as_array().is_some_and(|lines| !lines.is_empty()), "{plan}");
    assert_eq!(plan["variables"]["session"]["x-hasura-team"], "1");
    assert_eq!(plan["variables"]["synthetic"], json!(["1"]));
    for (query, more, wanted) in [
        ("mutation { delete_teams(where: {}) { affected_rows } }", json!({}), "only queries can be explained"),
        ("{ projects { name } }", user, "field 'projects' not found in type: 'query_root'"),
        ("{ teams { name } }", json!({"is_relay": true}), "the Relay API is not supported"),
        (
            "{ teams { name } }",
            json!({"user": {"x-hasura-role": "user"}}),
            "missing session variable: \"x-hasura-team\"",
        ),
    ] {
        let (status, answer) = explain(query, more).await;
        assert_eq!((status >= 400, &answer["error"]), (true, &json!(wanted)), "{answer}");
    }
    let (status, answer) = rig
        .send(
            "POST",
            "/v1/graphql/explain",
            &[("x-hasura-admin-secret", SECRET), ("x-hasura-role", "user")],
            Some("{}".into()),
        )
        .await;
    assert_eq!(
        (status, answer),
        (
            400,
            json!({"error": "You have to be an admin to access this endpoint", "path": "$", "code": "access-denied"})
        )
    );
    let (_, rows) = post(&rig, "/v1/graphql", json!({"query": "{ teams { id } }"})).await;
    assert_eq!(rows["data"]["teams"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn relationships_are_suggested_from_foreign_keys() {
    let rig = rig().await;
    let table = |name: &str| json!({"name": name, "schema": "public"});
    let suggest = async |args: Value| -> Value {
        rig.command(json!({"type": "pg_suggest_relationships", "args": args})).await["relationships"].take()
    };
    let own = json!({"table": table("projects"), "columns": ["team_id"], "constraint_name": "projects_team_id_fkey"});
    let other = json!({"table": table("teams"), "columns": ["id"]});
    let to_team = json!({"type": "object", "from": own, "to": other});
    let to_projects = json!({"type": "array", "from": other, "to": own});
    assert_eq!(suggest(json!({"tables": [table("projects")]})).await, json!([to_team, to_projects]));
    let all = suggest(json!({})).await;
    let kinds: Vec<&Value> = all.as_array().unwrap().iter().map(|one| &one["type"]).collect();
    assert_eq!(kinds, ["object", "array", "object", "object"], "a unique key leads back to one row");
    rig.command(json!({"type": "pg_create_object_relationship", "args": {
        "table": "projects", "name": "team", "using": {"foreign_key_constraint_on": "team_id"},
    }}))
    .await;
    assert_eq!(suggest(json!({"tables": [table("projects")], "omit_tracked": true})).await, json!([to_projects]));
}

#[tokio::test]
async fn the_cli_and_the_console_find_their_notes_again() {
    let rig = rig().await;
    let state = async || rig.command(json!({"type": "get_catalog_state", "args": {}})).await;
    let before = state().await;
    assert_eq!((&before["cli_state"], &before["console_state"]), (&json!({}), &json!({})));
    for (kind, note) in [("cli", json!({"migrations": {"default": {"1": false}}})), ("console", json!({"seen": 1}))] {
        rig.command(json!({"type": "set_catalog_state", "args": {"type": kind, "state": note}})).await;
    }
    let again = Rig::over(rig.pool.clone(), Setup { metadata: Some(metadata()), ..Setup::default() }).await;
    let after = again.command(json!({"type": "get_catalog_state", "args": {}})).await;
    assert_eq!(
        after,
        json!({
            "id": before["id"], "cli_state": {"migrations": {"default": {"1": false}}}, "console_state": {"seen": 1},
        })
    );
}

#[tokio::test]
async fn the_source_is_renamed_dropped_and_added_again() {
    let rig = rig().await;
    let sources =
        async || -> Value { rig.command(json!({"type": "export_metadata", "args": {}})).await["sources"].take() };
    rig.command(json!({"type": "rename_source", "args": {"name": "default", "new_name": "main"}})).await;
    assert_eq!(sources().await[0]["name"], "main");
    assert_eq!(rig.admin("{ teams { id } }").await["data"]["teams"].as_array().unwrap().len(), 2);
    let is = |code: &str, message: &str| (400, code.to_owned(), message.to_owned());
    assert_eq!(
        refused(&rig, "rename_source", json!({"name": "default", "new_name": "x"})).await,
        is("not-exists", "Could not find source with name \"default\"")
    );
    let configuration = json!({"connection_info": {"database_url": {"from_env": "DATABASE_URL"}}});
    assert_eq!(
        refused(&rig, "pg_add_source", json!({"name": "main", "configuration": configuration})).await,
        is("already-exists", "source with name \"main\" already exists")
    );
    assert_eq!(
        refused(&rig, "pg_add_source", json!({"name": "second", "configuration": configuration})).await.1,
        "not-supported"
    );
    let prefixed = json!({"name": "main", "customization": {"root_fields": {"prefix": "my_"}}});
    rig.command(json!({"type": "pg_update_source", "args": prefixed})).await;
    assert_eq!(rig.admin("{ my_teams { id } }").await["data"]["my_teams"].as_array().unwrap().len(), 2);
    rig.command(json!({"type": "pg_drop_source", "args": {"name": "main"}})).await;
    assert_eq!(sources().await, json!([]));
    rig.command(json!({"type": "pg_add_source", "args": {"name": "default", "configuration": configuration}})).await;
    rig.command(json!({"type": "pg_track_table", "args": {"table": "teams"}})).await;
    assert_eq!(rig.admin("{ teams { id } }").await["data"]["teams"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn what_is_not_supported_is_refused_by_name() {
    let rig = rig().await;
    for (ty, args, code, wanted) in [
        (
            "get_source_kind_capabilities",
            json!({"name": "postgres"}),
            "data-connector-error",
            "postgres does not support Capabilities.",
        ),
        (
            "get_source_kind_capabilities",
            json!({"name": "nope"}),
            "data-connector-error",
            "Source Kind nope was not found.",
        ),
        ("pg_test_connection_template", json!({}), "not-supported", "connection templates are not supported"),
        (
            "pg_set_apollo_federation_config",
            json!({"table": "teams", "apollo_federation_config": {"enable": "v1"}}),
            "parse-failed",
            "Apollo federation is not supported",
        ),
        (
            "set_opentelemetry_config",
            json!({"status": "enabled"}),
            "parse-failed",
            "telemetry is configured by the service, not by metadata",
        ),
        (
            "set_query_tags",
            json!({"source_name": "default", "tags": {"disabled": false, "format": "standard"}}),
            "parse-failed",
            "query tags are not supported",
        ),
    ] {
        assert_eq!(refused(&rig, ty, args).await, (400, code.to_owned(), wanted.to_owned()), "{ty}");
    }
    rig.command(json!({"type": "set_opentelemetry_status", "args": "disabled"})).await;
    rig.command(json!({"type": "remove_metrics_config"})).await;
}

#[tokio::test]
async fn functions_are_tracked_together() {
    let rig = rig().await;
    sqlx::raw_sql(
        "create function first_teams() returns setof teams stable language sql as 'select * from teams limit 1';\
         create function last_teams() returns setof teams stable language sql as 'select * from teams offset 1';",
    )
    .execute(&rig.pool)
    .await
    .unwrap();
    let functions = json!([{"function": "first_teams"}, {"function": {"name": "last_teams", "schema": "public"}}]);
    rig.command(json!({"type": "pg_track_functions", "args": {"functions": functions}})).await;
    assert_eq!(
        rig.admin("{ first_teams { id } last_teams { id } }").await,
        json!({"data": {"first_teams": [{"id": 1}], "last_teams": [{"id": 2}]}})
    );
    rig.command(json!({"type": "pg_untrack_functions", "args": {"functions": functions}})).await;
    assert!(rig.admin("{ first_teams { id } }").await["errors"].is_array());
}

#[tokio::test]
async fn a_function_answers_with_the_table_that_it_declares_or_not_at_all() {
    let rig = rig().await;
    sqlx::raw_sql(
        "create function first_teams() returns setof teams stable language sql as 'select * from teams limit 1'",
    )
    .execute(&rig.pool)
    .await
    .unwrap();
    let track = |table: &str| {
        let response = json!({"type": "table", "table": {"name": table, "schema": "public"}});
        json!({"function": "first_teams", "configuration": {"response": response}})
    };
    let (status, _, message) = refused(&rig, "pg_track_function", track("projects")).await;
    assert_eq!(status, 400);
    assert!(message.ends_with("it returns rows of \"teams\", not of \"projects\" as its response says"), "{message}");
    rig.command(json!({"type": "pg_track_function", "args": track("teams")})).await;
    assert_eq!(rig.admin("{ first_teams { id } }").await, json!({"data": {"first_teams": [{"id": 1}]}}));
}

#[tokio::test]
async fn concurrent_queries_may_only_read() {
    let rig = rig().await;
    let run = |sql: &str, read_only: bool| json!({"type": "pg_run_sql", "args": {"sql": sql, "read_only": read_only}});
    let (status, answer) = post(
        &rig,
        "/v2/query",
        json!({"type": "concurrent_bulk", "args": [run("select 1 as a", true), run("select 2 as b", true)]}),
    )
    .await;
    assert_eq!(status, 200);
    assert_eq!((&answer[0]["result"], &answer[1]["result"]), (&json!([["a"], ["1"]]), &json!([["b"], ["2"]])));
    let (status, answer) =
        post(&rig, "/v2/query", json!({"type": "concurrent_bulk", "args": [run("delete from seats", false)]})).await;
    assert_eq!(
        (status, answer),
        (
            500,
            json!({
                "error": "Only read-only queries are allowed in a concurrent_bulk", "path": "$", "code": "unexpected",
            })
        )
    );
}

#[tokio::test]
async fn a_role_is_held_to_its_rate() {
    let rig = rig().await;
    rig.command(json!({"type": "set_api_limits", "args": {"rate_limit": {
        "global": {"max_reqs_per_min": 1}, "per_role": {"user": {"max_reqs_per_min": 3, "unique_params": ["x-hasura-team"]}},
    }}}))
    .await;
    let ask = async |team: &str| -> Value {
        let headers = [("x-hasura-admin-secret", SECRET), ("x-hasura-role", "user"), ("x-hasura-team", team)];
        rig.ask(&headers, &json!({"query": "{ teams { name } }"})).await
    };
    for _ in 0..3 {
        assert_eq!(ask("1").await, json!({"data": {"teams": [{"name": "One"}]}}));
    }
    assert_eq!(
        ask("1").await,
        json!({"errors": [{"message": "rate limit exceeded: at most 3 requests a minute", "extensions": {
            "path": "$", "code": "rate-limit-exceeded",
        }}]})
    );
    assert_eq!(ask("2").await, json!({"data": {"teams": [{"name": "Two"}]}}));
    assert!(rig.admin("{ teams { name } }").await["data"].is_object(), "admin has no limit");
    rig.command(json!({"type": "remove_api_limits"})).await;
    assert_eq!(ask("1").await, json!({"data": {"teams": [{"name": "One"}]}}));
}
