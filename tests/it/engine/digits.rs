//! Numbers keep their digits, and numbers that do not fit their column are told where they stand.

use northstack::engine::{Engine, Request, Session, json as exact};
use serde_json::{Value, json};

use super::{ask, engine};

const LONG: &str = "1234567890123456789012345678901234567890.0987654321";

async fn amounts() -> Engine {
    let setup = format!(
        "create extension if not exists ltree;
        create table amounts (id bigint primary key, amount numeric, data jsonb, place ltree);
        insert into amounts values (1, {LONG}, '{{\"n\": 18446744073709551616}}', 'a.b'), (2, 2, '[2]', 'c');"
    );
    let table = json!({"table": {"schema": "public", "name": "amounts"}});
    let configuration = json!({"connection_info": {"database_url": {"from_env": "DATABASE"}}});
    let source = json!({"name": "default", "kind": "postgres", "tables": [table], "configuration": configuration});
    engine(&setup, &json!({"version": 3, "sources": [source]})).await
}

async fn answer(engine: &Engine, query: &str, variables: &str) -> Value {
    let variables = exact::read(variables.as_bytes()).unwrap();
    ask(engine, &Session::admin(), &Request::new(query).with_variables(variables)).await
}

async fn stored(engine: &Engine, id: i64) -> (String, String) {
    let select = "select amount::text, data::text from amounts where id = $1";
    sqlx::query_as(select).bind(id).fetch_one(engine.pool()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn long_numbers_of_variables_and_documents_are_stored_and_found_exactly() {
    let engine = amounts().await;
    let one = json!([{"id": 1}]);
    let find = "query ($n: numeric!) { amounts(where: {amount: {_eq: $n}}) { id } }";
    assert_eq!(answer(&engine, find, &format!("{{\"n\": {LONG}}}")).await["data"]["amounts"], one);
    let find = format!("{{ amounts(where: {{amount: {{_in: [{LONG}]}}}}) {{ id }} }}");
    assert_eq!(answer(&engine, &find, "{}").await["data"]["amounts"], one);
    let find = "query ($d: jsonb!) { amounts(where: {data: {_contains: $d}}) { id } }";
    assert_eq!(answer(&engine, find, "{\"d\": {\"n\": 18446744073709551616}}").await["data"]["amounts"], one);

    let insert =
        "mutation ($n: numeric, $d: jsonb) { insert_amounts_one(object: {id: 3, amount: $n, data: $d}) { id } }";
    let variables = format!("{{\"n\": {LONG}, \"d\": [18446744073709551616, 33.333333333333336, {LONG}, \"1\"]}}");
    answer(&engine, insert, &variables).await;
    let data = format!("[18446744073709551616, 33.333333333333336, {LONG}, \"1\"]");
    assert_eq!(stored(&engine, 3).await, (LONG.to_owned(), data));

    let insert = format!(
        "mutation {{ insert_amounts_one(object: {{id: 4, amount: {LONG},
            data: {{lat: 33.333333333333336, far: 18446744073709551616, l: [{LONG}]}}}}) {{ id }} }}"
    );
    answer(&engine, &insert, "{}").await;
    let data = format!("{{\"l\": [{LONG}], \"far\": 18446744073709551616, \"lat\": 33.333333333333336}}");
    assert_eq!(stored(&engine, 4).await, (LONG.to_owned(), data));
}

#[tokio::test(flavor = "multi_thread")]
async fn values_that_cannot_be_of_their_type_are_told_at_their_place() {
    let engine = amounts().await;
    let bounds = |shown: &str| {
        format!(
            "The value {shown} lies outside the bounds or is not an integer. Maybe it is a float, or is there integer overflow?"
        )
    };
    let path = "Expecting label path: a sequence of zero or more labels separated by dots, for example L1.L2.L3";
    for (query, variables, message, place) in [
        (
            "{ amounts(where: {id: {_eq: 9223372036854775808}}) { id } }",
            "{}",
            bounds("9.223372036854775808e18"),
            "amounts.args.where.id._eq",
        ),
        (
            "query ($i: [bigint!]) { amounts(where: {id: {_in: $i}}) { id } }",
            "{\"i\": [1, 18446744073709551616]}",
            bounds("1.8446744073709551616e19"),
            "amounts.args.where.id._in[1]",
        ),
        ("{ amounts_by_pk(id: 1.5) { id } }", "{}", bounds("1.5"), "amounts_by_pk.args.id"),
        ("{ amounts(where: {place: {_eq: \"a..b\"}}) { id } }", "{}", path.to_owned(), "amounts.args.where.place._eq"),
        (
            "query ($p: ltree!) { amounts(where: {place: {_descendant: $p}}) { id } }",
            "{\"p\": \"\"}",
            path.to_owned(),
            "amounts.args.where.place._descendant",
        ),
    ] {
        let got = answer(&engine, query, variables).await;
        let wanted = json!({"path": format!("$.selectionSet.{place}"), "code": "parse-failed"});
        assert_eq!(
            (&got["errors"][0]["message"], &got["errors"][0]["extensions"]),
            (&json!(message), &wanted),
            "{query}"
        );
    }
    let got = answer(&engine, "{ amounts(where: {id: {_eq: 1.0}}) { id } }", "{}").await;
    assert_eq!(got["data"]["amounts"], json!([{"id": 1}]), "{got}");
    for twice in [
        "{ amounts(where: {id: {_eq: 1, _eq: 2}}) { id } }",
        "mutation { insert_amounts_one(object: {id: 9, data: {a: 1, a: 2}}) { id } }",
        "query ($w: amounts_bool_exp = {id: {_eq: 1}, id: {_eq: 2}}) { amounts(where: $w) { id } }",
        "{ amounts(limit: 1, limit: 2) { id } }",
    ] {
        let got = answer(&engine, twice, "{}").await;
        let wanted = json!({"message": "not a valid graphql query",
            "extensions": {"path": "$.query", "code": "validation-failed"}});
        assert_eq!(got["errors"][0], wanted, "{twice}");
    }
    let got =
        answer(&engine, "{ amounts(where: {_and: [{data: {_cast: {String: {_regex: \"(\"}}}}]}) { id } }", "{}").await;
    assert_eq!(got["errors"][0]["extensions"]["code"], "data-exception", "{got}");
}
