//! Hasura's own server tests, kept as data beside the checkout, run against the engine: none may fall back.

use serde_json::Value;

use super::{Rig, SECRET, Setup};
use crate::support::shared_directory;

/// Suites whose extensions are not installed on every machine.
const NEEDS_EXTENSIONS: [&str; 4] = ["postgis", "ltree", "citext", "pg_trgm"];

/// Cases whose answers agree in status, data and code, but not word for word, with the reason.
const NOT_WORD_FOR_WORD: &[&str] = &[
    // A running v2.48 was recorded to say "PersistedQueryNotSupported".
    "graphql_queries.TestGraphQLQueryBasicPostgres.test_select_query_with_extensions",
];

#[tokio::test(flavor = "multi_thread")]
async fn no_recorded_case_falls_back() {
    let Some(directory) = shared_directory("conformance") else { return };
    let rig = Rig::start(Setup { stringify: true, unauthorized_role: None, ..Setup::default() }).await;
    let available: Vec<String> =
        sqlx::query_scalar("select name from pg_available_extensions").fetch_all(&rig.pool).await.unwrap();
    let mut suites = Vec::new();
    for entry in std::fs::read_dir(directory.join("hasura-v2")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let suite: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let needs = suite["needs"].as_array().into_iter().flatten().filter_map(Value::as_str);
        match needs.into_iter().find(|need| NEEDS_EXTENSIONS.contains(need) && !available.iter().any(|a| a == need)) {
            Some(missing) => println!("skipped: {} needs the extension {missing}", suite["suite"]),
            None => suites.push(path),
        }
    }
    suites.sort();
    let reports = tempfile::tempdir().unwrap();
    let report = reports.path().join("report.json");
    let output = tokio::process::Command::new("python3")
        .arg(directory.join("run.py"))
        .args(["--url", &rig.url(""), "--admin-secret", SECRET, "-v", "--report"])
        .arg(&report)
        .args(&suites)
        .output()
        .await;
    let Ok(output) = output else {
        println!("skipped: python3 is not here");
        return;
    };
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    println!("{said}");
    let Ok(report) = std::fs::read_to_string(&report) else { panic!("no report: {said}") };
    let rows: Vec<Value> = serde_json::from_str(&report).unwrap();
    let name = |row: &Value| format!("{}.{}", row["suite"].as_str().unwrap(), row["case"].as_str().unwrap());
    let failed: Vec<String> = rows.iter().filter(|row| row["pass"] != true).map(name).collect();
    let inexact: Vec<String> =
        rows.iter().filter(|row| row["pass"] == true && row["exact"] != true).map(name).collect();
    let fallen: Vec<&String> = inexact.iter().filter(|name| !NOT_WORD_FOR_WORD.contains(&name.as_str())).collect();
    let risen: Vec<&&str> = NOT_WORD_FOR_WORD
        .iter()
        .filter(|known| rows.iter().any(|row| name(row) == **known) && !inexact.iter().any(|name| name == **known))
        .collect();
    assert!(!rows.is_empty() && failed.is_empty(), "{} of {} fail: {failed:#?}", failed.len(), rows.len());
    assert!(fallen.is_empty(), "no longer word for word: {fallen:#?}");
    assert!(risen.is_empty(), "word for word by now, take them off the list: {risen:#?}");
}
