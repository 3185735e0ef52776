//! What it costs to refuse a hostile document: parse, limits, validation, planning and printing, without a database.
//! Each is to cost less than a millisecond of processor time.
//!
//! `cargo bench --bench refusal`

#![allow(clippy::expect_used)]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use northstack::engine::catalog::Catalog;
use northstack::engine::metadata::Metadata;
use northstack::engine::schema::EnumValues;
use northstack::engine::{Limits, Request, Session, State};
use serde_json::{Value, json};

fn state() -> State {
    let document: Value = serde_json::from_str(include_str!("../fuzz/schema/metadata.json")).expect("metadata");
    let metadata = Metadata::from_document(&document).expect("metadata");
    let catalog = Catalog::from_json(include_str!("../fuzz/schema/catalog.json")).expect("catalogue");
    // Plans are not kept: each round pays in full.
    State::detached(metadata, catalog, &EnumValues::new(), Limits { cached_plans: 0, ..Limits::default() })
}

fn repeated(count: usize, part: impl Fn(usize) -> String) -> String {
    (0..count).map(part).collect::<Vec<_>>().join(" ")
}

fn nested(count: usize, open: &str, middle: &str, close: &str) -> String {
    format!("{}{middle}{}", open.repeat(count), close.repeat(count))
}

/// Hostile requests by name.
fn hostile() -> Vec<(&'static str, Request)> {
    let ask = |text: String| Request::new(text);
    let doubling = repeated(30, |at| match at {
        29 => "fragment f29 on authors { id }".to_owned(),
        at => format!("fragment f{at} on authors {{ ...f{next} ...f{next} }}", next = at + 1),
    });
    let filter = "query ($w: authors_bool_exp) { authors(where: $w) { id } }";
    vec![
        ("fields nested 10,000 deep", ask(format!("{{ {} }}", nested(10_000, "a { ", "b", " }")))),
        ("fields nested 150 deep", ask(format!("{{ {} }}", nested(150, "authors { ", "id", " }")))),
        (
            "a filter nested 10,000 deep",
            ask(format!("{{ authors(where: {}) {{ id }} }}", nested(10_000, "{_not: ", "{}", "}"))),
        ),
        (
            "a list nested 100,000 deep",
            ask(format!("{{ authors(where: {}) {{ id }} }}", nested(100_000, "[", "", "]"))),
        ),
        ("10,000 aliases", ask(format!("{{ {} }}", repeated(10_000, |at| format!("a{at}: authors {{ id }}"))))),
        ("101 aliases", ask(format!("{{ {} }}", repeated(101, |at| format!("a{at}: __typename"))))),
        ("100,000 times one field", ask(format!("{{ authors {{ {} }} }}", repeated(100_000, |_| "id".into())))),
        (
            "10,000 directives",
            ask(format!("{{ authors {{ id {} }} }}", repeated(10_000, |_| "@skip(if: false)".into()))),
        ),
        ("2^30 fields of 30 fragments", ask(format!("{{ authors {{ ...f0 }} }} {doubling}"))),
        (
            "fragments in a circle",
            ask("{ authors { ...a } } fragment a on authors { ...b } fragment b on authors { ...a }".into()),
        ),
        ("10,000 operations", ask(repeated(10_000, |at| format!("query q{at} {{ authors {{ id }} }}")))),
        (
            "conflicting fields",
            ask(format!("{{ authors {{ {} }} }}", repeated(2_000, |at| format!("a: {}", ["id", "name"][at % 2])))),
        ),
        ("an integer of 10,000 digits", ask(format!("{{ authors(limit: {}) {{ id }} }}", "9".repeat(10_000)))),
        (
            "a list of 10,000 filters",
            ask(filter.into()).with_variables(json!({"w": {"_or": vec![json!({"nope": 1}); 10_000]}})),
        ),
    ]
}

fn refusals(criterion: &mut Criterion) {
    let state = state();
    let session = Session::new("user", [("x-hasura-tenant", "10000000-0000-4000-8000-000000000001")]);
    let mut group = criterion.benchmark_group("refusal");
    for (name, request) in hostile() {
        assert!(state.compile(&session, &request).is_err(), "{name} is refused");
        group.bench_function(name, |bencher| {
            bencher.iter(|| state.compile(&session, black_box(&request)).is_err());
        });
    }
    group.finish();
}

criterion_group!(benches, refusals);
criterion_main!(benches);
