//! Other names for the fields and types of a remote schema.

use serde_json::{Value, json};

use super::super::{Rig, Setup, empty_metadata};
use super::remote::Remote;
use super::{SQL, to_remote, to_rows};

async fn rig(customization: Value) -> (Rig, Remote) {
    let remote = Remote::start().await;
    let mut metadata = empty_metadata();
    let field = json!({"runtime": {"arguments": {"id": "$key"}}});
    metadata["sources"][0]["tables"] = json!([{
        "table": {"schema": "public", "name": "apps"},
        "remote_relationships": [to_remote("live", &["key"], field)],
    }]);
    metadata["remote_schemas"] = json!([remote.entry(json!({
        "definition": {"customization": customization},
        "remote_relationships": [{"type_name": "Runtime", "relationships": [
            to_rows("app", "apps", "object", json!({"appId": "id"})),
        ]}],
    }))]);
    let rig = Rig::start(Setup { sql: SQL, metadata: Some(metadata), ..Setup::default() }).await;
    let answer = rig.command(json!({"type": "get_inconsistent_metadata", "args": {}})).await;
    assert_eq!(answer["is_consistent"], true, "{answer}");
    (rig, remote)
}

#[tokio::test]
async fn a_namespace_and_new_names_are_undone_for_the_remote() {
    let (rig, remote) = rig(json!({
        "root_fields_namespace": "cloud",
        "type_names": {"prefix": "Cloud", "mapping": {"Phase": "State"}},
        "field_names": [
            {"parent_type": "Query", "prefix": "get_"},
            {"parent_type": "Runtime", "mapping": {"phase": "state", "id": "key"}},
            {"parent_type": "Bill", "mapping": {"id": "key"}},
            {"parent_type": "Thing", "mapping": {"id": "key"}},
        ],
    }))
    .await;
    let body = json!({
        "query": "query Q($p: State!, $id: ID!) { cloud { __typename a: get_runtime(id: $id) { __typename state key app { key } } \
            get_in_phase(phase: $p) { key } get_found { __typename ... on CloudRuntime { key } ... on CloudBill { key total } } \
            get_things { __typename key } } apps(where: {id: {_eq: 1}}) { live { __typename state } } }",
        "variables": {"p": "FAILED", "id": "app-1"},
    });
    let answer = rig.ask(&[("x-hasura-admin-secret", super::SECRET)], &body).await;
    // The field in a phase is the remote's own.
    assert_eq!(answer["errors"][0]["message"], "field 'get_in_phase' not found in type: 'CloudQuery'", "{answer}");
    let body = json!({"query": body["query"].as_str().unwrap().replace("get_in_phase", "get_inPhase"), "variables": body["variables"]});
    let answer = rig.ask(&[("x-hasura-admin-secret", super::SECRET)], &body).await;
    assert_eq!(
        answer,
        json!({"data": {
            "cloud": {
                "__typename": "CloudQuery",
                "a": {"__typename": "CloudRuntime", "state": "RUNNING", "key": "app-1", "app": {"key": "app-1"}},
                "get_inPhase": [{"key": "app-9"}],
                "get_found": [{"__typename": "CloudRuntime", "key": "app-1"}, {"__typename": "CloudBill", "key": "b-1", "total": 12.5}],
                "get_things": [{"__typename": "CloudRuntime", "key": "app-2"}, {"__typename": "CloudBill", "key": "b-2"}],
            },
            "apps": [{"live": {"__typename": "CloudRuntime", "state": "RUNNING"}}],
        }})
    );
    let asked = remote.asked();
    assert_eq!(asked.len(), 2, "the namespace in one request, the join in another: {asked:?}");
    assert!(asked.iter().all(|query| !query.contains("Cloud") && !query.contains("get_runtime")), "{asked:?}");
    let mutation = rig.admin("mutation { cloud { restart(id: \"app-1\") { key } } }").await;
    assert_eq!(mutation, json!({"data": {"cloud": {"restart": {"key": "app-1"}}}}));
    let only_the_name = rig.admin("{ cloud { __typename } }").await;
    assert_eq!(only_the_name, json!({"data": {"cloud": {"__typename": "CloudQuery"}}}));
}

#[tokio::test]
async fn introspection_shows_the_new_names() {
    let (rig, _remote) = rig(json!({"type_names": {"prefix": "R_", "suffix": "_x"}, "field_names": [{"parent_type": "Query", "suffix": "_of"}]})).await;
    let answer = rig.admin("{ __type(name: \"R_Filter_x\") { inputFields { name type { name } } } s: __schema { types { name } queryType { fields { name type { name } } } } }").await;
    let types = answer["data"]["s"]["types"].to_string();
    for name in ["R_Runtime_x", "R_Phase_x", "R_Found_x", "R_Thing_x"] {
        assert!(types.contains(&format!("\"{name}\"")), "{name}: {types}");
    }
    assert!(!types.contains("\"Runtime\"") && !types.contains("R_ID_x") && !types.contains("R_Query_x"), "{types}");
    let fields = answer["data"]["s"]["queryType"]["fields"].as_array().unwrap();
    assert!(fields.contains(&json!({"name": "runtime_of", "type": {"name": "R_Runtime_x"}})), "{fields:?}");
    let inputs = answer["data"]["__type"]["inputFields"].as_array().unwrap();
    assert!(inputs.contains(&json!({"name": "phase", "type": {"name": "R_Phase_x"}})), "{inputs:?}");
}

#[tokio::test]
async fn an_unknown_enum_value_and_a_missing_argument_are_refused_under_the_new_names() {
    let (rig, remote) = rig(json!({"type_names": {"prefix": "R_"}})).await;
    let unknown = rig.admin("{ inPhase(phase: NOPE) { id } }").await;
    assert_eq!(
        unknown["errors"][0]["message"],
        "expected one of the values ['PENDING', 'RUNNING', 'FAILED'] for type 'R_Phase', but found 'NOPE'"
    );
    let missing = rig.admin("{ runtime { id } }").await;
    assert_eq!(missing["errors"][0]["message"], "missing required field 'id'");
    assert!(remote.asked().is_empty());
}
