//! Every disturbance of every step and every undo of both store flows ends as an undisturbed run does; the outcomes
//! are `docs/crash-matrix.md`.

use std::fmt::Write;
use std::path::Path;
use std::time::Instant;

use northstack::workflow::flows::store;
use northstack::workflow::testing::{Bench, Disturbance, disturb, disturb_undo, table, undisturbed, undo_table};

use super::bench::Town;

/// Worlds at once: each run waits for its cluster and its database most of the time.
const WORLDS: usize = 6;

const HEADER: &str = "\
# Crash matrix

What becomes of a durable operation when it is disturbed at each of its steps. Written by the test `stores::matrix` from
what it saw, one run a cell (the three kills of a step in one run, one worker after the other), on PostgreSQL and the
simulated Kubernetes. `NORTHSTACK_REGENERATE=1 cargo test --test it stores::matrix` writes it anew; without, a
difference fails the test.

A cell stands only if the end equals the end of an undisturbed run: the store's row, the operation with each step's
status and result, the store's events, every object in the namespace, and the site's settings, plugins, pages, users
and products.

- **killed before, during, after**: the worker is gone before the step's effect, between the effect and its record in
  the journal, after the record. Another worker takes over once the lease has lapsed.
- **fails**: the step is refused for good; a person retries.
- **done twice**: the step's work is done again after it was done.
- **overtaken**: the worker stands still past its lease; another finishes; the first goes on and may write nothing.
- **ended by a person**: the operation's end is asked for while the step is at work. What is left has to equal what is
  left of an operation that never began: no namespace, no store that counts, no step that is neither undone nor without
  an undo.

`northstack admin failpoints` prints the points at which a process under test can be made to abort.
";

#[tokio::test(flavor = "multi_thread")]
async fn every_disturbance_ends_the_same_and_the_page_is_generated_from_it() {
    let begun = Instant::now();
    let mut worlds = futures::future::join_all((0..WORLDS).map(|_| Town::new(store::CREATE))).await;
    println!("{WORLDS} worlds: {:.1} s", begun.elapsed().as_secs_f64());
    let mut text = HEADER.to_owned();
    for kind in [store::CREATE, store::DELETE] {
        for world in &mut worlds {
            world.kind = kind;
        }
        let flow = worlds[0].flow();
        let begun = Instant::now();
        let expected = undisturbed(&worlds[0]).await;
        println!("{kind} undisturbed: {:.2} s", begun.elapsed().as_secs_f64());
        let matrix = disturb(&worlds, &Disturbance::ALL, &expected).await;
        let undone = disturb_undo(&worlds).await;
        let seconds = begun.elapsed().as_secs_f64();
        println!("{kind}: {} cells in {seconds:.1} s", matrix.len() + undone.len());
        write!(text, "\n## `{kind}`\n\n{}", table(&flow, &matrix)).unwrap();
        if flow.cancellable() {
            write!(text, "\n{}", undo_table(&flow, &undone)).unwrap();
        }
    }
    assert!(!text.contains("not tested"), "{text}");
    assert_current(&text);
}

/// Holds the page against what was seen, or writes it.
fn assert_current(text: &str) {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/crash-matrix.md");
    if std::env::var_os("NORTHSTACK_REGENERATE").is_some() {
        std::fs::write(&page, text).unwrap();
    }
    let written = std::fs::read_to_string(&page).unwrap_or_default();
    assert_eq!(written, text, "docs/crash-matrix.md is not what was seen; NORTHSTACK_REGENERATE=1 writes it anew");
}
