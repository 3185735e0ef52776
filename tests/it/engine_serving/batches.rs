//! Several operations in one request, and operations that must be listed.

use serde_json::{Value, json};

use super::{Rig, SECRET, Setup, empty_metadata};

const ADMIN: &[(&str, &str)] = &[("x-hasura-admin-secret", SECRET)];

fn of(role: &'static str) -> [(&'static str, &'static str); 2] {
    [("x-hasura-admin-secret", SECRET), ("x-hasura-role", role)]
}

async fn rig(adjust: Option<fn(&mut northstack::engine::EngineOptions)>) -> Rig {
    let select =
        |role: &str| json!({"role": role, "permission": {"columns": "*", "filter": {}, "allow_aggregations": true}});
    let insert = json!({"role": "user", "permission": {"columns": "*", "check": {}}});
    let mut metadata = empty_metadata();
    metadata["sources"][0]["tables"] = json!([{
        "table": "things",
        "select_permissions": [select("user"), select("guest")],
        "insert_permissions": [insert],
    }]);
    let sql = "create table things (id int primary key, name text)";
    Rig::start(Setup { sql, metadata: Some(metadata), adjust, ..Setup::default() }).await
}

#[tokio::test]
async fn a_batch_is_answered_in_order_and_one_failure_spoils_nothing_else() {
    let rig = rig(None).await;
    let batch = json!([
        {"query": "{ things { id } }"},
        {"query": "mutation ($id: Int!) { insert_things_one(object: {id: $id}) { id } }", "variables": {"id": 1}},
        {"query": "{ nothing }"},
        {"query": "mutation { insert_things(objects: [{id: 2}, {id: 1}]) { affected_rows } }"},
        {"query": "query A { a: __typename } query B { things { id } }", "operationName": "B"},
        {"query": "subscription { things { id } }"},
        {"query": "{ things {"},
        {"query": "query ($n: Int!) { things(limit: $n) { id } }"},
    ]);
    let (status, answer) = rig.send("POST", "/v1/graphql", &of("user"), Some(batch.to_string())).await;
    let error = |code: &str, path: &str, message: &str| json!({"errors": [{"message": message, "extensions": {"path": path, "code": code}}]});
    let wanted = json!([
        {"data": {"things": []}},
        {"data": {"insert_things_one": {"id": 1}}},
        error("validation-failed", "$.selectionSet.nothing", "field 'nothing' not found in type: 'query_root'"),
        error("constraint-violation", "$.selectionSet.insert_things.args.objects",
            "Uniqueness violation. duplicate key value violates unique constraint \"things_pkey\""),
        {"data": {"things": [{"id": 1}]}},
        error("unexpected-payload", "$", "subscriptions are not supported over HTTP, use websockets instead"),
        error("validation-failed", "$.query", "not a valid graphql query"),
        error("validation-failed", "$", "expecting a value for non-nullable variable: \"n\""),
    ]);
    assert_eq!((status, answer), (200, wanted));
    assert_eq!(rig.send("POST", "/v1/graphql", ADMIN, Some("[]".to_owned())).await, (200, json!([])));
    // A member that is no request refuses the whole before anything is done.
    let broken = json!([{"query": "mutation { insert_things_one(object: {id: 7}) { id } }"}, {"variables": {}}]);
    let (_, answer) = rig.send("POST", "/v1/graphql", ADMIN, Some(broken.to_string())).await;
    assert_eq!(answer["errors"][0]["extensions"], json!({"path": "$[1]", "code": "parse-failed"}), "{answer}");
    assert_eq!(rig.admin("{ things { id } }").await["data"], json!({"things": [{"id": 1}]}));
}

#[tokio::test]
async fn an_operation_runs_when_a_collection_of_all_or_of_the_role_lists_it_with_its_fragments() {
    let rig = rig(Some(|options| options.allow_list = true)).await;
    let with_fragment = "query Things { things { ...parts } } fragment parts on things { id name }";
    let collection = |name: &str, query: &str| json!({"type": "create_query_collection", "args": {"name": name, "definition": {"queries": [{"name": "only", "query": query}]}}});
    for command in [
        collection("everyone", with_fragment),
        collection("users", "{ things_aggregate { aggregate { count } } }"),
        collection("unlisted", "{ things { id } }"),
        json!({"type": "add_collection_to_allowlist", "args": {"collection": "everyone"}}),
        json!({"type": "add_collection_to_allowlist", "args": {"collection": "users", "scope": {"global": false, "roles": ["user"]}}}),
    ] {
        rig.command(command).await;
    }
    let ask = async |role: &'static str, query: &str| rig.ask(&of(role), &json!({"query": query})).await;
    let refused = json!({"errors": [{"message": "query is not allowed", "extensions": {"path": "$", "code": "validation-failed"}}]});
    let count = "{ things_aggregate { __typename aggregate { count } } }";
    for (role, query, allowed) in [
        ("user", with_fragment, true),
        ("guest", with_fragment, true),
        (
            "guest",
            "query Things { __typename things { ...parts __typename } } fragment parts on things { id __typename name }",
            true,
        ),
        ("guest", "query Things { things { ...parts } } fragment parts on things { id }", false),
        ("guest", "query Things { things { id name } }", false),
        ("user", count, true),
        ("guest", count, false),
        ("user", "{ things { id } }", false),
        ("user", "{ __schema { queryType { name } } }", false),
    ] {
        let answer = ask(role, query).await;
        match allowed {
            true => assert!(answer["data"].is_object(), "{role}: {query}: {answer}"),
            false => assert_eq!(answer, refused, "{role}: {query}"),
        }
    }
    let answer = ask("user", "{ things {").await;
    assert_eq!(answer["errors"][0]["message"], "not a valid graphql query", "{answer}");
    // The admin of a development server is told more; an operation of a role in a batch is held by itself.
    let batch = json!([{"query": count}, {"query": "{ things { name } }"}]);
    let answer = rig.ask(&of("user"), &batch).await;
    assert_eq!((answer[0]["data"].is_object(), &answer[1]), (true, &refused), "{answer}");
    rig.command(json!({"type": "update_scope_of_collection_in_allowlist", "args": {"collection": "users", "scope": {"global": true}}})).await;
    assert!(ask("guest", count).await["data"].is_object());
    rig.command(json!({"type": "drop_collection_from_allowlist", "args": {"collection": "users"}})).await;
    assert_eq!(ask("user", count).await, refused);
    let answer: Value = rig.ask(ADMIN, &json!({"query": "{ things { id } }"})).await;
    assert_eq!(answer["data"], json!({"things": []}), "the admin needs no list");
}
