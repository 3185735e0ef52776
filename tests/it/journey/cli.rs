//! The journey at a command line, by the binary that people install.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use super::Stack;

const SECRET: &str = "an-admin-secret-of-the-test";

/// A person's shell: a home of its own, and the platform's address.
struct Shell {
    home: tempfile::TempDir,
    endpoint: String,
}

/// How a command ended, and what it printed.
struct Ended {
    code: i32,
    out: String,
    err: String,
}

impl Shell {
    async fn run(&self, arguments: &[&str], input: &str) -> Ended {
        let mut child = Command::new(env!("CARGO_BIN_EXE_northstack"))
            .args(arguments)
            .env_clear()
            .env("HOME", self.home.path())
            .env("NORTHSTACK_ENDPOINT", &self.endpoint)
            .env("NORTHSTACK_HASURA__ENDPOINT", &self.endpoint)
            .env("NORTHSTACK_HASURA__ADMIN_SECRET", SECRET)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).await.unwrap();
        let output = child.wait_with_output().await.unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ended { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// A command that must succeed; gives what it printed.
    async fn ok(&self, arguments: &[&str]) -> String {
        let ended = self.run(arguments, "").await;
        assert_eq!(ended.code, 0, "{arguments:?}\n{}{}", ended.out, ended.err);
        ended.out
    }

    async fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.ok(&[arguments, &["--output", "json"]].concat()).await).unwrap()
    }
}

async fn platform() -> (Stack, Shell) {
    let stack = Stack::configured(vec![("NORTHSTACK_HASURA__ADMIN_SECRET", SECRET.to_owned())]).await;
    let shell = Shell { home: tempfile::tempdir().unwrap(), endpoint: stack.api_url() };
    (stack, shell)
}

#[tokio::test]
async fn a_store_is_created_watched_and_deleted() {
    let (stack, shell) = platform().await;
    let refused = shell.run(&["stores", "list"], "").await;
    assert_eq!((refused.code, refused.err.contains("northstack login")), (3, true), "{}", refused.err);
    let wrong = ["login", "--email", northstack::dev::DEMO_EMAIL, "--password-stdin"];
    assert_eq!(shell.run(&wrong, "no such password\n").await.code, 3);
    let ended = shell.run(&wrong, &format!("{}\n", northstack::dev::DEMO_PASSWORD)).await;
    assert_eq!(ended.code, 0, "{}", ended.err);

    let watched = shell.ok(&["stores", "create", "My Shop", "--watch"]).await;
    for step in ["namespace", "quota", "mysql", "woocommerce", "products", "ready"] {
        assert!(watched.to_lowercase().contains(step), "{step} in\n{watched}\n{}", stack.log());
    }
    let stores = shell.json(&["stores", "list"]).await;
    assert_eq!((&stores[0]["name"], &stores[0]["status"]), (&"My Shop".into(), &"ready".into()), "{stores:#}");
    let taken = shell.run(&["stores", "create", "My Shop"], "").await;
    assert_eq!((taken.code, taken.err.contains("already")), (1, true), "{}", taken.err);
    assert_eq!(shell.run(&["stores", "show", "No Such Shop"], "").await.code, 4);
    let short = shell.run(&["stores", "create", "x"], "").await;
    assert_eq!((short.code, short.err.contains("name")), (2, true), "{}", short.err);

    shell.ok(&["stores", "delete", "My Shop", "--yes", "--watch"]).await;
    assert_eq!(shell.json(&["stores", "list"]).await, Value::Array(vec![]));
    let operations = shell.json(&["operations", "list"]).await;
    let kinds: Vec<&str> = operations.as_array().unwrap().iter().map(|one| one["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["store.delete", "store.create"]);
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => std::fs::copy(entry.path(), target).map(drop).unwrap(),
        }
    }
}

#[tokio::test]
async fn metadata_is_compared_applied_exported_and_checked() {
    let (_stack, shell) = platform().await;
    let scratch = tempfile::tempdir().unwrap();
    let (changed, exported) = (scratch.path().join("changed"), scratch.path().join("exported"));
    copy(&PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("hasura/metadata"), &changed);
    let (changed, exported) = (changed.to_str().unwrap(), exported.to_str().unwrap());
    let metadata = |command, directory| ["metadata", command, "--dir", directory];

    shell.ok(&metadata("diff", changed)).await;
    let table = format!("{changed}/databases/default/tables/public_alerts.yaml");
    let text = std::fs::read_to_string(&table).unwrap();
    assert!(text.contains("allow_aggregations: true"), "the test takes this permission away");
    std::fs::write(&table, text.replace("allow_aggregations: true", "allow_aggregations: false")).unwrap();
    let differs = shell.run(&metadata("diff", changed), "").await;
    assert_eq!(differs.code, 6, "{}", differs.err);
    assert!(
        differs.out.contains("public_alerts.yaml") && differs.out.contains("allow_aggregations"),
        "{}",
        differs.out
    );

    shell.ok(&metadata("apply", changed)).await;
    shell.ok(&metadata("diff", changed)).await;
    shell.ok(&metadata("export", exported)).await;
    shell.ok(&metadata("check", exported)).await;
    shell.ok(&metadata("diff", exported)).await;
    let before = shell.run(&metadata("diff", "hasura/metadata"), "").await;
    assert_eq!((before.code, before.out.matches("allow_aggregations").count()), (6, 1), "{}", before.out);

    std::fs::write(&table, text.replacen("table:", "tabel:", 1)).unwrap();
    let unsound = shell.run(&metadata("check", changed), "").await;
    assert_eq!(unsound.code, 2, "{}", unsound.err);
    assert!(unsound.err.contains("public_alerts.yaml") && unsound.err.contains("tabel"), "{}", unsound.err);
    let denied = shell.run(&["metadata", "diff", "--admin-secret", "wrong"], "").await;
    assert_eq!(denied.code, 3, "{}", denied.err);
    let nobody = shell.run(&["metadata", "diff", "--endpoint", "http://127.0.0.1:9"], "").await;
    assert_eq!(nobody.code, 5, "{}", nobody.err);
}
