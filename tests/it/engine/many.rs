//! Many values in one statement: more than PostgreSQL takes parameters, and lists.

use northstack::engine::execute::refresh;
use northstack::engine::plan::{CompiledRoot, Planned};
use northstack::engine::{Engine, Request, Session};
use serde_json::{Value, json};

use super::{ask, engine};

const SETUP: &str =
    "create table coins (id int primary key, name text, worth numeric, struck date default '1900-01-01',
    marks text[], code uuid);";

async fn coins() -> Engine {
    let configuration = json!({"connection_info": {"database_url": {"from_env": "DATABASE"}}});
    let tables = json!([{"table": {"schema": "public", "name": "coins"}}]);
    let source = json!({"name": "default", "kind": "postgres", "configuration": configuration, "tables": tables});
    engine(SETUP, &json!({"version": 3, "sources": [source]})).await
}

async fn answer(engine: &Engine, query: &str, variables: Value) -> Value {
    ask(engine, &Session::admin(), &Request::new(query).with_variables(variables)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_takes_more_values_than_it_may_have_parameters() {
    let engine = coins().await;
    // Each value another, some rows without one, and one that the database refuses.
    let coin = |id: usize| match id % 5 {
        0 => json!({"id": id, "name": null, "worth": id as f64 + 0.5}),
        1 => json!({"id": id, "name": format!("{{\"n\\{id}, NULL"), "marks": [format!("m{id}"), "{\"x\"}", "NULL"]}),
        _ => json!({"id": id, "name": format!("n{id}"), "worth": format!("{id}.25"), "struck": "2020-02-02"}),
    };
    let rows: Vec<Value> = (1..=26_000).map(coin).collect();
    let insert = "mutation ($rows: [coins_insert_input!]!) { insert_coins(objects: $rows) { affected_rows } }";
    let got = answer(&engine, insert, json!({"rows": rows})).await;
    assert_eq!(got, json!({"data": {"insert_coins": {"affected_rows": 26_000}}}));
    let read =
        "{ coins(where: {id: {_in: [25996, 25997, 26000]}}, order_by: {id: asc}) { id name worth struck marks } }";
    let expected = json!([
        {"id": 25996, "name": "{\"n\\25996, NULL", "worth": null, "struck": "1900-01-01", "marks": ["m25996", "{\"x\"}", "NULL"]},
        {"id": 25997, "name": "n25997", "worth": 25997.25, "struck": "2020-02-02", "marks": null},
        {"id": 26000, "name": null, "worth": 26000.5, "struck": "1900-01-01", "marks": null},
    ]);
    assert_eq!(answer(&engine, read, json!({})).await["data"]["coins"], expected);
    let again = json!({"rows": (26_001..=52_000).map(coin).chain([json!({"id": 7})]).collect::<Vec<_>>()});
    let got = answer(&engine, insert, again).await;
    assert_eq!(got["errors"][0]["extensions"]["code"], json!("constraint-violation"), "{got}");
    let count = "{ coins_aggregate { aggregate { count } } }";
    assert_eq!(answer(&engine, count, json!({})).await["data"]["coins_aggregate"]["aggregate"]["count"], json!(26_000));
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_hold_what_they_are_given() {
    let engine = coins().await;
    let odd = ["a\"b", "back\\slash", "{curly}", "NULL", "", "com,ma", "é"];
    let rows: Vec<Value> = odd
        .iter()
        .enumerate()
        .map(|(id, name)| {
            json!({"id": id, "name": name, "worth": format!("{id}.10"), "struck": format!("2020-01-0{}", id + 1),
            "code": format!("00000000-0000-4000-8000-00000000000{id}")})
        })
        .collect();
    let insert = "mutation ($rows: [coins_insert_input!]!) { insert_coins(objects: $rows) { affected_rows } }";
    answer(&engine, insert, json!({"rows": rows})).await;
    let ids = async |filter: &str, variables: Value, ty: &str| {
        let query = format!("query ($v: {ty}) {{ coins(where: {filter}, order_by: {{id: asc}}) {{ id }} }}");
        let got = answer(&engine, &query, variables).await;
        let rows = got["data"]["coins"].as_array().unwrap_or_else(|| panic!("{filter}: {got}")).clone();
        rows.iter().map(|row| row["id"].as_i64().unwrap()).collect::<Vec<_>>()
    };
    for (id, name) in odd.iter().enumerate() {
        let found = ids("{name: {_in: $v}}", json!({"v": [name, "other"]}), "[String!]").await;
        assert_eq!(found, [id as i64], "{name:?}");
        let literal = format!("{{name: {{_nin: [{}]}}, id: {{_gt: $v}}}}", json!(name));
        let found = ids(&literal, json!({"v": -1}), "Int!").await;
        assert_eq!(found.len(), odd.len() - 1, "{name:?}");
    }
    assert_eq!(ids("{name: {_in: $v}}", json!({"v": []}), "[String!]").await, [0i64; 0]);
    assert_eq!(ids("{worth: {_in: $v}}", json!({"v": [2.1, "3.100"]}), "[numeric!]").await, [2, 3]);
    assert_eq!(ids("{struck: {_in: $v}}", json!({"v": ["2020-01-02"]}), "[date!]").await, [1]);
    assert_eq!(
        ids("{code: {_nin: $v}}", json!({"v": ["00000000-0000-4000-8000-000000000000"]}), "[uuid!]").await.len(),
        6
    );
    let bad = "query ($v: [uuid!]) { coins(where: {code: {_in: $v}}) { id } }";
    let got = answer(&engine, bad, json!({"v": ["zz"]})).await;
    assert_eq!(got["errors"][0]["message"], json!("invalid input syntax for type uuid: \"zz\""), "{got}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_query_takes_more_values_than_a_table_has_columns() {
    let engine = coins().await;
    let insert =
        "mutation { insert_coins(objects: [{id: 2, name: \"two\"}, {id: 3001, name: \"far\"}]) { affected_rows } }";
    answer(&engine, insert, json!({})).await;
    let query = "subscription ($or: [coins_bool_exp!], $in: [Int!]) {
        coins(where: {_or: $or, id: {_in: $in}}, order_by: {id: asc}) { name } }";
    for (least, expected) in [(1, r#"[{"name":"two"}]"#), (1_000, "[]"), (2_500, r#"[{"name":"far"}]"#)] {
        let or: Vec<Value> = (least..least + 2_000).map(|id| json!({"id": {"_eq": id}})).collect();
        let request = Request::new(query).with_variables(json!({"or": or, "in": [2, 3001]}));
        let Planned::Subscription(root) = engine.state().plan(&Session::admin(), &request).unwrap() else { panic!() };
        let CompiledRoot::Live(plan) = &root.field else { panic!("a live query") };
        assert!(plan.is_alone());
        let answers = refresh(engine.executor(), plan, &[&root.values, &root.values]).await.unwrap();
        let data: Vec<_> = answers.iter().map(|answer| String::from_utf8_lossy(&answer.data).into_owned()).collect();
        assert_eq!(data, [expected, expected]);
    }
}
