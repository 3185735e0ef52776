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
