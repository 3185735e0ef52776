//! What must hold for every statement, whatever was asked.

use std::collections::HashSet;
use std::sync::OnceLock;

use northstack::engine::plan::{Compiled, CompiledRoot};
use serde_json::Value;

/// Names in statements are the database's or the engine's own, and each bound value has its place: nothing of a request
/// is ever part of a statement's text.
pub fn check(compiled: &Compiled) {
    for (_, root) in &compiled.roots {
        match root {
            CompiledRoot::Query(query) => text(&query.sql, query.params.len()),
            CompiledRoot::Live(plan) => text(&plan.sql, usize::MAX),
            _ => {}
        }
    }
}

fn text(sql: &str, values: usize) {
    let mut rest = sql;
    while let Some(at) = rest.find(['"', '\'', '$']) {
        let (kind, after) = (rest.as_bytes()[at], &rest[at + 1..]);
        if kind == b'$' {
            let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
            let place: usize = digits.parse().expect("a place");
            assert!((1..=values).contains(&place), "no value for ${place}: {sql}");
            rest = &after[digits.len()..];
            continue;
        }
        let (content, left) = quoted(after, char::from(kind));
        match kind {
            b'"' => assert!(known(&content), "a foreign name {content:?}: {sql}"),
            _ => assert!(FIXED.contains(&content.as_str()), "a foreign text {content:?}: {sql}"),
        }
        rest = left;
    }
}

/// What stands before the closing quote, with doubled quotes as one, and what follows it.
fn quoted(text: &str, quote: char) -> (String, &str) {
    let mut content = String::new();
    let mut rest = text;
    loop {
        let at = rest.find(quote).expect("a closing quote");
        content.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        match rest.strip_prefix(quote) {
            Some(more) => {
                content.push(quote);
                rest = more;
            }
            None => return (content, rest),
        }
    }
}

/// Names that the engine itself gives, next to numbered ones such as `t7`.
const OWN: &[&str] = &["rows", "place", "_row", "_last"];

/// Texts that the engine itself writes into statements.
const FIXED: &[&str] = &[];

fn known(name: &str) -> bool {
    static NAMES: OnceLock<HashSet<String>> = OnceLock::new();
    let names = NAMES.get_or_init(|| {
        let mut names = HashSet::new();
        strings(&serde_json::from_str(include_str!("schema/catalog.json")).unwrap(), &mut names);
        names
    });
    let own = name.get(1..).is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
    own || OWN.contains(&name) || names.contains(name)
}

fn strings(value: &Value, into: &mut HashSet<String>) {
    match value {
        Value::String(text) => {
            into.insert(text.clone());
        }
        Value::Array(list) => list.iter().for_each(|member| strings(member, into)),
        Value::Object(fields) => fields.values().for_each(|member| strings(member, into)),
        _ => {}
    }
}
