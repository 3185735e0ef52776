//! The journey at a command line, by the binary that people install.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use super::Stack;

pub(super) const SECRET: &str = "an-admin-secret-of-the-test";

/// A person's shell: a home of its own, and the platform's address.
pub(super) struct Shell {
    pub(super) home: tempfile::TempDir,
    pub(super) endpoint: String,
}

/// How a command ended, and what it printed.
pub(super) struct Ended {
    pub(super) code: i32,
    pub(super) out: String,
    pub(super) err: String,
}

impl Shell {
    pub(super) async fn run(&self, arguments: &[&str], input: &str) -> Ended {
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
    pub(super) async fn ok(&self, arguments: &[&str]) -> String {
        let ended = self.run(arguments, "").await;
        assert_eq!(ended.code, 0, "{arguments:?}\n{}{}", ended.out, ended.err);
        ended.out
    }

    pub(super) async fn json(&self, arguments: &[&str]) -> Value {
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

/// Signs the shell in as the demo user.
pub(super) async fn sign_in(shell: &Shell) {
    let login = ["login", "--email", northstack::dev::DEMO_EMAIL, "--password-stdin"];
    let ended = shell.run(&login, &format!("{}\n", northstack::dev::DEMO_PASSWORD)).await;
    assert_eq!(ended.code, 0, "{}", ended.err);
}

/// A project of the demo user's team.
pub(super) async fn project(stack: &Stack, name: &str) {
    let login =
        "mutation($email: String!, $password: String!) { login(email: $email, password: $password) { accessToken } }";
    let who = json!({"email": northstack::dev::DEMO_EMAIL, "password": northstack::dev::DEMO_PASSWORD});
    let session = stack.data(None, login, who).await;
    let token = session["login"]["accessToken"].as_str().unwrap();
    let team = stack.data(Some(token), "{ teams { id } }", json!({})).await["teams"][0]["id"].clone();
    let insert =
        "mutation($name: String!, $team: uuid!) { insert_projects_one(object: {name: $name, team_id: $team}) { id } }";
    stack.data(Some(token), insert, json!({"name": name, "team": team})).await;
}

#[tokio::test]
async fn an_application_is_deployed_judged_promoted_and_brought_back() {
    let (stack, shell) = platform().await;
    sign_in(&shell).await;
    project(&stack, "shop").await;
    let made = shell.ok(&["apps", "create", "api", "--project", "shop", "--replicas", "2", "--port", "80"]).await;
    assert!(made.contains("northstack deploy api"), "{made}");
    assert_eq!(shell.run(&["deploy", "nothing"], "").await.code, 4);
    shell.ok(&["env", "set", "api", "LOG=info", "MODE=a=b"]).await;
    let variables = shell.json(&["env", "list", "api"]).await;
    assert_eq!((&variables[0]["name"], &variables[1]["value"]), (&"LOG".into(), &"a=b".into()), "{variables:#}");

    let watched = shell.ok(&["deploy", "api", "--image", "nginx:1", "--watch"]).await;
    for step in ["Create the namespace", "Roll out the revision", "Wait until it is ready", "api is running: http://"] {
        assert!(watched.contains(step), "{step} in\n{watched}\n{}", stack.log());
    }
    let shown = shell.json(&["apps", "show", "api"]).await;
    assert_eq!((&shown["status"], &shown["runtime"]["ready"]), (&"running".into(), &2.into()), "{shown:#}");
    let why = shell.run(&["why", "api"], "").await;
    assert_eq!(why.code, 0, "{}", why.out);

    let failing = shell.run(&["deploy", "api", "--image", "nginx:missing", "--watch"], "").await;
    assert_eq!((failing.code, failing.out.contains("cannot be pulled")), (1, true), "{}{}", failing.out, failing.err);
    let why = shell.run(&["why", "api"], "").await;
    assert_eq!((why.code, why.out.contains("nginx:missing")), (1, true), "{}", why.out);
    shell.ok(&["abort", "api", "--watch"]).await;
    let shown = shell.json(&["apps", "show", "api"]).await;
    let taken_back = (&shown["status"], &shown["deployments"][0]["status"]);
    assert_eq!(taken_back, (&"running".into(), &"cancelled".into()), "{shown:#}");
    assert_eq!(shell.run(&["abort", "api"], "").await.code, 4, "there is nothing left to take back");
    let back = shell.ok(&["rollback", "api", "--to", "1", "--watch"]).await;
    assert!(back.contains("Not restored:") && back.contains("api is running"), "{back}");

    shell.ok(&["deploy", "api", "--image", "nginx:2", "--strategy", "blue_green"]).await;
    // It is refused until green is there to be promoted.
    let promoted = loop {
        let promoted = shell.run(&["promote", "api", "--full", "--watch"], "").await;
        if promoted.code == 0 {
            break promoted.out;
        }
        assert_eq!((promoted.code, promoted.err.contains("paused")), (1, true), "{}", promoted.err);
    };
    assert!(promoted.contains("api is running"), "{promoted}");
    let shown = shell.json(&["apps", "show", "api"]).await;
    let newest = &shown["deployments"][0];
    assert_eq!((&newest["image"], &newest["status"]), (&"nginx:2".into(), &"running".into()), "{shown:#}");

    shell.ok(&["scale", "api", "--replicas", "3", "--watch"]).await;
    shell.ok(&["restart", "api", "--watch"]).await;
    shell.ok(&["stop", "api", "--watch"]).await;
    assert_eq!(shell.json(&["apps", "show", "api"]).await["status"], "stopped");
    shell.ok(&["start", "api", "--watch"]).await;
    assert_eq!(shell.json(&["apps", "show", "api"]).await["runtime"]["ready"], 3);
    shell.ok(&["preview", "create", "api", "try", "--image", "nginx:3", "--ttl", "1h", "--watch"]).await;
    let previews = shell.json(&["preview", "list", "api"]).await;
    assert_eq!((&previews[0]["name"], &previews[0]["status"]), (&"try".into(), &"running".into()), "{previews:#}");
    shell.ok(&["preview", "delete", "api", "try", "--watch"]).await;
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
