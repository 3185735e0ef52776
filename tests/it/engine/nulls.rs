//! Null: variables that are not given, arguments that may be null, and how null is refused where it may not stand.

use northstack::engine::{Engine, Request, Session};
use serde_json::{Value, json};

use super::{ask, engine};

const SETUP: &str = "create table notes (id int primary key, body text default 'untold', size int, data jsonb,
        must int not null default 5, tags text[]);
    create table parts (id serial primary key, note int references notes, name text);
    create function notes_above(low int, high int default 100) returns setof notes language sql stable as
        $$ select * from notes where id >= coalesce(low, 0) and id <= coalesce(high, 2) $$;
    create function first_note(named text) returns notes language sql stable as
        $$ select * from notes where body = named limit 1 $$;
    insert into notes values (1, 'one', 1, '{\"a\": [1]}', 1, '{x}'), (2, 'two', 2, '{\"b\": 2}', 2, null);";

async fn notes() -> Engine {
    let table = |name: &str| json!({"schema": "public", "name": name});
    let by = |column: &str, table_name: &str| {
        json!([{"name": table_name, "using": {"foreign_key_constraint_on":
            {"table": table(table_name), "column": column}}}])
    };
    let configuration = json!({"connection_info": {"database_url": {"from_env": "DATABASE"}}});
    let source = json!({"name": "default", "kind": "postgres", "configuration": configuration,
        "tables": [
            {"table": table("notes"), "array_relationships": by("note", "parts")},
            {"table": table("parts")},
        ],
        "functions": [{"function": table("notes_above")}, {"function": table("first_note")}]});
    engine(SETUP, &json!({"version": 3, "sources": [source]})).await
}

async fn answer(engine: &Engine, query: &str, variables: Value) -> Value {
    ask(engine, &Session::admin(), &Request::new(query).with_variables(variables)).await
}

/// Message, path and code of a refusal.
fn refusal(answer: &Value) -> (&str, &str, &str) {
    let error = &answer["errors"][0];
    assert!(error.is_object(), "{answer}");
    let (message, extensions) = (&error["message"], &error["extensions"]);
    (message.as_str().unwrap(), extensions["path"].as_str().unwrap(), extensions["code"].as_str().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_variable_that_is_not_given_is_null_and_never_widens_a_filter() {
    let engine = notes().await;
    let null = "unexpected null value for type";
    for (document, message, path) in [
        (
            "mutation ($i: Int) { delete_notes(where: {id: {_eq: $i}}) { affected_rows } }",
            format!("{null} 'Int'"),
            "delete_notes.args.where.id._eq",
        ),
        (
            "mutation ($w: Int_comparison_exp) { delete_notes(where: {id: $w}) { affected_rows } }",
            "expected an object for type 'Int_comparison_exp', but found null".to_owned(),
            "delete_notes.args.where.id",
        ),
        (
            "mutation ($w: notes_bool_exp) { delete_notes(where: {_not: $w}) { affected_rows } }",
            "expected an object for type 'notes_bool_exp', but found null".to_owned(),
            "delete_notes.args.where._not",
        ),
        (
            "mutation ($w: [notes_bool_exp!]) { delete_notes(where: {_and: $w}) { affected_rows } }",
            "expected a list, but found null".to_owned(),
            "delete_notes.args.where._and",
        ),
        (
            "mutation ($n: String) { update_notes(where: {body: {_like: $n}}, _set: {size: 9}) { affected_rows } }",
            format!("{null} 'String'"),
            "update_notes.args.where.body._like",
        ),
        (
            "query ($i: [Int!]) { notes(where: {id: {_in: $i}}) { id } }",
            "expected a list, but found null".to_owned(),
            "notes.args.where.id._in",
        ),
        (
            "query ($i: Boolean) { notes(where: {id: {_is_null: $i}}) { id } }",
            "expected a boolean for type 'Boolean', but found null".to_owned(),
            "notes.args.where.id._is_null",
        ),
        (
            "subscription ($i: Int) { notes(where: {id: {_gt: $i}}) { id } }",
            format!("{null} 'Int'"),
            "notes.args.where.id._gt",
        ),
        (
            "query ($p: String) { notes { data(path: $p) } }",
            "expected a string for type 'String', but found null".to_owned(),
            "notes.selectionSet.data.args.path",
        ),
        (
            "mutation ($s: notes_set_input) { update_notes(where: {}, _set: $s) { affected_rows } }",
            "expected an object for type 'notes_set_input', but found null".to_owned(),
            "update_notes.args._set",
        ),
        (
            "mutation ($c: notes_on_conflict) { insert_notes(objects: [{id: 1}], on_conflict: $c) { affected_rows } }",
            "expected an object for type 'notes_on_conflict', but found null".to_owned(),
            "insert_notes.args.on_conflict",
        ),
        (
            "mutation ($m: Int) { update_notes(where: {}, _set: {must: $m}) { affected_rows } }",
            format!("{null} 'Int'"),
            "update_notes.args._set.must",
        ),
    ] {
        let got = answer(&engine, document, json!({})).await;
        let path = format!("$.selectionSet.{path}");
        assert_eq!(refusal(&got), (message.as_str(), path.as_str(), "validation-failed"), "{document}");
    }
    let rows = answer(&engine, "{ notes_aggregate { aggregate { count sum { size } } } }", json!({})).await;
    assert_eq!(rows["data"]["notes_aggregate"]["aggregate"], json!({"count": 2, "sum": {"size": 3}}));
    // With a default it has that.
    let default = "mutation ($i: Int = 2) { delete_notes(where: {id: {_eq: $i}}) { returning { id } } }";
    let got = answer(&engine, default, json!({})).await;
    assert_eq!(got["data"]["delete_notes"]["returning"], json!([{"id": 2}]), "{got}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_variable_that_is_not_given_sets_null() {
    let engine = notes().await;
    let document = "mutation ($b: String, $s: Int, $d: jsonb) {
        update_notes_by_pk(pk_columns: {id: 1}, _set: {body: $b, data: $d}, _inc: {size: $s}) { body data size }
        insert_notes_one(object: {id: 3, body: $b, data: {a: $b, l: [$s]}}) { body data must }
    }";
    let got = answer(&engine, document, json!({})).await;
    let wanted = json!({"update_notes_by_pk": {"body": null, "data": null, "size": null},
        "insert_notes_one": {"body": null, "data": {"a": null, "l": [null]}, "must": 5}});
    assert_eq!(got, json!({"data": wanted}));
    let functions = "query ($n: Int) { notes_above(args: {low: 1, high: $n}, order_by: {id: asc}) { id } }";
    assert_eq!(answer(&engine, functions, json!({})).await["data"]["notes_above"], json!([{"id": 1}, {"id": 2}]));
    // The plan of one request is not that of another.
    let got = answer(&engine, functions, json!({"n": 1})).await;
    assert_eq!(got["data"]["notes_above"], json!([{"id": 1}]));
}

#[tokio::test(flavor = "multi_thread")]
async fn arguments_that_may_be_null_are_as_good_as_not_there() {
    let engine = notes().await;
    let all = json!([{"id": 1}, {"id": 2}]);
    for (document, variables) in [
        ("{ notes(where: null, order_by: {id: asc}) { id } }", json!({})),
        ("{ notes(order_by: {id: asc, body: null}, limit: null, offset: null, distinct_on: null) { id } }", json!({})),
        (
            "query ($w: notes_bool_exp, $o: [notes_order_by!], $l: Int) {
                notes(where: $w, order_by: $o, limit: $l, offset: $l) { id } }",
            json!({}),
        ),
        ("query ($w: notes_bool_exp) { notes(where: $w) { id } }", json!({"w": null})),
    ] {
        assert_eq!(answer(&engine, document, variables).await, json!({"data": {"notes": all}}), "{document}");
    }
    let nested = "{ notes(order_by: {id: asc}) { id parts(where: null, order_by: null, limit: null) { id } } }";
    let wanted = json!([{"id": 1, "parts": []}, {"id": 2, "parts": []}]);
    assert_eq!(answer(&engine, nested, json!({})).await["data"]["notes"], wanted);
    let got = answer(&engine, "{ notes_aggregate(where: null) { aggregate { count } } }", json!({})).await;
    assert_eq!(got["data"]["notes_aggregate"]["aggregate"]["count"], 2, "{got}");
    let insert = "mutation { insert_notes_one(object: {id: 7, parts: null}) { id } }";
    assert_eq!(answer(&engine, insert, json!({})).await, json!({"data": {"insert_notes_one": {"id": 7}}}));
}

#[tokio::test(flavor = "multi_thread")]
async fn null_is_refused_in_words_that_name_what_is_expected() {
    let engine = notes().await;
    let object = |ty: &str| format!("expected an object for type '{ty}', but found null");
    let list = || "expected a list, but found null".to_owned();
    for (document, message, path) in [
        ("{ notes(where: {_or: null}) { id } }", list(), "notes.args.where._or"),
        ("{ notes(where: {_or: [null]}) { id } }", object("notes_bool_exp"), "notes.args.where._or[0]"),
        ("{ notes(where: {parts: null}) { id } }", object("parts_bool_exp"), "notes.args.where.parts"),
        ("{ notes(order_by: [{id: asc}, null]) { id } }", object("notes_order_by"), "notes.args.order_by[1]"),
        (
            "{ notes(where: {id: {_in: [1, null]}}) { id } }",
            "unexpected null value for type 'Int'".to_owned(),
            "notes.args.where.id._in[1]",
        ),
        (
            "{ notes(distinct_on: [id, nope]) { id } }",
            "expected one of the values ['body', 'data', 'id', 'must', 'size', 'tags'] for type 'notes_select_column', but found 'nope'".to_owned(),
            "notes.args.distinct_on[1]",
        ),
        (
            "{ notes_aggregate { aggregate { count(columns: null) } } }",
            list(),
            "notes_aggregate.selectionSet.aggregate.selectionSet.count.args.columns",
        ),
        (
            "{ notes_aggregate { aggregate { count(distinct: null) } } }",
            "expected a boolean for type 'Boolean', but found null".to_owned(),
            "notes_aggregate.selectionSet.aggregate.selectionSet.count.args.distinct",
        ),
        ("mutation { insert_notes(objects: null) { affected_rows } }", list(), "insert_notes.args.objects"),
        (
            "mutation { insert_notes(objects: [{id: 9}, null]) { affected_rows } }",
            object("notes_insert_input"),
            "insert_notes.args.objects[1]",
        ),
        (
            "mutation { insert_notes_one(object: {id: 9, parts: {data: [{name: \"a\"}, null]}}) { id } }",
            object("parts_insert_input"),
            "insert_notes_one.args.object.parts.data[1]",
        ),
        ("mutation { delete_notes(where: null) { affected_rows } }", object("notes_bool_exp"), "delete_notes.args.where"),
        (
            "mutation { update_notes_many(updates: [{where: {}, _set: {size: 1}}, null]) { affected_rows } }",
            object("notes_updates"),
            "update_notes_many.args.updates[1]",
        ),
        (
            "mutation { insert_notes(objects: [], on_conflict: {constraint: notes_pkey, update_columns: null}) { affected_rows } }",
            list(),
            "insert_notes.args.on_conflict.update_columns",
        ),
    ] {
        let got = answer(&engine, document, json!({})).await;
        let (told, at, _) = refusal(&got);
        assert_eq!((told, at), (message.as_str(), format!("$.selectionSet.{path}").as_str()), "{document}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_of_what_may_be_null_stand_where_nothing_may_be() {
    let engine = notes().await;
    let ids = "query ($a: [Int]) { notes(where: {id: {_in: $a}}, order_by: {id: asc}) { id } }";
    let got = answer(&engine, ids, json!({"a": [1, 2]})).await;
    assert_eq!(got["data"]["notes"], json!([{"id": 1}, {"id": 2}]), "{got}");
    let path = "$.selectionSet.notes.args.where.id._in[1]";
    let message = "unexpected null value for type 'Int'";
    let got = answer(&engine, ids, json!({"a": [1, null]})).await;
    assert_eq!(refusal(&got), (message, path, "validation-failed"));
    let order = "query ($o: [notes_order_by]) { notes(order_by: $o) { id } }";
    let got = answer(&engine, order, json!({"o": [{"id": "desc"}]})).await;
    assert_eq!(got["data"]["notes"], json!([{"id": 2}, {"id": 1}]), "{got}");
    let insert = "mutation ($o: [notes_insert_input]!) { insert_notes(objects: $o) { affected_rows } }";
    let got = answer(&engine, insert, json!({"o": [{"id": 11}, {"id": 12}]})).await;
    assert_eq!(got["data"]["insert_notes"]["affected_rows"], 2, "{got}");
    let tags = "query ($t: [String]) { notes(where: {tags: {_contains: $t}}) { id } }";
    let got = answer(&engine, tags, json!({"t": ["x"]})).await;
    assert_eq!(got["data"]["notes"], json!([{"id": 1}]), "{got}");
    let keys = "query ($k: [String]) { notes(where: {data: {_has_keys_any: $k}}) { id } }";
    assert_eq!(answer(&engine, keys, json!({"k": ["b"]})).await["data"]["notes"], json!([{"id": 2}]));
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_with_null_give_null_and_nothing_to_set_gives_an_empty_object() {
    let engine = notes().await;
    let update =
        |what: &str| format!("mutation {{ update_notes_by_pk(pk_columns: {{id: 1}}, {what}) {{ size data }} }}");
    for what in [
        "_inc: {size: null}, _append: {data: null}",
        "_inc: {size: null}, _prepend: {data: null}",
        "_inc: {size: null}, _delete_key: {data: null}",
    ] {
        let restore = "_set: {size: 1, data: {a: 1}}";
        answer(&engine, &update(restore), json!({})).await;
        let got = answer(&engine, &update(what), json!({})).await;
        assert_eq!(got, json!({"data": {"update_notes_by_pk": {"size": null, "data": null}}}), "{what}");
    }
    let got =
        answer(&engine, "mutation { update_notes(where: {}, _inc: {must: null}) { affected_rows } }", json!({})).await;
    let message = "unexpected null value for type 'Int'";
    assert_eq!(refusal(&got), (message, "$.selectionSet.update_notes.args._inc.must", "validation-failed"));
    let nothing = answer(&engine, &update("_set: {}"), json!({})).await;
    assert_eq!(nothing, json!({"data": {"update_notes_by_pk": {}}}));
    let many = "mutation { update_notes_many(updates: [{where: {id: {_eq: 2}}, _set: {}}, {where: {id: {_eq: 2}}, _set: {size: 4}}]) {
        affected_rows returning { size } } }";
    let wanted = json!([{"affected_rows": 0, "returning": []}, {"affected_rows": 1, "returning": [{"size": 4}]}]);
    assert_eq!(answer(&engine, many, json!({})).await["data"]["update_notes_many"], wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_of_one_row_that_finds_none_gives_an_object_of_nulls() {
    let engine = notes().await;
    let query = |name: &str| format!("{{ first_note(args: {{named: \"{name}\"}}) {{ id body __typename }} }}");
    let got = answer(&engine, &query("two"), json!({})).await;
    assert_eq!(got["data"]["first_note"], json!({"id": 2, "body": "two", "__typename": "notes"}), "{got}");
    let got = answer(&engine, &query("none"), json!({})).await;
    assert_eq!(got["data"]["first_note"], json!({"id": null, "body": null, "__typename": "notes"}), "{got}");
}
