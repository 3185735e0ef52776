//! A metadata directory that asks for what the engine does not do ends the program, before anything is started.

use std::path::Path;
use std::process::Command;

use northstack::auth::SigningKey;

/// A directory that asks for comments in the statements of its source.
fn directory(root: &Path) {
    let write = |file: &str, text: &str| {
        let path = root.join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("version.yaml", "version: 3\n");
    write(
        "databases/databases.yaml",
        "- name: default\n  kind: postgres\n  configuration:\n    connection_info:\n      database_url: \
         {from_env: DATABASE_URL}\n  query_tags: {disabled: false, format: standard}\n  tables: []\n",
    );
}

#[test]
fn every_command_that_loads_it_ends_with_2_and_names_file_line_key_and_reason() {
    let root = tempfile::tempdir().unwrap();
    let metadata = root.path().join("metadata");
    directory(&metadata);
    let state = root.path().join("state");
    let state = state.to_str().unwrap();
    let key = SigningKey::generate().pem().unwrap();
    for arguments in [vec!["metadata", "check"], vec!["serve"], vec!["dev", "--state", state]] {
        let secret = "0123456789abcdef0123456789abcdef-test";
        let output = Command::new(env!("CARGO_BIN_EXE_northstack"))
            .args(&arguments)
            .current_dir(root.path())
            .env("NORTHSTACK_HASURA__METADATA_DIR", &metadata)
            .env("NORTHSTACK_HASURA__ADMIN_SECRET", secret)
            .env("NORTHSTACK_ACTIONS__SECRET", secret)
            .env("NORTHSTACK_AUTH__SIGNING_KEY", key.expose())
            // Nothing answers there: what would be started first would say so.
            .env("NORTHSTACK_DATABASE__HOSTS", "127.0.0.1:9")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        let wanted = "databases/databases.yaml:6: sources[0].query_tags: query tags are not supported";
        assert!(said.contains(wanted), "{arguments:?}: {said}");
    }
    assert!(!Path::new(state).exists(), "nothing was begun");
}
