//! Inserts with rows of other tables in them, what is answered of changed rows, and values of permissions.

use northstack::engine::{Engine, Request, Session};
use serde_json::{Value, json};

use super::{ask, engine};

const SETUP: &str = "create table authors (id int primary key, name text unique, tags text[], data jsonb);
    create table books (id serial primary key, author int references authors, title text unique, pages int);
    create table notes (id serial primary key, book int references books, body text);
    create table fired (times int);
    create function count_fired() returns trigger language plpgsql as
        $$ begin insert into fired values (1); return null; end $$;
    create trigger each_statement after insert on books for each statement execute function count_fired();
    insert into authors values (1, 'Ada', '{a,b}', '{\"kind\": [\"x\"]}'), (2, 'Bo', '{c}', '{}');";

async fn library() -> Engine {
    let table = |name: &str| json!({"schema": "public", "name": name});
    let object = |name: &str| json!([{"name": format!("the_{name}"), "using": {"foreign_key_constraint_on": name}}]);
    let array = |name: &str, column: &str| json!([{"name": name, "using": {"foreign_key_constraint_on": {"table": table(name), "column": column}}}]);
    let listed = json!({"_and": [{"tags": {"_contains": ["a"]}}, {"data": {"_contains": {"kind": ["x"]}}},
        {"tags": {"_in": [["a", "b"], ["z"]]}}, {"data": {"_neq": "x"}}]});
    let configuration = json!({"connection_info": {"database_url": {"from_env": "DATABASE"}}});
    let source = json!({"name": "default", "kind": "postgres", "configuration": configuration, "tables": [
        {"table": table("authors"), "array_relationships": array("books", "author"),
         "select_permissions": [{"role": "reader", "permission": {"columns": "*", "filter": listed}}],
         "insert_permissions": [{"role": "reader", "permission": {"columns": ["id", "name"], "check": listed,
            "set": {"tags": ["a", "b"], "data": {"kind": ["x"]}}}}]},
        {"table": table("books"), "object_relationships": object("author"), "array_relationships": array("notes", "book")},
        {"table": table("notes"), "object_relationships": object("book")},
    ]});
    engine(SETUP, &json!({"version": 3, "sources": [source]})).await
}

async fn admin(engine: &Engine, query: &str) -> Value {
    ask(engine, &Session::admin(), &Request::new(query)).await
}

fn refused(message: &str, path: &str, code: &str) -> Value {
    json!({"errors": [{"message": message, "extensions": {"path": format!("$.selectionSet.{path}"), "code": code}}]})
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_a_nested_list_are_one_statement() {
    let engine = library().await;
    let children: Vec<String> = (0..50).map(|n| format!("{{title: \"t{n}\", pages: {n}}}")).collect();
    let insert = format!(
        "mutation {{ insert_authors(objects: [{{id: 3, name: \"Cy\", books: {{data: [{}]}}}}]) {{
            affected_rows returning {{ id books_aggregate {{ aggregate {{ count sum {{ pages }} }} }} }} }} }}",
        children.join(", ")
    );
    let wanted = json!({"affected_rows": 51, "returning": [{"id": 3, "books_aggregate": {"aggregate": {"count": 50, "sum": {"pages": 1225}}}}]});
    assert_eq!(admin(&engine, &insert).await, json!({"data": {"insert_authors": wanted}}));
    let fired: i64 = sqlx::query_scalar("select count(*) from fired").fetch_one(engine.pool()).await.unwrap();
    assert_eq!(fired, 1, "one statement");
    // With rows of other tables in them each is one of its own.
    let deeper = "mutation { insert_authors_one(object: {id: 4, books: {data: [
        {title: \"x\", notes: {data: [{body: \"n\"}, {body: \"m\"}]}}, {title: \"y\"}]}}) {
        books(order_by: {id: asc}) { title notes(order_by: {id: asc}) { body } } } }";
    let wanted =
        json!({"books": [{"title": "x", "notes": [{"body": "n"}, {"body": "m"}]}, {"title": "y", "notes": []}]});
    assert_eq!(admin(&engine, deeper).await, json!({"data": {"insert_authors_one": wanted}}));
    let several = admin(&engine, "mutation { insert_notes(objects: [{}, {}]) { affected_rows } }").await;
    assert_eq!(several, json!({"data": {"insert_notes": {"affected_rows": 2}}}));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_wrong_in_nested_rows_is_told_by_name_and_place() {
    let engine = library().await;
    let conflict = "on_conflict: {constraint: authors_pkey, update_columns: []}";
    for (query, message, path, code) in [
        (
            format!(
                "mutation {{ insert_authors(objects: [{{id: 9}}, {{id: 1, books: {{data: [{{title: \"q\"}}]}}}}], {conflict}) {{ affected_rows }} }}"
            ),
            "cannot proceed to insert array relations since insert to table \"authors\" affects zero rows",
            "insert_authors.args.objects[1]",
            "not-supported",
        ),
        (
            format!(
                "mutation {{ insert_books_one(object: {{title: \"q\", the_author: {{data: {{id: 1}}, {conflict}}}}}) {{ id }} }}"
            ),
            "cannot proceed to insert object relation \"the_author\" since insert to table \"authors\" affects zero rows",
            "insert_books_one.args.object[0].the_author",
            "not-supported",
        ),
        (
            "mutation { insert_authors_one(object: {id: 9, books: {data: [{title: \"q\"}, {author: 1}]}}) { id } }"
                .to_owned(),
            "cannot insert \"author\" columns as their values are already being determined by parent insert",
            "insert_authors_one.args.object[0].books.data[1]",
            "validation-failed",
        ),
        (
            "mutation { insert_books(objects: [{author: 1, the_author: {data: {id: 9}}}]) { affected_rows } }"
                .to_owned(),
            "cannot insert object relationship \"the_author\" as \"author\" column values are already determined",
            "insert_books.args.objects[0].the_author",
            "validation-failed",
        ),
        (
            "mutation { insert_authors_one(object: {id: 9, books: {data: [{title: \"e\"}, {title: \"e\"}]}}) { id } }"
                .to_owned(),
            "Uniqueness violation. duplicate key value violates unique constraint \"books_title_key\"",
            "insert_authors_one.args.object[0].books.data",
            "constraint-violation",
        ),
    ] {
        assert_eq!(admin(&engine, &query).await, refused(message, path, code), "{query}");
    }
    // Equal rows of one statement meet each other.
    let equal = "mutation { insert_authors_one(object: {id: 9, books: {data: [{title: \"e\"}, {title: \"e\"}],
        on_conflict: {constraint: books_title_key, update_columns: [pages]}}}) { id } }";
    let got = admin(&engine, equal).await;
    assert_eq!(
        got["errors"][0]["extensions"]["path"], "$.selectionSet.insert_authors_one.args.object[0].books.data",
        "{got}"
    );
    assert_eq!(admin(&engine, "{ authors_by_pk(id: 9) { id } }").await, json!({"data": {"authors_by_pk": null}}));
    let reader = Session::new("reader", [] as [(&str, &str); 0]);
    let upsert = "mutation { insert_authors(objects: [{id: 9}],
        on_conflict: {constraint: authors_pkey, update_columns: [_PLACEHOLDER]}) { affected_rows } }";
    let got = ask(&engine, &reader, &Request::new(upsert)).await;
    assert_eq!(got, refused("erroneous column name", "insert_authors.args.on_conflict", "validation-failed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn deleted_rows_are_answered_in_the_statements_order() {
    let engine = library().await;
    sqlx::raw_sql(
        "insert into authors select n, 'n' || n from generate_series(10, 400) n;
        insert into books (id, author, title) select n, 400 - n % 390, 'b' || n from generate_series(1000, 3000) n;
        analyze",
    )
    .execute(engine.pool())
    .await
    .unwrap();
    let ids = |answer: &Value| -> Vec<i64> {
        let rows = answer["data"]["delete_books"]["returning"].as_array().unwrap_or_else(|| panic!("{answer}"));
        rows.iter().map(|row| row["id"].as_i64().unwrap()).collect()
    };
    let delete = "mutation { delete_books(where: {id: {_gte: 1000}}) { returning { id the_author { name } } } }";
    let got = admin(&engine, delete).await;
    assert_eq!(ids(&got), (1000..=3000).collect::<Vec<_>>());
    assert_eq!(got["data"]["delete_books"]["returning"][0]["the_author"]["name"], "n180");
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_and_documents_of_permissions_are_values_of_their_columns() {
    let engine = library().await;
    assert!(engine.state().inconsistencies.is_empty(), "{:?}", engine.state().inconsistencies);
    let reader = Session::new("reader", [] as [(&str, &str); 0]);
    let run = async |query: &str| ask(&engine, &reader, &Request::new(query)).await;
    assert_eq!(run("{ authors { id } }").await, json!({"data": {"authors": [{"id": 1}]}}));
    let insert = "mutation { insert_authors_one(object: {id: 5, name: \"Di\"}) { id tags data } }";
    let row = json!({"id": 5, "tags": ["a", "b"], "data": {"kind": ["x"]}});
    assert_eq!(run(insert).await, json!({"data": {"insert_authors_one": row}}));
}

#[tokio::test(flavor = "multi_thread")]
async fn permissions_that_compare_what_cannot_be_compared_are_inconsistent() {
    let setup = "create table colours (value text primary key, comment text);
        insert into colours values ('red', null), ('blue', null);
        create table things (id int primary key, name text, size int, colour text references colours);
        create function all_things(variadic ids int[]) returns setof things language sql stable as
            $$ select * from things where id = any(ids) $$;";
    let table = |name: &str| json!({"schema": "public", "name": name});
    let permission =
        |role: &str, filter: Value| json!({"role": role, "permission": {"columns": "*", "filter": filter}});
    let configuration = json!({"connection_info": {"database_url": {"from_env": "DATABASE"}}});
    let source = json!({"name": "default", "kind": "postgres", "configuration": configuration, "tables": [
        {"table": table("colours"), "is_enum": true},
        {"table": table("things"), "select_permissions": [
            permission("good", json!({"size": {"_ceq": "id"}, "colour": {"_in": ["red"]}})),
            permission("session", json!({"colour": {"_eq": "X-Hasura-Colour"}})),
            permission("types", json!({"size": {"_ceq": "name"}})),
            permission("root", json!({"size": {"_cgt": ["$", "name"]}})),
            permission("value", json!({"colour": {"_eq": "green"}})),
            permission("values", json!({"colour": {"_in": ["red", "green"]}})),
        ]}],
        "functions": [{"function": table("all_things")}]});
    let engine = engine(setup, &json!({"version": 3, "sources": [source]})).await;
    let told = format!("{:?}", engine.state().inconsistencies);
    for role in ["types", "root", "value", "values"] {
        assert!(told.contains(role), "{role}: {told}");
    }
    for part in ["incompatible column types", "given 'green'", "VARIADIC"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert_eq!(engine.state().inconsistencies.len(), 5, "{told}");
}
