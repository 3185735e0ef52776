//! Files that are written from their source. `make generate` refreshes them; here a stale one is found.

use std::process::Command;

/// What the program prints for these arguments.
fn northstack(arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_northstack"));
    let output = command.args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}{}", said(&output.stdout), said(&output.stderr));
    said(&output.stdout)
}

#[test]
fn the_metadata_directory_is_as_export_writes_it() {
    northstack(&["metadata", "format", "--check"]);
}
