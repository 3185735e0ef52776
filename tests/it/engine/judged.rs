//! Values and operators of permissions are held against the types of their columns when metadata is loaded.

use northstack::engine::{Engine, Request, Session};
use serde_json::{Value, json};

use super::{ask, engine};

const SETUP: &str = "create type mood as enum ('sad', 'happy');
    create table things (id int primary key, small smallint, big bigint, ratio float8, amount numeric, name text,
        short varchar, done bool, code uuid, at timestamptz, day date, data jsonb, raw json, tags text[], sizes int[],
        feels mood);
    insert into things (id, name, data, tags, sizes) values (1, 'X-Hasura-Name', '[\"a\"]', '{a}', '{1}'), (2, 'b', '{\"k\": 1}', '{b}', '{2}');";

async fn with(permissions: Value) -> Engine {
    let configuration = json!({"connection_info": {"database_url": {"from_env": "DATABASE"}}});
    let mut table = permissions;
    table["table"] = json!({"schema": "public", "name": "things"});
    let source = json!({"name": "default", "kind": "postgres", "configuration": configuration, "tables": [table]});
    engine(SETUP, &json!({"version": 3, "sources": [source]})).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_a_column_is_an_inconsistency_that_names_it() {
    let bounds = |value: &str| {
        format!(
            "The value {value} lies outside the bounds or is not an integer. Maybe it is a float, or is there integer overflow?"
        )
    };
    let parse = |what: &str, expected: &str, found: &str| {
        format!("parsing {what} failed, expected {expected}, but encountered {found}")
    };
    let only =
        |ty: &str, wanted: &str| format!("is of type \"{ty}\"; this operator works only on columns of type {wanted}");
    let texts = "\"varchar\", \"text\", \"citext\", \"bpchar\"";
    let cases: Vec<(Value, String)> = vec![
        (json!({"id": {"_eq": 1.5}}), bounds("1.5")),
        (json!({"id": 1.5}), bounds("1.5")),
        (json!({"id": {"_eq": 1.0}}), bounds("1.0")),
        (json!({"big": {"_in": [1, 2.0]}}), bounds("2.0")),
        (json!({"id": {"_in": [1, 2.5]}}), bounds("2.5")),
        (json!({"id": {"_in": 1}}), parse("[]", "Array", "Number")),
        (json!({"id": {"_in": "1"}}), parse("[]", "Array", "String")),
        (json!({"small": {"_gt": 40000}}), bounds("40000.0")),
        (json!({"big": {"_lt": 9223372036854775808u64}}), bounds("9.223372036854775808e18")),
        (
            json!({"id": {"_eq": true}}),
            "parsing Integer expected for input type: PGInteger failed, expected Number, but encountered Boolean"
                .to_owned(),
        ),
        (json!({"ratio": {"_eq": false}}), parse("Double", "Number", "Boolean")),
        (json!({"amount": {"_eq": []}}), parse("Scientific", "Number", "Array")),
        (json!({"name": {"_eq": 1}}), parse("Text", "String", "Number")),
        (json!({"short": {"_neq": {"a": 1}}}), parse("Text", "String", "Object")),
        (json!({"done": {"_eq": 1}}), parse("Bool", "Bool", "Number")),
        (json!({"code": {"_eq": 5}}), parse("UUID", "String", "Number")),
        (json!({"at": {"_gt": 5}}), parse("UTCTime", "String", "Number")),
        (json!({"day": {"_gt": 5}}), parse("Day", "String", "Number")),
        (json!({"feels": {"_eq": 5}}), "A string is expected for type: mood".to_owned()),
        (json!({"tags": {"_contains": 5}}), parse("[]", "Array", "Number")),
        (json!({"sizes": {"_contains": [1.5]}}), bounds("1.5")),
        (json!({"id": {"_like": "1%"}}), only("integer", texts)),
        (json!({"data": {"_ilike": "1%"}}), only("jsonb", texts)),
        (json!({"tags": {"_regex": "a"}}), only("text[]", texts)),
        (json!({"name": {"_contains": "a"}}), only("text", "an array or JSONB")),
        (json!({"name": {"_has_key": "a"}}), only("text", "\"jsonb\"")),
        (json!({"tags": {"_has_keys_any": ["a"]}}), only("text[]", "\"jsonb\"")),
        (json!({"data": {"_has_keys_all": "a"}}), parse("[]", "Array", "String")),
        (json!({"data": {"_has_key": 5}}), parse("Text", "String", "Number")),
        (json!({"name": {"_ancestor": "a"}}), only("text", "\"ltree\"")),
        (json!({"name": {"_st_contains": "a"}}), only("text", "\"geometry\"")),
        (
            json!({"id": {"_cast": {"String": {"_like": "1"}}}}),
            "cannot cast column of type \"integer\" to type \"text\"".to_owned(),
        ),
        (json!({"raw": {"_is_null": true}}), "JSON column can not be part of boolean expression".to_owned()),
        (
            json!({"_not": {"_or": [{"_exists": {"_table": {"schema": "public", "name": "things"}, "_where": {"id": {"_eq": 1.5}}}}]}}),
            bounds("1.5"),
        ),
        // What is left out or of another kind is no condition that always holds.
        (json!({"_exists": {"_table": {"schema": "public", "name": "things"}}}), "_exists needs _where".to_owned()),
        (json!({"id": {"_ceq": ["$", 1, "id"]}}), "expected a name in [\"$\",1,\"id\"], but found Number".to_owned()),
    ];
    let roles: Vec<Value> = cases
        .iter()
        .enumerate()
        .map(|(role, (filter, _))| json!({"role": format!("r{role}"), "permission": {"columns": ["id"], "filter": filter}}))
        .collect();
    let preset =
        json!({"role": "setter", "permission": {"columns": ["name"], "filter": {}, "check": null, "set": {"id": 1.5}}});
    let engine = with(json!({"select_permissions": roles, "update_permissions": [preset]})).await;
    let state = engine.state();
    for (role, (filter, reason)) in cases.iter().enumerate() {
        let name = format!("select_permission r{role} in table things in source default");
        let found =
            state.inconsistencies.iter().find(|one| one.name == name).unwrap_or_else(|| panic!("{filter} fits"));
        let start = format!("Inconsistent object: in table \"things\": in permission for role \"r{role}\": ");
        assert!(found.reason.starts_with(&start) && found.reason.contains(reason), "{filter}: {}", found.reason);
        // The column is named, however deep it stands.
        let column = filter.as_object().unwrap().keys().next().unwrap().replace("_not", "id");
        assert!(found.reason.contains(&column) || column == "raw", "{filter}: {}", found.reason);
    }
    assert_eq!(state.inconsistencies.len(), cases.len() + 1);
    let found = state.inconsistencies.iter().find(|one| one.kind == "update_permission").unwrap();
    assert!(found.reason.ends_with(&format!("{} (at \"id\")", bounds("1.5"))), "{}", found.reason);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fits_is_served() {
    let cases: Vec<(Value, &[i64])> = vec![
        (json!({"id": {"_eq": 1}}), &[1]),
        (json!({"id": {"_eq": "2"}}), &[2]),
        (json!({"id": {"_eq": "X-Hasura-Id"}}), &[2]),
        (json!({"id": {"_in": "X-Hasura-Ids"}}), &[1, 2]),
        (json!({"id": {"_eq": null}}), &[]),
        // A list holds literals alone.
        (json!({"name": {"_in": ["X-Hasura-Name"]}}), &[1]),
        (json!({"tags": {"_contains": ["a"]}}), &[1]),
        (json!({"tags": {"_contains": "{b}"}}), &[2]),
        (json!({"tags": {"_contains": "X-Hasura-Tags"}}), &[2]),
        (json!({"sizes": {"_eq": [1]}}), &[1]),
        (json!({"data": {"_contains": ["a"]}}), &[1]),
        (json!({"data": {"_has_keys_any": ["k"]}}), &[2]),
        (json!({"data": {"_cast": {"String": {"_like": "%k%"}}}}), &[2]),
        (json!({"name": {"_like": "b"}}), &[2]),
    ];
    let roles: Vec<Value> = cases
        .iter()
        .enumerate()
        .map(|(role, (filter, _))| json!({"role": format!("r{role}"), "permission": {"columns": ["id"], "filter": filter}}))
        .collect();
    let engine = with(json!({"select_permissions": roles})).await;
    assert!(engine.state().inconsistencies.is_empty(), "{:?}", engine.state().inconsistencies);
    for (role, (filter, expected)) in cases.iter().enumerate() {
        let variables =
            [("x-hasura-id", "2"), ("x-hasura-ids", "{1,2}"), ("x-hasura-tags", "{b}"), ("x-hasura-name", "b")];
        let session = Session::new(&format!("r{role}"), variables);
        let got = ask(&engine, &session, &Request::new("{ things(order_by: {id: asc}) { id } }")).await;
        let ids: Vec<Value> = expected.iter().map(|id| json!({"id": id})).collect();
        assert_eq!(got, json!({"data": {"things": ids}}), "{filter}");
    }
}
