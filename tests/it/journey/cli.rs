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
    assert_eq!(kinds, ["store.delete", "store.create", "deployment.rolling"], "the last is the demo app's");
}

#[tokio::test]
async fn a_newcomer_goes_from_nothing_to_an_app_that_runs() {
    let (stack, shell) = platform().await;
    stack.register("new@example.com").await;
    let login = ["login", "--email", "new@example.com", "--password-stdin"];
    assert_eq!(shell.run(&login, "correct horse battery\n").await.code, 0);
    let who = shell.json(&["whoami"]).await;
    assert_eq!((&who["email"], &who["teams"][0]["role"]), (&"new@example.com".into(), &"owner".into()), "{who:#}");

    let projects = shell.json(&["projects", "list"]).await;
    assert_eq!((projects.as_array().unwrap().len(), &projects[0]["name"]), (1, &"default".into()), "{projects:#}");
    let empty = shell.run(&["apps", "list"], "").await;
    assert!(empty.err.contains("northstack apps create"), "{}", empty.err);
    let made = shell.ok(&["apps", "create", "my-app", "--image", "nginx:1"]).await;
    assert!(made.contains("northstack deploy my-app --watch"), "{made}");
    let silent = shell.run(&["logs", "my-app"], "").await;
    assert!(silent.code == 1 && silent.err.contains("never deployed"), "{} {}", silent.code, silent.err);
    shell.ok(&["deploy", "my-app", "--watch"]).await;
    let address = shell.ok(&["open", "my-app"]).await;
    assert!(address.starts_with("http://"), "{address}");

    let asked = shell.run(&["apps", "delete", "my-app"], "").await;
    assert!(asked.code == 2 && asked.err.contains("--yes"), "{} {}", asked.code, asked.err);
    let deleted = shell.ok(&["apps", "delete", "my-app", "--yes", "--watch"]).await;
    assert!(deleted.contains("my-app was deleted."), "{deleted}");
    assert_eq!(shell.json(&["apps", "list"]).await, json!([]));
    assert_eq!(shell.run(&["apps", "delete", "my-app", "--yes"], "").await.code, 4);

    shell.ok(&["projects", "create", "website"]).await;
    let which = shell.run(&["apps", "create", "api"], "").await;
    assert!(which.code == 2 && which.err.contains("default, website"), "{} {}", which.code, which.err);
    let unknown = shell.run(&["apps", "create", "api", "--project", "shop"], "").await;
    assert!(unknown.code == 4 && unknown.err.contains("projects create"), "{} {}", unknown.code, unknown.err);
    let team = shell.json(&["teams", "create", "Blue Sky"]).await;
    assert!(team["slug"].as_str().unwrap().starts_with("blue-sky-"), "{team:#}");
    let teams = shell.json(&["teams", "list"]).await;
    assert_eq!(teams.as_array().unwrap().len(), 2, "{teams:#}");
    assert_eq!(shell.run(&["projects", "create", "x"], "").await.code, 2, "which team?");
    shell.ok(&["projects", "create", "x", "--team", "Blue Sky"]).await;
    shell.ok(&["teams", "create", "Red Sky"]).await;
    let which = shell.run(&["stores", "create", "A Shop"], "").await;
    assert!(which.code == 2 && which.err.starts_with("northstack: --team: "), "{} {}", which.code, which.err);
    assert!(which.err.contains("Blue Sky") && !which.err.contains("teamId"), "{}", which.err);
    let which = shell.run(&["apps", "create", "api", "--project", "default"], "").await;
    assert!(which.code == 2 && which.err.contains("give --team"), "{} {}", which.code, which.err);
    let made = shell.ok(&["apps", "create", "api", "--project", "default", "--team", "Blue Sky"]).await;
    assert!(made.starts_with("api was created in default"), "{made}");

    shell.ok(&["logout"]).await;
    assert_eq!(shell.run(&["whoami"], "").await.code, 3);
}

#[tokio::test]
async fn what_is_wrong_is_said_by_its_name_before_it_is_sent() {
    let shell = Shell { home: tempfile::tempdir().unwrap(), endpoint: "http://127.0.0.1:9".to_owned() };
    for (arguments, words) in [
        (&["--token", "x", "apps", "create", "My App"][..], "a-z"),
        (&["--token", "x", "apps", "create", "a", "--environment", "Live!"], "environment"),
        (&["--token", "x", "apps", "create", "a", "--replicas", "1001"], "replicas"),
        (&["--token", "x", "apps", "create", "a", "--strategy", "yolo"], "blue_green"),
        (&["deploy", "a", "--strategy", "yolo", "--token", "x"], "blue_green"),
        (&["operations", "watch", "abc"], "an id looks like"),
        (&["stores", "create", "a", "--type", "medusa"], "woocommerce"),
    ] {
        let refused = shell.run(arguments, "").await;
        assert_eq!((refused.code, refused.err.contains(words)), (2, true), "{arguments:?}\n{}", refused.err);
    }
    // Wherever they stand.
    for arguments in [
        &["stores", "list", "--endpoint", "http://127.0.0.1:9", "--token", "x"][..],
        &["--endpoint", "http://127.0.0.1:9", "--token", "x", "apps", "list"],
        &["apps", "--token", "x", "--endpoint", "http://127.0.0.1:9", "show", "a"],
    ] {
        let nobody = shell.run(arguments, "").await;
        assert_eq!(nobody.code, 5, "{arguments:?}\n{}", nobody.err);
    }
}

#[tokio::test]
async fn a_canary_is_promoted_whatever_was_asked_for_after_it() {
    let (_stack, shell) = platform().await;
    sign_in(&shell).await;
    shell.ok(&["apps", "create", "api", "--replicas", "4", "--image", "nginx:1"]).await;
    let begun = shell.json(&["deploy", "api"]).await;
    assert!(begun["deploymentId"].is_string() && begun["revision"] == 1, "{begun:#}");
    shell.ok(&["operations", "watch", begun["operationId"].as_str().unwrap()]).await;
    let paused = shell.ok(&["deploy", "api", "--image", "nginx:2", "--strategy", "canary", "--watch"]).await;
    assert!(paused.contains("canary at 20 %") && paused.contains("northstack promote api"), "{paused}");
    let waiting = shell.ok(&["scale", "api", "--replicas", "5"]).await;
    assert!(waiting.contains("after the canary of revision 2"), "{waiting}");
    let next = shell.ok(&["promote", "api", "--watch"]).await;
    assert!(next.contains("canary at 50 %"), "{next}");
    let end = shell.ok(&["promote", "api", "--full", "--watch"]).await;
    // Scaling it may have begun already.
    assert!(end.contains("api is running") || end.contains("api is deploying"), "{end}");
    let listed = shell.json(&["deployments", "list", "api"]).await;
    assert_eq!((&listed[0]["status"], &listed[0]["image"]), (&"running".into(), &"nginx:2".into()), "{listed:#}");
    let back = shell.json(&["rollback", "api", "--to", "1"]).await;
    assert!(back["notRestored"].is_array() && back["restores"] == 1 && back["revision"] == 3, "{back:#}");
    shell.ok(&["operations", "watch", back["operationId"].as_str().unwrap()]).await;
    let restarted = shell.json(&["restart", "api"]).await;
    assert!(restarted["revision"] == 3 && restarted["url"].as_str().unwrap().starts_with("http://"), "{restarted:#}");

    shell.run(&["secrets", "set", "db-password"], "correct horse\n").await;
    shell.ok(&["env", "set", "api", "--secret", "DB=db-password"]).await;
    let listed = shell.ok(&["env", "list", "api"]).await;
    assert!(listed.contains("(secret db-password)"), "{listed}");
    let events = shell.ok(&["events", "--limit", "200"]).await;
    assert!(events.contains("api") && events.contains("revision 2 (nginx:2)"), "{events}");
    let deleted = shell.run(&["stores", "delete", "nothing"], "").await;
    assert!(deleted.code == 4 && deleted.err.contains("nothing"), "{}", deleted.err);
    let asked = shell.run(&["secrets", "delete", "db-password"], "").await;
    assert!(asked.code == 2 && asked.err.contains("--yes"), "{}", asked.err);
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
