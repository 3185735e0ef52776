//! Metadata of joins and remote schemas: commands, and what does not fit.

use serde_json::{Value, json};

use super::super::{Rig, SECRET};
use super::{rig, setup_metadata, to_remote, to_rows};

async fn refused(rig: &Rig, command: Value) -> (String, String) {
    let (status, answer) =
        rig.send("POST", "/v1/metadata", &[("x-hasura-admin-secret", SECRET)], Some(command.to_string())).await;
    assert_eq!(status, 400, "{command}: {answer}");
    (answer["code"].as_str().unwrap().to_owned(), answer["error"].as_str().unwrap().to_owned())
}

fn table_command(verb: &str, relationship: &Value) -> Value {
    let mut args = relationship.clone();
    args["source"] = "default".into();
    args["table"] = json!({"schema": "public", "name": "apps"});
    json!({"type": format!("pg_{verb}_remote_relationship"), "args": args})
}

#[tokio::test]
async fn relationships_of_tables_are_made_changed_and_removed() {
    let (rig, _remote) = rig().await;
    let field = |region: &str| json!({"runtime": {"arguments": {"id": "$key", "region": region}}});
    rig.command(table_command("create", &to_remote("more", &["key"], field("eu")))).await;
    let query = "{ apps_by_pk(id: 1) { more { region } } }";
    assert_eq!(rig.admin(query).await["data"]["apps_by_pk"]["more"]["region"], "eu");
    rig.command(table_command("update", &to_remote("more", &["key"], field("us")))).await;
    assert_eq!(rig.admin(query).await["data"]["apps_by_pk"]["more"]["region"], "us");
    let taken = refused(&rig, table_command("create", &to_remote("runtime", &["key"], field("eu")))).await;
    assert_eq!(taken.0, "already-exists");
    rig.command(table_command("delete", &json!({"name": "more"}))).await;
    assert!(rig.admin(query).await["errors"][0]["message"].as_str().unwrap().contains("'more' not found"));
    assert_eq!(refused(&rig, table_command("delete", &json!({"name": "more"}))).await.0, "not-exists");
}

#[tokio::test]
async fn relationships_that_do_not_fit_are_refused_with_the_reason() {
    let (rig, _remote) = rig().await;
    let runtime = |arguments: Value| json!({"runtime": {"arguments": arguments}});
    let mut elsewhere = to_remote("bad", &["key"], runtime(json!({"id": "$key"})));
    elsewhere["definition"]["to_remote_schema"]["remote_schema"] = "nope".into();
    let cases = [
        (elsewhere, "remote schema with name \"nope\" not found"),
        (
            to_remote("bad", &["nope"], runtime(json!({"id": "$nope"}))),
            "field \"nope\" does not exist in table \"apps\"",
        ),
        (to_remote("bad", &["key"], json!({"nope": {"arguments": {}}})), "field with name \"nope\" not found"),
        (to_remote("bad", &["key"], runtime(json!({"nope": "$key"}))), "argument with name \"nope\" not found"),
        (to_remote("bad", &["key"], runtime(json!({"id": "$other"}))), "\"$other\" is not among the lhs_fields"),
        (to_remote("bad", &["id"], runtime(json!({"id": "$id", "region": 5}))), "expected type String but got 5"),
        (to_remote("bad", &["key"], json!({"inPhase": {"arguments": {"phase": "NOPE"}}})), "expected type Phase!"),
        (
            to_remote("bad", &["key"], json!({"runtime": {"arguments": {}, "field": {"pods": {"arguments": {}}}}})),
            "required argument with name \"id\" is missing",
        ),
        (to_remote("id", &["key"], runtime(json!({"id": "$key"}))), "field with name \"id\" already exists"),
        (to_rows("bad", "nope", "array", json!({"id": "app"})), "table \"nope\" does not exist"),
        (to_rows("bad", "builds", "array", json!({"id": "nope"})), "column \"nope\" does not exist"),
    ];
    for (relationship, reason) in &cases {
        let (code, message) = refused(&rig, table_command("create", relationship)).await;
        assert_eq!(code, "invalid-configuration", "{message}");
        assert!(message.starts_with("Inconsistent object: in table \"apps\": in remote relationship"), "{message}");
        assert!(message.contains(reason), "{message}\n does not say {reason}");
    }
    // The same are left out and listed where inconsistencies are allowed.
    let mut metadata = rig.command(json!({"type": "export_metadata", "args": {}})).await;
    metadata["sources"][0]["tables"][0]["remote_relationships"].as_array_mut().unwrap().push(cases[1].0.clone());
    let answer = rig
        .command(
            json!({"type": "replace_metadata", "args": {"allow_inconsistent_metadata": true, "metadata": metadata}}),
        )
        .await;
    assert_eq!(answer["inconsistent_objects"][0]["type"], "remote_relationship", "{answer}");
    assert_eq!(answer["inconsistent_objects"][0]["name"], "remote_relationship bad in table apps in source default");
    rig.command(json!({"type": "drop_inconsistent_metadata", "args": {}})).await;
    let answer = rig.command(json!({"type": "get_inconsistent_metadata", "args": {}})).await;
    assert_eq!(answer["is_consistent"], true, "{answer}");
}

#[tokio::test]
async fn relationships_of_remote_types_are_made_changed_and_removed() {
    let (rig, _remote) = rig().await;
    let command = |verb: &str, relationship: &Value| {
        let mut args = relationship.clone();
        args["remote_schema"] = "runtime".into();
        args["type_name"] = "Bill".into();
        json!({"type": format!("{verb}_remote_schema_remote_relationship"), "args": args})
    };
    let mapping = |column: &str| to_rows("apps", "apps", "array", json!({"id": column}));
    rig.command(command("create", &mapping("key"))).await;
    let query = "{ found { ... on Bill { apps { id } } } }";
    assert_eq!(rig.admin(query).await["data"]["found"][1], json!({"apps": []}));
    sqlx::query("update apps set owner = 'b-1' where id = 2").execute(&rig.pool).await.unwrap();
    rig.command(command("update", &mapping("owner"))).await;
    assert_eq!(rig.admin(query).await["data"]["found"][1], json!({"apps": [{"id": 2}]}));
    assert_eq!(refused(&rig, command("create", &mapping("key"))).await.0, "already-exists");
    let (code, message) = refused(&rig, command("create", &to_rows("x", "apps", "array", json!({"no": "id"})))).await;
    assert_eq!(code, "invalid-configuration");
    assert!(message.contains("field \"no\" does not exist in type \"Bill\""), "{message}");
    rig.command(command("delete", &json!({"name": "apps"}))).await;
    let exported = rig.command(json!({"type": "export_metadata", "args": {}})).await;
    let types = exported["remote_schemas"][0]["remote_relationships"].as_array().unwrap();
    assert_eq!(types.len(), 1, "the type goes with its last relationship: {types:?}");
    assert_eq!(refused(&rig, command("delete", &json!({"name": "apps"}))).await.0, "not-exists");
}

#[tokio::test]
async fn a_remote_schema_is_introspected_reloaded_and_renamed() {
    let (rig, remote) = rig().await;
    let shown = rig.command(json!({"type": "introspect_remote_schema", "args": {"name": "runtime"}})).await;
    assert_eq!(shown["data"]["__schema"]["queryType"]["name"], "Query", "{shown}");
    rig.command(json!({"type": "reload_remote_schema", "args": {"name": "runtime"}})).await;
    for command in ["reload_remote_schema", "introspect_remote_schema"] {
        assert_eq!(refused(&rig, json!({"type": command, "args": {"name": "nope"}})).await.0, "not-exists");
    }
    let mut definition =
        json!({"url": remote.url, "customization": {"field_names": [{"parent_type": "Query", "prefix": "my_"}]}});
    let update = |definition: &Value| json!({"type": "update_remote_schema", "args": {"name": "runtime", "definition": definition}});
    rig.command(update(&definition)).await;
    assert_eq!(rig.admin("{ my_runtime(id: \"a\") { id } }").await["data"]["my_runtime"]["id"], "a");
    definition["customization"]["field_names"][0]["parent_type"] = "Nope".into();
    let (_, message) = refused(&rig, update(&definition)).await;
    assert!(message.contains("field_names names \"Nope\""), "{message}");
}

#[tokio::test]
async fn presets_are_held_against_the_types_of_their_places() {
    let (rig, _remote) = rig().await;
    let permit = |schema: &str| {
        json!({"type": "add_remote_schema_permissions", "args": {
            "remote_schema": "runtime", "role": "viewer", "definition": {"schema": schema}}})
    };
    let runtime = |arguments: &str| {
        format!("type Query {{ runtime({arguments}): Runtime }} type Runtime {{ id: ID! region: String }}")
    };
    let (code, message) = refused(&rig, permit(&runtime("id: ID!, region: String @preset(value: 5)"))).await;
    assert_eq!(code, "validation-failed");
    assert!(message.contains("expected a value of type String but found 5"), "{message}");
    let (_, message) = refused(&rig, permit(&runtime("region: String"))).await;
    assert!(message.contains("non nullable arguments"), "{message}");
    rig.command(permit(&runtime("id: ID!, region: String @preset(value: \"x-hasura-region\", static: true)"))).await;
    let headers = [("x-hasura-admin-secret", SECRET), ("x-hasura-role", "viewer")];
    let answer = rig.ask(&headers, &json!({"query": "{ runtime(id: \"a\") { region } }"})).await;
    assert_eq!(answer, json!({"data": {"runtime": {"region": "x-hasura-region"}}}));
    rig.command(
        json!({"type": "drop_remote_schema_permissions", "args": {"remote_schema": "runtime", "role": "viewer"}}),
    )
    .await;
    let answer = rig.ask(&headers, &json!({"query": "{ runtime(id: \"a\") { region } }"})).await;
    assert_eq!(answer["errors"][0]["message"], "field 'runtime' not found in type: 'query_root'");
}

#[tokio::test]
async fn two_schemas_of_the_same_names_do_not_stand_beside_each_other() {
    let (rig, remote) = rig().await;
    let add =
        |definition: Value| json!({"type": "add_remote_schema", "args": {"name": "second", "definition": definition}});
    let (code, message) = refused(&rig, add(json!({"url": remote.url}))).await;
    assert_eq!(code, "invalid-configuration");
    assert!(message.contains("Duplicate remote field 'runtime'"), "{message}");
    let customization = json!({"root_fields_namespace": "second", "type_names": {"prefix": "S_"}});
    rig.command(add(json!({"url": remote.url, "customization": customization}))).await;
    let answer =
        rig.admin("{ runtime(id: \"a\") { __typename } second { runtime(id: \"b\") { __typename id } } }").await;
    assert_eq!(
        answer,
        json!({"data": {"runtime": {"__typename": "Runtime"}, "second": {"runtime": {"__typename": "S_Runtime", "id": "b"}}}})
    );
    let removal = json!({"type": "remove_remote_schema", "args": {"name": "runtime"}});
    let (code, message) = refused(&rig, removal).await;
    assert_eq!(code, "dependency-error");
    assert!(message.contains("remote relationship apps.runtime in source \"default\""), "{message}");
}

#[tokio::test]
async fn a_remote_that_is_down_leaves_out_what_needs_it() {
    let (rig, remote) = rig().await;
    let mut metadata = setup_metadata(&remote);
    metadata["remote_schemas"][0]["definition"]["url"] = "http://127.0.0.1:9/graphql".into();
    let replace =
        json!({"type": "replace_metadata", "args": {"allow_inconsistent_metadata": true, "metadata": metadata}});
    let answer = rig.command(replace).await;
    let kinds: Vec<&str> =
        answer["inconsistent_objects"].as_array().unwrap().iter().map(|one| one["type"].as_str().unwrap()).collect();
    assert!(kinds.contains(&"remote_schema") && kinds.contains(&"remote_relationship"), "{answer}");
    let rows = rig.admin("{ apps_by_pk(id: 1) { key own_builds { id } } }").await;
    assert_eq!(rows["data"]["apps_by_pk"]["key"], "app-1", "{rows}");
}
