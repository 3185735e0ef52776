//! Documents: which operation runs, what directives leave out, and how introspection is asked and refused.

use northstack::engine::{Engine, Request, Session};
use serde_json::{Value, json};

use super::{ask, engine};

const SETUP: &str = "create table things (id int primary key, name text not null, size int);
    comment on table things is 'What there is';
    comment on column things.name is 'How it is called';
    insert into things values (1, 'one', 1);";

async fn things() -> Engine {
    let permission = |columns: Value| json!({"columns": columns, "filter": {}});
    let table = json!({
        "table": {"schema": "public", "name": "things"},
        "configuration": {"column_config": {"size": {"comment": "How large it is"}}},
        "select_permissions": [
            {"role": "user", "permission": permission(json!(["id", "name"]))},
            {"role": "blind", "permission": permission(json!(["id"]))},
        ],
    });
    let configuration = json!({"connection_info": {"database_url": {"from_env": "DATABASE"}}});
    let source = json!({"name": "default", "kind": "postgres", "tables": [table], "configuration": configuration});
    let closed = json!({"disabled_for_roles": ["blind"]});
    engine(SETUP, &json!({"version": 3, "sources": [source], "graphql_schema_introspection": closed})).await
}

async fn answer(engine: &Engine, role: &str, query: &str, variables: Value) -> Value {
    let session = Session::new(role, [] as [(&str, &str); 0]);
    ask(engine, &session, &Request::new(query).with_variables(variables)).await
}

fn told(message: &str, path: &str) -> Value {
    json!({"errors": [{"message": message, "extensions": {"path": path, "code": "validation-failed"}}]})
}

#[tokio::test(flavor = "multi_thread")]
async fn directives_leave_out_fields_fragments_and_spreads_by_variables_and_their_defaults() {
    let engine = things().await;
    let query = "query ($in: Boolean! = true, $out: Boolean! = false) {
        things {
            id
            ... on things @include(if: $in) { name }
            ...parts @skip(if: $out)
            ... @include(if: $out) { renamed: name }
        }
    } fragment parts on things { size @include(if: $in) @skip(if: $out) }";
    for (variables, row) in [
        (json!({}), json!({"id": 1, "name": "one", "size": 1})),
        (json!({"in": false}), json!({"id": 1})),
        (json!({"out": true}), json!({"id": 1, "name": "one", "renamed": "one"})),
        (json!({"in": false, "out": true}), json!({"id": 1, "renamed": "one"})),
    ] {
        let got = answer(&engine, "admin", query, variables.clone()).await;
        assert_eq!(got, json!({"data": {"things": [row]}}), "{variables}");
    }
    let everything = answer(&engine, "admin", "{ things @skip(if: true) { id } }", json!({})).await;
    assert_eq!(everything, json!({"data": {}}));
    // What is left out is not looked at.
    let got = answer(&engine, "admin", "{ things { id nothing @skip(if: true) } }", json!({})).await;
    assert_eq!(got, json!({"data": {"things": [{"id": 1}]}}));
    for (query, variables, message, path) in [
        (
            "{ things { id @include } }",
            json!({}),
            "missing required field 'if'",
            "$.selectionSet.things.selectionSet.id.include.if",
        ),
        (
            "query ($in: Boolean!) { things { id @include(if: $in) } }",
            json!({"in": "yes"}),
            "expected a boolean for type 'Boolean'",
            "$.selectionSet.things.selectionSet.id.include.if",
        ),
        (
            "{ things { id @nope } }",
            json!({}),
            "directive 'nope' is not defined in the schema",
            "$.selectionSet.things.selectionSet.id",
        ),
    ] {
        let got = answer(&engine, "admin", query, variables).await;
        let error = &got["errors"][0];
        assert!(error["message"].as_str().unwrap_or_default().starts_with(message), "{query}: {got}");
        assert_eq!(error["extensions"]["path"], path, "{query}: {got}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operation_that_runs_is_named_or_the_only_one() {
    let engine = things().await;
    let two = "query A { a: things { id } } query B { b: things { id } }";
    let run = async |query: &str, name: Option<&str>| {
        let request = Request { operation_name: name.map(str::to_owned), ..Request::new(query) };
        ask(&engine, &Session::admin(), &request).await
    };
    let row = json!([{"id": 1}]);
    assert_eq!(run(two, Some("B")).await, json!({"data": {"b": row}}));
    assert_eq!(run("query A { a: things { id } }", None).await, json!({"data": {"a": row}}));
    assert_eq!(run("{ things { id } }", None).await, json!({"data": {"things": row}}));
    let several = "exactly one operation has to be present in the document when operationName is not specified";
    let anonymous = "operationName cannot be used when an anonymous operation exists in the document";
    for (query, name, message) in [
        (two, Some("C"), "no such operation found in the document: \"C\""),
        (two, None, several),
        ("fragment f on things { id }", None, several),
        ("{ things { id } } query A { things { id } }", None, several),
        ("{ things { id } }", Some("A"), anonymous),
        ("{ things { id } } query A { things { id } }", Some("A"), anonymous),
    ] {
        assert_eq!(run(query, name).await, told(message, "$"), "{query} {name:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_introspection_does_not_have_is_told_as_for_any_other_field() {
    let engine = things().await;
    let schema = "$.selectionSet.__schema";
    let ty = "$.selectionSet.__type";
    for (query, variables, message, path) in [
        (
            "{ __schema { nope } }",
            json!({}),
            "field 'nope' not found in type: '__Schema'",
            format!("{schema}.selectionSet.nope"),
        ),
        ("{ __schema }", json!({}), "missing selection set for '__Schema'", schema.to_owned()),
        (
            "{ __schema { types } }",
            json!({}),
            "missing selection set for '__Type'",
            format!("{schema}.selectionSet.types"),
        ),
        (
            "{ __schema { types { name { x } } } }",
            json!({}),
            "unexpected subselection set for non-object field",
            format!("{schema}.selectionSet.types.selectionSet.name"),
        ),
        (
            "{ __schema { ...s } } fragment s on __Schema { types { fields { nope } } }",
            json!({}),
            "field 'nope' not found in type: '__Field'",
            format!("{schema}.selectionSet.types.selectionSet.fields.selectionSet.nope"),
        ),
        ("{ __type { name } }", json!({}), "missing required field 'name'", format!("{ty}.args.name")),
        (
            "{ __type(nope: 1, name: \"things\") { name } }",
            json!({}),
            "'__type' has no argument named 'nope'",
            ty.to_owned(),
        ),
        (
            "{ __type(name: 5) { name } }",
            json!({}),
            "expected a string for type 'String', but found an integer",
            format!("{ty}.args.name"),
        ),
        (
            "query ($n: Int!) { __type(name: $n) { name } }",
            json!({"n": 5}),
            "variable 'n' is declared as 'Int!', but used where 'String!' is expected",
            format!("{ty}.args.name"),
        ),
        (
            "{ __type(name: \"things\") { fields(includeDeprecated: \"yes\") { name } } }",
            json!({}),
            "expected a boolean for type 'Boolean', but found a string",
            format!("{ty}.selectionSet.fields.args.includeDeprecated"),
        ),
        (
            "mutation { __schema { types { name } } }",
            json!({}),
            "field '__schema' not found in type: 'mutation_root'",
            schema.to_owned(),
        ),
    ] {
        assert_eq!(answer(&engine, "admin", query, variables).await, told(message, &path), "{query}");
    }
    let query = "query ($n: String!, $all: Boolean = true, $in: Boolean!) {
        t: __type(name: $n) { __typename kind name fields(includeDeprecated: $all) { name } nope @include(if: $in) }
        none: __type(name: \"nothing\") { name }
    }";
    let got = answer(&engine, "user", query, json!({"n": "things", "in": false})).await;
    let fields = json!([{"name": "id"}, {"name": "name"}]);
    let wanted =
        json!({"t": {"__typename": "__Type", "kind": "OBJECT", "name": "things", "fields": fields}, "none": null});
    assert_eq!(got, json!({"data": wanted}));
    let query = "{ __schema { ...s types @skip(if: true) { name } } } fragment s on __Schema { queryType @skip(if: true) { name } }";
    assert_eq!(answer(&engine, "user", query, json!({})).await, json!({"data": {"__schema": {}}}));
}

#[tokio::test(flavor = "multi_thread")]
async fn introspection_shows_comments_and_nulls_and_is_closed_by_role() {
    let engine = things().await;
    let query =
        "{ __type(name: \"things\") { description fields { name description type { kind name ofType { name } } } } }";
    let got = answer(&engine, "admin", query, json!({})).await;
    let required = |name: &str| json!({"kind": "NON_NULL", "name": null, "ofType": {"name": name}});
    let wanted = json!({"description": "What there is", "fields": [
        {"name": "id", "description": null, "type": required("Int")},
        {"name": "name", "description": "How it is called", "type": required("String")},
        {"name": "size", "description": "How large it is", "type": {"kind": "SCALAR", "name": "Int", "ofType": null}},
    ]});
    assert_eq!(got["data"]["__type"], wanted);
    let query = "{ __type(name: \"query_root\") { fields { name description } } }";
    let got = answer(&engine, "user", query, json!({})).await;
    let wanted = json!([
        {"name": "things", "description": "fetch data from the table: \"things\""},
        {"name": "things_by_pk", "description": "fetch data from the table: \"things\" using primary key columns"},
    ]);
    assert_eq!(got["data"]["__type"]["fields"], wanted);
    for query in ["{ __schema { queryType { name } } }", "{ __type(name: \"things\") { name } }"] {
        let field = if query.contains("__schema") { "__schema" } else { "__type" };
        let message = format!("field '{field}' not found in type: 'query_root'");
        let got = answer(&engine, "blind", query, json!({})).await;
        assert_eq!(got, told(&message, &format!("$.selectionSet.{field}")));
    }
    let got = answer(&engine, "blind", "{ __typename things { __typename id } }", json!({})).await;
    assert_eq!(got, json!({"data": {"__typename": "query_root", "things": [{"__typename": "things", "id": 1}]}}));
}
