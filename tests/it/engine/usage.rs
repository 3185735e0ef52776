//! Variables and arguments: which may stand where, and what is missing.

use northstack::engine::{Engine, Request, Session};
use serde_json::{Value, json};

use super::{ask, engine};

const SETUP: &str = "create table things (id int primary key, tags text[], size int);
    insert into things values (1, '{x,y}', 1), (2, '{}', 2), (3, null, 3);";

async fn things() -> Engine {
    let table = json!({"table": {"schema": "public", "name": "things"}});
    let configuration = json!({"connection_info": {"database_url": {"from_env": "DATABASE"}}});
    let source = json!({"name": "default", "kind": "postgres", "tables": [table], "configuration": configuration});
    engine(SETUP, &json!({"version": 3, "sources": [source]})).await
}

async fn answer(engine: &Engine, query: &str, variables: Value) -> Value {
    ask(engine, &Session::admin(), &Request::new(query).with_variables(variables)).await
}

/// Message and path of a refusal.
fn refusal(answer: &Value) -> (&str, &str) {
    let error = &answer["errors"][0];
    assert!(error.is_object(), "{answer}");
    (error["message"].as_str().unwrap(), error["extensions"]["path"].as_str().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_variable_stands_only_where_its_type_fits() {
    let engine = things().await;
    let declared = |name: &str, is: &str, wanted: &str| {
        format!("variable '{name}' is declared as '{is}', but used where '{wanted}' is expected")
    };
    let root = "$.selectionSet.things";
    let cases = [
        (
            "query ($a: String) { things(limit: $a) { id } }",
            json!({"a": "1"}),
            declared("a", "String", "Int"),
            "args.limit",
        ),
        (
            "query ($a: bigint!) { things(where: {id: {_eq: $a}}) { id } }",
            json!({"a": 1}),
            declared("a", "bigint!", "Int"),
            "args.where.id._eq",
        ),
        (
            "query ($a: Int) { things(where: {id: {_in: [1, $a]}}) { id } }",
            json!({"a": 1}),
            declared("a", "Int", "Int!"),
            "args.where.id._in[1]",
        ),
        (
            "query ($a: order_by) { things(order_by: $a) { id } }",
            json!({"a": "asc"}),
            declared("a", "order_by", "[things_order_by!]"),
            "args.order_by",
        ),
        (
            "query ($a: Boolean) { things @include(if: $a) { id } }",
            json!({"a": true}),
            declared("a", "Boolean", "Boolean!"),
            "include.if",
        ),
    ];
    for (query, variables, message, path) in cases {
        let got = answer(&engine, query, variables).await;
        assert_eq!(refusal(&got), (message.as_str(), format!("{root}.{path}").as_str()), "{query}");
    }
    let allowed = [
        ("query ($a: Int!) { things(limit: $a) { id } }", json!({"a": 1})),
        ("query ($a: Int = 1) { things_by_pk(id: $a) { id } }", json!({})),
        ("query ($a: [Int!]!) { things(where: {id: {_in: $a}}) { id } }", json!({"a": [1]})),
        // A null among them is refused where it stands.
        ("query ($a: [Int]!) { things(where: {id: {_in: $a}}) { id } }", json!({"a": [1]})),
        ("query ($a: Boolean = true) { things @include(if: $a) { id } }", json!({})),
        ("query ($a: things_order_by!) { things(order_by: [$a]) { id } }", json!({"a": {"id": "asc"}})),
    ];
    for (query, variables) in allowed {
        let got = answer(&engine, query, variables).await;
        assert_eq!(got["errors"], Value::Null, "{query}: {got}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_defined_not_used_or_not_given_is_told() {
    let engine = things().await;
    let cases = [
        ("{ things(limit: $b) { id } }", json!({}), "unbound variable \"b\"", "$"),
        ("query ($a: Int) { things { id } }", json!({"a": 1}), "unexpected variables in variableValues: a", "$"),
        ("{ things { id } }", json!({"b": 1, "a": 1}), "unexpected variables in variableValues: a, b", "$"),
        (
            "query ($a: Int!) { things(limit: $a) { id } }",
            json!({"a": null}),
            "null value found for non-nullable type: \"Int!\"",
            "$",
        ),
        (
            "mutation { delete_things { affected_rows } }",
            json!({}),
            "missing required field 'where'",
            "$.selectionSet.delete_things.args.where",
        ),
        (
            "mutation { update_things(_set: {size: 1}) { affected_rows } }",
            json!({}),
            "missing required field 'where'",
            "$.selectionSet.update_things.args.where",
        ),
        ("{ things_by_pk { id } }", json!({}), "missing required field 'id'", "$.selectionSet.things_by_pk.args.id"),
    ];
    for (query, variables, message, path) in cases {
        let got = answer(&engine, query, variables).await;
        assert_eq!(refusal(&got), (message, path), "{query}");
    }
    let all = answer(&engine, "{ things(order_by: {id: asc}) { id size } }", json!({})).await;
    assert_eq!(all["data"]["things"], json!([{"id": 1, "size": 1}, {"id": 2, "size": 2}, {"id": 3, "size": 3}]));
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_of_arrays_hold_literals_and_variables() {
    let engine = things().await;
    for (query, variables, ids) in [
        ("{ things(where: {tags: {_in: [[\"x\", \"y\"]]}}) { id } }", json!({}), json!([{"id": 1}])),
        ("{ things(where: {tags: {_in: [[], [\"z\"]]}}) { id } }", json!({}), json!([{"id": 2}])),
        ("{ things(where: {tags: {_in: []}}) { id } }", json!({}), json!([])),
        ("{ things(where: {tags: {_nin: [[\"x\", \"y\"]]}}) { id } }", json!({}), json!([{"id": 2}])),
        (
            "query ($t: [[String!]!]) { things(where: {tags: {_in: $t}}) { id } }",
            json!({"t": [["x", "y"]]}),
            json!([{"id": 1}]),
        ),
        (
            "query ($t: [String!]!) { things(where: {tags: {_in: [$t]}}) { id } }",
            json!({"t": ["x", "y"]}),
            json!([{"id": 1}]),
        ),
    ] {
        let got = answer(&engine, query, variables).await;
        assert_eq!(got["data"]["things"], ids, "{query}: {got}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_and_offsets_are_integers_within_their_bounds() {
    let engine = things().await;
    let bounds = |value: &str| {
        format!(
            "The value {value} lies outside the bounds or is not an integer. Maybe it is a float, or is there integer overflow?"
        )
    };
    let limit = "expected a non-negative 32-bit integer for type 'Int', but found ";
    let offset = "expected a 32-bit integer, or a 64-bit integer represented as a string for type 'Int', but found ";
    for (given, message) in [
        ("limit: -1", format!("{limit}an integer")),
        ("limit: \"1\"", format!("{limit}a string")),
        ("limit: 1.5", format!("{limit}a float")),
        ("limit: 2147483648", bounds("2.147483648e9")),
        ("offset: \"-1\"", format!("{offset}a string")),
        ("offset: 1.5", format!("{offset}a float")),
        ("offset: 9223372036854775808", bounds("9.223372036854775808e18")),
    ] {
        let got = answer(&engine, &format!("{{ things({given}) {{ id }} }}"), json!({})).await;
        assert_eq!(refusal(&got).0, message, "{given}");
    }
    for given in ["offset: 9223372036854775807", "offset: \"9223372036854775807\"", "offset: 2147483648"] {
        let got = answer(&engine, &format!("{{ things({given}) {{ id }} }}"), json!({})).await;
        assert_eq!(got, json!({"data": {"things": []}}), "{given}");
    }
    let query = "query ($n: Int) { things(limit: $n) { id } }";
    assert_eq!(refusal(&answer(&engine, query, json!({"n": 1.5})).await).0, bounds("1.5"));
    assert_eq!(refusal(&answer(&engine, query, json!({"n": -1})).await).0, format!("{limit}a number"));
    assert_eq!(answer(&engine, query, json!({"n": 0})).await, json!({"data": {"things": []}}));
}
