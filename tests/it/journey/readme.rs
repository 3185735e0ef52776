//! What the README says, as it stands there: whoever follows it gets what it promises.

use std::collections::HashMap;
use std::path::Path;

use serde_json::json;
use tokio::process::Command;

use super::{Stack, Subscription, has_status};

/// The code blocks of a language below a heading; the language of a shell's is none.
fn blocks(heading: &str, language: &str) -> Vec<String> {
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let section = readme.split("\n## ").find(|section| section.starts_with(heading)).expect("the section");
    let mut blocks = Vec::new();
    let mut open: Option<(String, String)> = None;
    for line in section.lines() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(language), None) => open = Some((language.to_owned(), String::new())),
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (None, Some((_, text))) => *text += &format!("{line}\n"),
            (None, None) => {}
        }
    }
    blocks.into_iter().filter(|(of, _)| of == language).map(|(_, text)| text).collect()
}

/// A line of the README in a shell in which `northstack` is found by its name.
async fn shell(stack: &Stack, home: &Path, line: &str) -> (i32, String) {
    let binary = Path::new(env!("CARGO_BIN_EXE_northstack")).parent().unwrap();
    let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap());
    let running = Command::new("bash")
        .args(["-c", line])
        .env_clear()
        .envs(HashMap::from([
            ("HOME", home.to_str().unwrap()),
            ("PATH", &path),
            ("NORTHSTACK_ENDPOINT", &stack.api_url()),
        ]))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(std::process::Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(std::time::Duration::from_secs(120), running).await;
    let output = output.unwrap_or_else(|_| panic!("{line} does not end\n{}", stack.log())).unwrap();
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    (output.status.code().unwrap(), text)
}

#[tokio::test]
async fn the_commands_of_the_readme_run_as_they_stand_in_their_order() {
    let stack = Stack::start().await;
    let home = tempfile::tempdir().unwrap();
    let commands: Vec<String> = blocks("Use it", "")
        .iter()
        .flat_map(|block| block.lines())
        .filter(|line| line.starts_with("northstack "))
        .map(str::to_owned)
        .collect();
    assert!(commands.len() > 10, "{commands:?}");
    let mut said = HashMap::new();
    for line in &commands {
        let (code, text) = shell(&stack, home.path(), line).await;
        assert_eq!(code, 0, "{line}\n{text}\n{}", stack.log());
        said.insert(line.split('#').next().unwrap().trim().to_owned(), text);
    }
    for (command, parts) in [
        ("northstack apps list", &["hello"][..]),
        ("northstack deploy my-app --image nginx:1 --watch", &["my-app is running: http://"]),
        (
            "northstack deploy my-app --image nginx:2 --strategy canary --watch",
            &["canary at 20 %", "northstack promote"],
        ),
        ("northstack promote my-app --watch", &["canary at 50 %", "northstack abort my-app"]),
        ("northstack promote my-app --full --watch", &["my-app is running"]),
        ("northstack rollback my-app --to 1 --watch", &["Not restored:", "my-app is running"]),
        ("northstack deployments list my-app", &["nginx:2", "brings revision 1 back"]),
        ("northstack stores create \"My Shop\" --watch", &["My Shop is ready: http://"]),
        ("northstack stores credentials \"My Shop\"", &["Password:"]),
        ("northstack open \"My Shop\"", &["http://"]),
    ] {
        let text = said.get(command).unwrap_or_else(|| panic!("{command} is not in the README: {commands:#?}"));
        assert!(parts.iter().all(|part| text.contains(part)), "{command}: {parts:?}\n{text}");
    }
}

#[tokio::test]
async fn the_graphql_of_the_readme_runs_as_it_stands() {
    let stack = Stack::start().await;
    let token = stack.register("reader@example.com").await;
    let text = blocks("Use it", "graphql").concat();
    let (mutation, subscription) = text.split_once("\nsubscription").expect("both");
    let made = stack.data(Some(&token), mutation, json!({})).await;
    assert!(made["createStore"]["operation"]["steps"].as_array().is_some_and(|steps| steps.len() > 5), "{made:#}");
    let mut live = Subscription::open(&stack.api_url(), &token, &format!("subscription{subscription}")).await;
    while !has_status(&live.next().await["stores"], "Tea Shop", "ready") {}
}
