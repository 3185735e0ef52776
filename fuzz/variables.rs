//! Values of variables for fixed documents that use variables in every position.

use northstack::engine::Request;
use serde_json::Value;

use super::{schema, statement};

/// The documents: each takes the variables that it declares from one object.
const DOCUMENTS: [&str; 10] = [
    "query ($w: authors_bool_exp, $o: [authors_order_by!], $l: Int, $f: Int, $d: [authors_select_column!]) {
       authors(where: $w, order_by: $o, limit: $l, offset: $f, distinct_on: $d) { id name tags settings } }",
    "query ($w: Article_bool_exp!, $id: bigint!, $a: String, $i: Boolean! = true) {
       Article(where: $w) { id cost label(args: {prefix: $a}) author @include(if: $i) { name } }
       article(id: $id) { title } }",
    "query ($p: String, $x: jsonb, $k: [String!], $t: ltree, $n: numeric, $at: timestamptz, $u: uuid) {
       authors(where: {settings: {_contains: $x, _has_keys_any: $k}, place: {_ancestor: $t}, tenant: {_eq: $u}}) {
         settings(path: $p) articles(where: {cost: {_gt: $n}, published: {_lt: $at}}) { id } } }",
    "mutation ($o: [authors_insert_input!]!, $c: authors_on_conflict) {
       insert_authors(objects: $o, on_conflict: $c) { affected_rows returning { id name articles { title } } } }",
    "mutation ($s: authors_set_input, $i: authors_inc_input, $p: authors_prepend_input, $w: authors_bool_exp!,
         $k: authors_delete_key_input, $e: authors_delete_elem_input, $d: authors_delete_at_path_input) {
       update_authors(where: $w, _set: $s, _inc: $i, _prepend: $p, _delete_key: $k, _delete_elem: $e,
         _delete_at_path: $d) { affected_rows } }",
    "mutation ($u: [Article_updates!]!) { update_Article_many(updates: $u) { affected_rows } }",
    "query ($who: Who!, $n: Int) { greet(who: $who, times: $n) { text any } }",
    "mutation ($who: [Who!]!) { send(who: $who) { text author { name } } }",
    "subscription ($c: [authors_stream_cursor_input]!, $w: authors_bool_exp) {
       authors_stream(batch_size: 3, cursor: $c, where: $w) { id } }",
    "query ($a: search_args!) { search(args: $a) { id title } search_aggregate(args: $a) { aggregate { count } } }",
];

/// The first byte says which document and who asks, the rest is the object of variables.
pub fn run(data: &[u8]) {
    let Some((which, text)) = data.split_first() else { return };
    let Ok(variables @ Value::Object(_)) = serde_json::from_slice(text) else { return };
    let (who, which) = (which / 10, which % 10);
    let document = DOCUMENTS[usize::from(which)];
    let request = Request::new(document).with_variables(variables);
    let session = schema::session(who);
    if let Ok(compiled) = schema::state().compile(&session, &request) {
        statement::check(&compiled);
    }
    // What is bound may be refused as well.
    schema::state().plan(&session, &request).ok();
}
