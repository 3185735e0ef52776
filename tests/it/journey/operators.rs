//! The commands for operators beside a running `northstack dev`.

use std::process::Output;
use std::time::{Duration, Instant};

use tokio::process::Command;

use super::Stack;

async fn northstack(arguments: &[&str], state: Option<&std::path::Path>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_northstack"));
    command.args(arguments).env_clear().current_dir(env!("CARGO_MANIFEST_DIR")).kill_on_drop(true);
    if let Some(state) = state {
        command.env("NORTHSTACK_DEV_STATE", state);
    }
    command.output().await.unwrap()
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[tokio::test]
async fn they_find_the_platform_that_runs_here() {
    let mut stack = Stack::start().await;
    let state = stack.state().to_owned();
    for arguments in [
        &["migrate", "status"][..],
        &["config", "check"],
        &["metadata", "diff"],
        &["events", "dead", "list"],
        &["audit", "verify"],
        &["admin", "operations", "list"],
        &["schema", "export"],
    ] {
        let done = northstack(&[&["--dev"], arguments].concat(), Some(&state)).await;
        assert!(done.status.success(), "{arguments:?}\n{}", text(&done));
        let named = format!("--dev={}", state.display());
        let done = northstack(&[arguments, &[&named]].concat(), None).await;
        assert!(done.status.success(), "{arguments:?}\n{}", text(&done));
    }
    let lost = northstack(&["config", "check"], Some(&state)).await;
    assert_eq!(lost.status.code(), Some(2), "{}", text(&lost));
    assert!(text(&lost).contains("--dev"), "{}", text(&lost));

    stack.kill();
    let gone = northstack(&["--dev", "migrate", "status"], Some(&state)).await;
    assert_eq!(gone.status.code(), Some(5), "{}", text(&gone));
    assert!(text(&gone).contains("no `northstack dev` runs"), "{}", text(&gone));
}

#[tokio::test]
async fn a_system_that_is_not_there_is_said_soon_and_once() {
    for arguments in [&["events", "dead", "list"][..], &["migrate", "status"], &["audit", "verify"]] {
        let begun = Instant::now();
        let mut command = Command::new(env!("CARGO_BIN_EXE_northstack"));
        command.args(arguments).env_clear().env("NORTHSTACK_NATS__SERVERS", "nats://127.0.0.1:9");
        let done = command.env("NORTHSTACK_DATABASE__HOSTS", "127.0.0.1:9").output().await.unwrap();
        let told = text(&done);
        assert_eq!(done.status.code(), Some(5), "{arguments:?}\n{told}");
        assert!(begun.elapsed() < Duration::from_secs(10), "{arguments:?} took {:?}", begun.elapsed());
        assert_eq!(told.lines().filter(|line| !line.contains("--dev")).count(), 1, "{arguments:?}\n{told}");
        assert_eq!(told.matches("Connection refused").count(), 1, "{arguments:?}\n{told}");
    }
}
