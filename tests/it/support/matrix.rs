//! `docs/crash-matrix.md`, a section a flow. Each test holds the sections of its own flows.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use northstack::workflow::Registry;
use northstack::workflow::testing::{Bench, Disturbance, disturb, disturb_undo, table, undisturbed, undo_table};

const HEADER: &str = "\
# Crash matrix

What becomes of a durable operation when it is disturbed at each of its steps. Written by the tests whose module is
called `matrix` from what they saw, one run a cell (the three kills of a step in one run, one worker after the other), on
PostgreSQL and the simulated Kubernetes. `NORTHSTACK_REGENERATE=1 cargo test --test it matrix` writes it anew; without, a
difference fails the test.

A cell stands only if the end equals the end of an undisturbed run: the rows of the subject, the operation with each
step's status and result, and every object in the cluster with its pods; for a store also its events, and the site's
settings, plugins, pages, users and products.

- **killed before, during, after**: the worker is gone before the step's effect, between the effect and its record in
  the journal, after the record. Another worker takes over once the lease has lapsed.
- **fails**: the step is refused for good; a person retries.
- **done twice**: the step's work is done again after it was done.
- **overtaken**: the worker stands still past its lease; another finishes; the first goes on and may write nothing.
- **ended by a person**: the operation's end is asked for while the step is at work. What is left has to equal what is
  left of an operation that never began: for a store and a preview no namespace and no row that counts; for an
  application the revision, the pods, the address and the rows that it had. The namespace of an environment stays, for
  others share it.

`northstack admin failpoints` prints the points at which a process under test can be made to abort.
";

/// Sections are read and written one at a time.
static PAGE: Mutex<()> = Mutex::new(());

/// Disturbs the flow of a kind in every way in these worlds, and holds its section against what was seen.
pub async fn hold<B: Bench>(kind: &str, worlds: &[B]) {
    let flow = worlds[0].flow();
    let begun = Instant::now();
    let expected = undisturbed(&worlds[0]).await;
    println!("{kind} undisturbed: {:.2} s", begun.elapsed().as_secs_f64());
    let matrix = disturb(worlds, &Disturbance::ALL, &expected).await;
    let undone = disturb_undo(worlds).await;
    println!("{kind}: {} cells in {:.1} s", matrix.len() + undone.len(), begun.elapsed().as_secs_f64());
    let mut section = table(&flow, &matrix);
    if !undone.is_empty() {
        write!(section, "\n{}", undo_table(&flow, &undone)).unwrap();
    }
    assert!(!section.contains("not tested"), "{section}");
    keep(kind, &section);
}

/// Holds the list of sections against the flows that there are.
pub fn complete(flows: &Registry) {
    if regenerated() {
        return println!("the page is being written: whether it is complete is looked at in the next run");
    }
    let written = sections(&std::fs::read_to_string(page()).unwrap());
    let written: Vec<&str> = written.iter().map(|(kind, _)| kind.as_str()).collect();
    let kinds: Vec<&str> = flows.newest_of_each().into_iter().map(|flow| flow.kind()).collect();
    assert_eq!(written, kinds, "docs/crash-matrix.md has other sections than there are flows");
}

fn page() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/crash-matrix.md")
}

fn regenerated() -> bool {
    std::env::var_os("NORTHSTACK_REGENERATE").is_some()
}

/// Holds a section of the page, or writes it.
fn keep(kind: &str, section: &str) {
    let _one = PAGE.lock().unwrap_or_else(PoisonError::into_inner);
    let written = std::fs::read_to_string(page()).unwrap_or_default();
    let mut sections = sections(&written);
    sections.retain(|(known, _)| known != kind);
    sections.push((kind.to_owned(), section.trim_end().to_owned()));
    sections.sort();
    let mut text = HEADER.to_owned();
    for (kind, section) in sections {
        write!(text, "\n## `{kind}`\n\n{section}\n").unwrap();
    }
    if regenerated() {
        std::fs::write(page(), &text).unwrap();
        return;
    }
    assert_eq!(written, text, "docs/crash-matrix.md is not what was seen; NORTHSTACK_REGENERATE=1 writes it anew");
}

fn sections(page: &str) -> Vec<(String, String)> {
    let parts = page.split("\n## `").skip(1);
    let parts = parts.filter_map(|part| part.split_once("`\n"));
    parts.map(|(kind, section)| (kind.to_owned(), section.trim().to_owned())).collect()
}
