//! Names that two things share: the later one is left out with a reason, and never answers for the earlier.

use northstack::engine::{Engine, Request, Session};
use serde_json::{Value, json};

use super::{ask, engine};

const SETUP: &str = "create table books (id int primary key, title text, name text);
    create table shelves (id int primary key);
    create function long_books() returns setof books language sql stable as $$ select * from books $$;
    insert into books values (1, 'one', 'n');";

fn document(change: impl FnOnce(&mut Value)) -> Value {
    let configuration = json!({"connection_info": {"database_url": {"from_env": "DATABASE"}}});
    let table = |name: &str| json!({"table": {"schema": "public", "name": name}});
    let source = json!({"name": "default", "kind": "postgres", "configuration": configuration,
        "tables": [table("books"), table("shelves")],
        "functions": [{"function": {"schema": "public", "name": "long_books"}}]});
    let mut document = json!({"version": 3, "sources": [source],
        "custom_types": {"objects": [{"name": "Told", "fields": [{"name": "id", "type": "Int!"}]}]}});
    change(&mut document);
    document
}

fn action(name: &str, kind: &str, output: &str) -> Value {
    json!({"name": name, "definition": {"kind": "synchronous", "type": kind, "handler": "http://127.0.0.1:9/",
        "output_type": output, "arguments": []}})
}

/// Names and reasons of what is inconsistent.
fn faults(engine: &Engine) -> Vec<(String, String)> {
    engine.state().inconsistencies.iter().map(|one| (one.name.clone(), one.reason.clone())).collect()
}

fn field(name: &str, root: &str) -> String {
    format!(
        "Encountered conflicting definitions in the selection set for '{root}' for field '{name}'. Fields must not be \
         defined more than once across all sources."
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn an_action_does_not_take_the_field_of_a_table_or_a_function() {
    let names = [
        ("books", "query", "query_root"),
        ("books_by_pk", "query", "query_root"),
        ("books_aggregate", "query", "query_root"),
        ("long_books", "query", "query_root"),
        ("insert_books", "mutation", "mutation_root"),
        ("update_books_many", "mutation", "mutation_root"),
        ("delete_books_by_pk", "mutation", "mutation_root"),
    ];
    let actions = names.map(|(name, kind, _)| action(name, kind, "Told"));
    // Under the other root the name is free.
    let free = [action("insert_shelves", "query", "Told"), action("shelves", "mutation", "Told")];
    let engine =
        engine(SETUP, &document(|document| document["actions"] = actions.into_iter().chain(free).collect())).await;
    let expected: Vec<(String, String)> = names
        .iter()
        .map(|(name, _, root)| {
            (format!("action {name}"), format!("Inconsistent object: in action {name:?}; {}", field(name, root)))
        })
        .collect();
    assert_eq!(faults(&engine), expected);
    let got = ask(&engine, &Session::admin(), &Request::new("{ books_by_pk(id: 1) { title } }")).await;
    assert_eq!(got, json!({"data": {"books_by_pk": {"title": "one"}}}));
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_do_not_share_a_name_nor_columns_of_one() {
    let configured = |configuration: Value| {
        document(|document| document["sources"][0]["tables"][1]["configuration"] = configuration)
    };
    let reason = |reason: &str| {
        vec![(
            "table shelves in source default".to_owned(),
            format!("Inconsistent object: in table \"shelves\": {reason}"),
        )]
    };
    let conflict = "Found conflicting definitions for GraphQL type 'books'";
    for (configuration, expected) in [
        (json!({"custom_root_fields": {"select": "books"}}), field("books", "query_root")),
        (
            json!({"custom_root_fields": {"select_stream": "books_aggregate"}}),
            field("books_aggregate", "subscription_root"),
        ),
        (json!({"custom_root_fields": {"select": "s", "select_by_pk": "s"}}), field("s", "query_root")),
        (json!({"custom_root_fields": {"delete": "insert_books_one"}}), field("insert_books_one", "mutation_root")),
        (json!({"custom_name": "books"}), conflict.to_owned()),
    ] {
        assert_eq!(
            faults(&engine(SETUP, &configured(configuration.clone())).await),
            reason(&expected),
            "{configuration}"
        );
    }
    let same = document(|document| {
        document["sources"][0]["tables"] = json!([{"table": {"schema": "public", "name": "books"},
            "configuration": {"column_config": {"name": {"custom_name": "title"}}}}]);
        document["sources"][0]["functions"] = json!([]);
    });
    let expected = "Inconsistent object: in table \"books\": the columns \"title\" and \"name\" are both named \"title\"; give one another name";
    assert_eq!(faults(&engine(SETUP, &same).await)[0].1, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_custom_type_does_not_take_the_name_of_another_type() {
    for name in ["books", "books_bool_exp", "String_comparison_exp", "query_root", "order_by", "Int"] {
        let mut own = document(|document| document["actions"] = json!([action("tell", "query", name)]));
        own["custom_types"]["objects"] = json!([{"name": name, "fields": [{"name": "id", "type": "Int!"}]}]);
        let expected = (
            "custom_types ".to_owned() + name,
            format!("Inconsistent object: Found conflicting definitions for GraphQL type '{name}'"),
        );
        assert_eq!(faults(&engine(SETUP, &own).await), [expected]);
    }
}
