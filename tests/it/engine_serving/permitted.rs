//! Roles, functions and names as Hasura takes them: what inherited roles come to, and what is not tracked.

use serde_json::{Value, json};

use super::{Rig, SECRET, Setup, empty_metadata};

const SQL: &str = "create type mood as enum ('sad', 'ok', 'happy');\
    create table kinds (value text primary key, comment text);\
    insert into kinds values ('small', null), ('large', null);\
    create table things (id int primary key, tags text[], numbers int[], data jsonb, org text, note text,\
        kind text references kinds, mood mood, plain json, points numeric);\
    insert into things values (1, '{a,b}', '{1,2}', '[\"a\"]', 'X-Hasura-Org', 'x', 'small', 'sad', '{}', 1),\
        (2, '{c}', '{3}', '[\"b\"]', 'other', 'y', 'large', 'happy', '{}', 2);\
    create function every(variadic names text[]) returns setof things language sql stable as $$ select * from things $$;\
    create function stable_things() returns setof things language sql stable as $$ select * from things $$;\
    create function with_session(session text) returns setof things language sql stable as $$ select * from things $$;\
    create function a_number() returns int language sql stable as $$ select 1 $$;";

fn things(permissions: Value) -> Value {
    let mut table = json!({"table": {"schema": "public", "name": "things"}});
    for (kind, list) in permissions.as_object().unwrap() {
        table[kind] = list.clone();
    }
    table
}

fn given(permissions: Value) -> Value {
    let mut metadata = empty_metadata();
    metadata["sources"][0]["tables"] =
        json!([{"table": {"schema": "public", "name": "kinds"}, "is_enum": true}, things(permissions)]);
    metadata
}

async fn rig(metadata: Value) -> Rig {
    Rig::start(Setup { sql: SQL, metadata: Some(metadata), ..Setup::default() }).await
}

async fn command(rig: &Rig, ty: &str, args: Value) -> (u16, Value) {
    let body = json!({"type": ty, "args": args}).to_string();
    rig.send("POST", "/v1/metadata", &[("x-hasura-admin-secret", SECRET)], Some(body)).await
}

async fn as_role(rig: &Rig, role: &str, query: &str) -> Value {
    rig.ask(&[("x-hasura-admin-secret", SECRET), ("x-hasura-role", role)], &json!({"query": query})).await
}

fn parents() -> Value {
    let select = |role: &str, limit: Option<u64>| json!({"role": role, "permission": {"columns": ["id"], "filter": {}, "limit": limit}});
    let insert = |role: &str, check: Value| json!({"role": role, "permission": {"columns": ["id"], "check": check}});
    let delete = |role: &str| json!({"role": role, "permission": {"filter": {}}});
    json!({
        "select_permissions": [select("one", None), select("two", Some(1))],
        "insert_permissions": [insert("one", json!({})), insert("two", json!({"id": {"_gt": 10}}))],
        "delete_permissions": [delete("one"), delete("two")],
    })
}

#[tokio::test]
async fn parents_that_differ_leave_the_permission_out() {
    let rig = rig(given(parents())).await;
    let (status, answer) =
        command(&rig, "add_inherited_role", json!({"role_name": "both", "role_set": ["one", "two"]})).await;
    assert_eq!((status, &answer), (200, &json!({"message": "success"})));
    let found = rig.command(json!({"type": "get_inconsistent_metadata", "args": {}})).await;
    assert_eq!(
        found["inconsistent_objects"],
        json!([{
            "type": "inherited role permission inconsistency",
            "name": "both",
            "reason": "Could not inherit permission for the role 'both' for the entity: 'insert permission, table: things, source: 'default''",
            "entity": {"permission_type": "insert", "source": "default", "table": "things"},
        }])
    );
    let answer = as_role(&rig, "both", "mutation { insert_things_one(object: {id: 9}) { id } }").await;
    assert_eq!(answer["errors"][0]["message"], "field 'insert_things_one' not found in type: 'mutation_root'");
    // The limit is the greatest that is given.
    assert_eq!(as_role(&rig, "both", "{ things { id } }").await["data"]["things"].as_array().unwrap().len(), 1);
    // Later permissions of a parent are taken as well.
    let update = |role: &str, filter: Value| json!({"source": "default", "table": "things", "role": role, "permission": {"columns": ["note"], "filter": filter}});
    for (role, filter) in [("one", json!({})), ("two", json!({"id": 1}))] {
        let (status, answer) = command(&rig, "pg_create_update_permission", update(role, filter)).await;
        assert_eq!(status, 200, "{answer}");
    }
    let found = rig.command(json!({"type": "get_inconsistent_metadata", "args": {}})).await;
    assert_eq!(found["inconsistent_objects"].as_array().unwrap().len(), 2, "{found}");
}

#[tokio::test]
async fn a_role_inherits_from_roles_that_are_there() {
    let rig = rig(given(parents())).await;
    let (status, answer) =
        command(&rig, "add_inherited_role", json!({"role_name": "x", "role_set": ["one", "nobody", "none"]})).await;
    assert_eq!(status, 400, "{answer}");
    assert!(
        answer["error"].as_str().unwrap().contains(
            "the following parent role(s) are not found: nobody, none which are required to construct the inherited role: \"x\""
        ),
        "{answer}"
    );
    for (name, set) in [("x", json!(["one", "two"])), ("y", json!(["x"]))] {
        let (status, answer) = command(&rig, "add_inherited_role", json!({"role_name": name, "role_set": set})).await;
        assert_eq!(status, 200, "{answer}");
    }
    assert_eq!(
        as_role(&rig, "y", "mutation { delete_things(where: {}) { affected_rows } }").await["data"]["delete_things"]["affected_rows"],
        2
    );
    let (status, answer) = command(&rig, "drop_inherited_role", json!({"role_name": "z"})).await;
    assert_eq!((status, &answer["error"]), (400, &json!("\"z\" inherited role doesn't exist")));
}

#[tokio::test]
async fn actions_are_inherited() {
    let mut metadata = given(parents());
    metadata["actions"] = json!([{"name": "ping", "definition": {"handler": "http://127.0.0.1:9/", "output_type": "String",
        "arguments": [], "kind": "synchronous", "type": "query"}, "permissions": [{"role": "one"}]}]);
    metadata["inherited_roles"] = json!([{"role_name": "both", "role_set": ["two", "one"]}]);
    let rig = rig(metadata).await;
    let fields = as_role(&rig, "both", "{ __type(name: \"query_root\") { fields { name } } }").await;
    assert!(fields.to_string().contains("\"ping\""), "{fields}");
    let fields = as_role(&rig, "two", "{ __type(name: \"query_root\") { fields { name } } }").await;
    assert!(!fields.to_string().contains("\"ping\""), "{fields}");
}

#[tokio::test]
async fn functions_that_no_field_can_call_are_not_tracked() {
    let rig = rig(given(json!({}))).await;
    for (name, configuration, says) in [
        ("every", json!({}), "because function with \"VARIADIC\" parameters are not supported"),
        (
            "a_number",
            json!({}),
            "the function does not return a \"COMPOSITE\" type\n  • the function does not return a table",
        ),
        ("stable_things", json!({"exposed_as": "mutation"}), "exposed as a mutation, but is not marked VOLATILE"),
        (
            "with_session",
            json!({"session_argument": "session"}),
            "given session argument \"session\" is not of type json",
        ),
        ("with_session", json!({"session_argument": "x"}), "given session argument \"x\" not the input argument"),
    ] {
        let args = json!({"source": "default", "function": name, "configuration": configuration});
        let (status, answer) = command(&rig, "pg_track_function", args).await;
        let message = answer["error"].as_str().unwrap_or_default();
        assert_eq!(status, 400, "{answer}");
        assert!(message.contains(&format!("the function \"{name}\" cannot be tracked ")), "{message}");
        assert!(message.contains(says), "{message}");
    }
}

#[tokio::test]
async fn methods_of_endpoints_are_in_capitals() {
    let rig = rig(given(json!({}))).await;
    let queries = json!({"name": "c", "definition": {"queries": [{"name": "q", "query": "query { __typename }"}]}});
    rig.command(json!({"type": "create_query_collection", "args": queries})).await;
    for (methods, taken) in
        [(json!(["get"]), false), (json!(["OPTIONS"]), false), (json!([]), false), (json!(["GET"]), true)]
    {
        let args = json!({"name": "e", "url": "e", "methods": methods,
            "definition": {"query": {"collection_name": "c", "query_name": "q"}}});
        let (status, answer) = command(&rig, "create_rest_endpoint", args).await;
        assert_eq!(status == 200, taken, "{methods}: {answer}");
    }
}

#[tokio::test]
async fn native_enums_have_an_order_and_conventions_reach_every_name() {
    let mut metadata = given(json!({}));
    metadata["sources"][0]["customization"] = json!({"naming_convention": "graphql-default"});
    let rig = rig(metadata).await;
    let answer = rig.admin("{ thingsAggregate { aggregate { max { mood } min { mood } } } }").await;
    let expected = json!({"max": {"mood": "happy"}, "min": {"mood": "sad"}});
    assert_eq!(answer, json!({"data": {"thingsAggregate": {"aggregate": expected}}}));
    let answer = rig.admin("mutation { deleteThings(where: {id: {_eq: 2}}) { affectedRows } }").await;
    assert_eq!(answer, json!({"data": {"deleteThings": {"affectedRows": 1}}}));
}

#[tokio::test]
async fn introspection_lists_everything_by_name() {
    let rig = rig(given(json!({}))).await;
    let query =
        "{ __schema { types { name enumValues { name } fields { name } inputFields { name } } directives { name } } }";
    let answer = rig.admin(query).await;
    let names = |list: &Value| -> Vec<String> {
        list.as_array().into_iter().flatten().map(|one| one["name"].as_str().unwrap().to_owned()).collect()
    };
    let schema = &answer["data"]["__schema"];
    let sorted = |names: Vec<String>| names.is_sorted();
    assert!(sorted(names(&schema["types"])), "{:?}", names(&schema["types"]));
    for ty in schema["types"].as_array().unwrap() {
        for members in ["fields", "inputFields", "enumValues"] {
            assert!(sorted(names(&ty[members])), "{ty}");
        }
    }
    assert_eq!(names(&schema["directives"]), ["include", "skip", "cached"]);
    let version = rig.send("GET", "/v1/version", &[], None).await.1;
    assert_eq!(version["version"], "v2.48.16");
}
