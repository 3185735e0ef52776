//! The reference material that some tests compare with. It lies beside a checkout, never in it.

use std::path::PathBuf;

/// The path of `relative` inside the reference material (`NORTHSTACK_SHARED`, else `../shared` beside the checkout).
/// Where it is absent, says so and gives `None`: the calling test then ends without a verdict.
pub fn shared_directory(relative: &str) -> Option<PathBuf> {
    let root = std::env::var_os("NORTHSTACK_SHARED")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    let path = root.join(relative);
    if path.exists() {
        return Some(path);
    }
    println!("skipped: reference material {relative} is not here");
    None
}
