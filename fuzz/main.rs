//! Fuzz targets over what comes from outside: documents, variables, metadata and tokens. `NORTHSTACK_FUZZ_TARGET` names
//! one; `scripts/fuzz` builds this so that each run is led by the code that it reaches, and runs all from the kept corpus.
#![no_main]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod document;
mod jwt;
mod metadata;
mod schema;
mod statement;
mod variables;

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use nix::time::ClockId;

/// What tries one input; a fault is a panic.
struct Target {
    run: fn(&[u8]),
    /// Processor time that one input may take in this build, which is some fifty times as slow as a released one.
    longest: Duration,
}

impl Target {
    fn new(run: fn(&[u8]), milliseconds: u64) -> Self {
        Self { run, longest: Duration::from_millis(milliseconds) }
    }
}

static TARGET: OnceLock<Target> = OnceLock::new();

fn target() -> &'static Target {
    TARGET.get_or_init(|| match std::env::var("NORTHSTACK_FUZZ_TARGET").as_deref() {
        Ok("document") => Target::new(document::run, 300),
        Ok("variables") => Target::new(variables::run, 300),
        Ok("metadata") => Target::new(metadata::run, 5000), // it builds whole schemas
        Ok("jwt") => Target::new(jwt::run, 300),
        _ => panic!("NORTHSTACK_FUZZ_TARGET is document, variables, metadata or jwt"),
    })
}

/// Processor time of this thread, so that a busy machine makes nothing slow.
fn used() -> Duration {
    ClockId::CLOCK_THREAD_CPUTIME_ID.now().unwrap().into()
}

fuzz_target!(|data: &[u8]| {
    let target = target();
    let began = used();
    (target.run)(data);
    // The first one builds what the others share.
    static SLOW: AtomicBool = AtomicBool::new(true);
    let took = used() - began;
    assert!(SLOW.swap(false, Ordering::Relaxed) || took < target.longest, "took {took:?}");
});
