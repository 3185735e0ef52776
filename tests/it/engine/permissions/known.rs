//! Faults that the random cases found, each as the smallest case that shows it.

use northstack::engine::{Request, Session};
use serde_json::{Value, json};

const SETUP: &str = "
    create table shelf (id int primary key);
    create table book (id int primary key, n int, shelf_id int references shelf (id));
    insert into shelf values (1), (2);
    insert into book values (5, 5, 1), (6, 2, 2);";

/// A book is seen whose `n` is its own id: the first one.
fn metadata() -> Value {
    let permission = |columns: Value, filter: Value| json!([{"role": "user", "permission": {"columns": columns, "filter": filter, "allow_aggregations": true}}]);
    let shelf = json!({
        "table": {"schema": "public", "name": "shelf"},
        "array_relationships": [{"name": "books", "using": {"foreign_key_constraint_on": {
            "table": {"schema": "public", "name": "book"}, "column": "shelf_id",
        }}}],
        "select_permissions": permission(json!(["id"]), json!({})),
    });
    let book = json!({
        "table": {"schema": "public", "name": "book"},
        "select_permissions": permission(json!(["id", "n"]), json!({"n": {"_ceq": ["$", "id"]}})),
    });
    let configuration = json!({"connection_info": {"database_url": {"from_env": "DATABASE"}}});
    let source =
        json!({"name": "default", "kind": "postgres", "tables": [shelf, book], "configuration": configuration});
    json!({"version": 3, "sources": [source]})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_permission_that_names_its_root_means_its_own_row_also_in_a_filter_through_a_relationship() {
    let engine = crate::engine::engine(SETUP, &metadata()).await;
    let session = Session::new("user", [("x-hasura-user-id", "1")]);
    for filter in [
        "{books: {}}",
        "{books: {n: {_gt: 0}}}",
        "{books_aggregate: {count: {predicate: {_gt: 0}}}}",
        "{_not: {_not: {books: {}}}}",
    ] {
        let request = Request::new(format!("{{ shelf(where: {filter}) {{ id books {{ id }} }} }}"));
        let answer = crate::engine::ask(&engine, &session, &request).await;
        assert_eq!(answer, json!({"data": {"shelf": [{"id": 1, "books": [{"id": 5}]}]}}), "{filter}");
    }
}

const ROWS: &str = "
    create table box (id int primary key, a int, b int);
    insert into box values (1, 1, 1), (2, 1, 2), (3, null, null), (4, null, 4);
    create table tag (id int primary key, box_id int);
    insert into tag values (1, 1), (2, 4), (3, 3);";

/// Permissions of one role each on `box`.
fn boxes(roles: &[(&str, Value)], inherited: Value) -> Value {
    let permissions: Vec<Value> =
        roles.iter().map(|(role, permission)| json!({"role": role, "permission": permission})).collect();
    let boxes = json!({"table": {"schema": "public", "name": "box"}, "select_permissions": permissions});
    let tags = json!({"table": {"schema": "public", "name": "tag"}});
    let configuration = json!({"connection_info": {"database_url": {"from_env": "DATABASE"}}});
    let source =
        json!({"name": "default", "kind": "postgres", "tables": [boxes, tags], "configuration": configuration});
    json!({"version": 3, "sources": [source], "inherited_roles": inherited})
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_compare_as_sql_does_and_the_literal_null_means_no_value() {
    let cases = [
        ("equal", json!({"a": {"_ceq": "b"}}), json!([{"id": 1}])),
        ("unequal", json!({"a": {"_cne": "b"}}), json!([{"id": 2}])),
        ("null", json!({"a": {"_eq": null}}), json!([{"id": 3}, {"id": 4}])),
        ("bare", json!({"b": null}), json!([{"id": 3}])),
        ("value", json!({"a": {"_neq": null}}), json!([{"id": 1}, {"id": 2}])),
        // The root is the box also where another table is asked.
        (
            "tagged",
            json!({"_exists": {"_table": {"schema": "public", "name": "tag"},
            "_where": {"box_id": {"_ceq": ["$", "id"]}}}}),
            json!([{"id": 1}, {"id": 3}, {"id": 4}]),
        ),
    ];
    let roles: Vec<(&str, Value)> =
        cases.iter().map(|(role, filter, _)| (*role, json!({"columns": ["id"], "filter": filter}))).collect();
    let engine = crate::engine::engine(ROWS, &boxes(&roles, json!([]))).await;
    assert!(engine.state().inconsistencies.is_empty(), "{:?}", engine.state().inconsistencies);
    for (role, filter, rows) in cases {
        let session = Session::new(role, [] as [(&str, &str); 0]);
        let request = Request::new("{ box(order_by: {id: asc}) { id } }");
        let answer = crate::engine::ask(&engine, &session, &request).await;
        assert_eq!(answer, json!({"data": {"box": rows}}), "{filter}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_an_inherited_role_does_not_see_is_null_in_every_position() {
    // Of both roles' rows, `a` is seen on the first two alone and `b` on the last two alone.
    let low = json!({"columns": ["id", "a"], "filter": {"id": {"_lt": 3}}, "allow_aggregations": true});
    let high = json!({"columns": ["id", "b"], "filter": {"id": {"_gt": 2}}, "allow_aggregations": true});
    let inherited = json!([{"role_name": "both", "role_set": ["low", "high"]}]);
    let engine = crate::engine::engine(ROWS, &boxes(&[("low", low), ("high", high)], inherited)).await;
    let session = Session::new("both", [] as [(&str, &str); 0]);
    for (query, wanted) in [
        (
            "r: box(order_by: {id: asc}) { id a b }",
            json!([{"id": 1, "a": 1, "b": null}, {"id": 2, "a": 1, "b": null}, {"id": 3, "a": null, "b": null}, {"id": 4, "a": null, "b": 4}]),
        ),
        ("r: box(where: {b: {_in: [1, 2]}}) { id }", json!([])),
        ("r: box(where: {b: {_is_null: false}}) { id }", json!([{"id": 4}])),
        ("r: box(where: {b: {_is_null: true}}, order_by: {id: desc}) { id }", json!([{"id": 3}, {"id": 2}, {"id": 1}])),
        ("r: box(where: {_not: {b: {_gt: 0}}}) { id }", json!([])),
        (
            "r: box(order_by: [{b: desc_nulls_last}, {id: asc}]) { id }",
            json!([{"id": 4}, {"id": 1}, {"id": 2}, {"id": 3}]),
        ),
        (
            "r: box(distinct_on: b, order_by: [{b: asc}, {id: desc}]) { id b }",
            json!([{"id": 4, "b": 4}, {"id": 3, "b": null}]),
        ),
        (
            "r: box_aggregate { aggregate { count(columns: b) sum { a b } max { b } } }",
            json!({"aggregate": {"count": 1, "sum": {"a": 2, "b": 4}, "max": {"b": 4}}}),
        ),
        ("r: box_aggregate(where: {b: {_eq: 2}}) { aggregate { count } }", json!({"aggregate": {"count": 0}})),
    ] {
        let answer = crate::engine::ask(&engine, &session, &Request::new(format!("{{ {query} }}"))).await;
        assert_eq!(answer, json!({"data": {"r": wanted}}), "{query}");
    }
}
