//! Hasura's own server tests, kept as data beside the checkout, run against the engine.

use super::{Rig, SECRET, Setup};
use crate::support::shared_directory;

/// Suites whose extensions are not installed on every machine.
const NEEDS_EXTENSIONS: [&str; 4] = ["postgis", "ltree", "citext", "pg_trgm"];

#[tokio::test(flavor = "multi_thread")]
async fn the_recorded_suites_pass() {
    let Some(directory) = shared_directory("conformance") else { return };
    if std::env::var_os("NORTHSTACK_CONFORMANCE").is_none() {
        println!("skipped: takes minutes; set NORTHSTACK_CONFORMANCE=1 to run it");
        return;
    }
    let rig = Rig::start(Setup { stringify: true, unauthorized_role: None, ..Setup::default() }).await;
    let available: Vec<String> =
        sqlx::query_scalar("select name from pg_available_extensions").fetch_all(&rig.pool).await.unwrap();
    let mut suites: Vec<_> = std::fs::read_dir(directory.join("hasura-v2"))
        .unwrap()
        .filter_map(|entry| Some(entry.unwrap().path()).filter(|path| path.extension().is_some_and(|e| e == "json")))
        .filter(|path| {
            let text = std::fs::read_to_string(path).unwrap();
            let suite: serde_json::Value = serde_json::from_str(&text).unwrap();
            let needs = suite["needs"].as_array().cloned().unwrap_or_default();
            needs
                .iter()
                .filter_map(|need| need.as_str())
                .all(|need| !NEEDS_EXTENSIONS.contains(&need) || available.iter().any(|name| name == need))
        })
        .collect();
    suites.sort();
    let output = tokio::process::Command::new("python3")
        .arg(directory.join("run.py"))
        .args(["--url", &rig.url(""), "--admin-secret", SECRET, "-v"])
        .args(&suites)
        .output()
        .await;
    let Ok(output) = output else {
        println!("skipped: python3 is not here");
        return;
    };
    let report = String::from_utf8_lossy(&output.stdout);
    println!("{report}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{report}");
}
