//! Secrets: who may set and read them, that they reach pods and nothing else, and the rotation and loss of their keys.

mod drift;
mod journey;
mod keys;
mod refusals;

use std::time::Duration;

use k8s_openapi::api::core::v1::{Pod, Secret};
use northstack::config::Config;
use northstack::vendors::kubernetes::Command;
use northstack::workflow::flows::application;
use northstack::workflow::testing::Bench;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::deployments::bench::Town;

/// Keys of the tests, as the setting takes them.
pub const OLD: &str = "old:T0xET0xET0xET0xET0xET0xET0xET0xET0xET0xET0w=";
pub const NEW: &str = "new:TkVXTkVXTkVXTkVXTkVXTkVXTkVXTkVXTkVXTkVXTkU=";

/// Configures keys.
pub fn keys(config: &mut Config, keys: &[&str], active: &str) {
    config.secrets.keys = Some(keys.join(",").as_str().into());
    config.secrets.active_key = Some(active.to_owned());
}

/// A town with one key.
pub async fn town() -> Town {
    Town::with(application::ROLLING, |config| keys(config, &[OLD], "old")).await
}

/// The session of the town's person.
pub fn me(town: &Town) -> Value {
    session(&json!(town.caller.actor.user_id()))
}

pub fn session(user: &Value) -> Value {
    json!({ "x-hasura-role": "user", "x-hasura-user-id": user })
}

/// Sets a secret of the person's team; gives its id and version.
pub async fn set(town: &Town, name: &str, value: &str) -> (Uuid, i64) {
    let answer = town.service.action("setSecret", json!({ "name": name, "value": value }), me(town)).await;
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.text);
    let answer = answer.json();
    (answer["secretId"].as_str().unwrap().parse().unwrap(), answer["version"].as_i64().unwrap())
}

pub async fn reveal(town: &Town, id: Uuid) -> Value {
    let answer = town.service.action("revealSecret", json!({ "id": id }), me(town)).await;
    assert_eq!((answer.status.as_u16(), answer.header("cache-control")), (200, "no-store"), "{}", answer.text);
    answer.json()
}

/// Points variables of an application to secrets.
pub async fn point(town: &Town, application: Uuid, secrets: Value) {
    let input = json!({ "applicationId": application, "secrets": secrets });
    let answer = town.service.action("setEnvironmentVariables", input, me(town)).await;
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.text);
}

/// A variable as a process in each of the application's pods sees it.
pub async fn seen_by_pods(town: &Town, application: Uuid, variable: &str) -> Vec<String> {
    let namespace = town.namespace(application).await;
    let selector = format!("northstack.dev/application={application}");
    let pods: Vec<Pod> = town.kubernetes.list(&namespace, &selector).await.unwrap();
    let mut seen = Vec::new();
    for pod in pods.iter().filter(|pod| pod.metadata.deletion_timestamp.is_none()) {
        let command = Command {
            namespace: &namespace,
            pod: pod.metadata.name.as_deref().unwrap(),
            container: "app",
            arguments: &["printenv".to_owned(), variable.to_owned()],
            input: None,
            timeout: Duration::from_secs(10),
        };
        seen.push(town.kubernetes.exec(&command).await.unwrap().stdout.trim_end_matches('\n').to_owned());
    }
    seen
}

/// The application's Secrets in the cluster.
pub async fn in_cluster(town: &Town, application: Uuid) -> Vec<Secret> {
    let selector = format!("northstack.dev/application={application}");
    town.kubernetes.list(&town.namespace(application).await, &selector).await.unwrap()
}

/// The tables that hold any of the texts, in the forms in which a text may be hidden.
pub async fn tables_with(town: &Town, texts: &[&str]) -> Vec<String> {
    use base64::Engine as _;
    let engine = base64::engine::general_purpose::STANDARD;
    let forms = texts.iter().flat_map(|text| [(*text).to_owned(), hex::encode(text), engine.encode(text)]);
    let patterns: Vec<String> = forms.map(|form| format!("%{form}%")).collect();
    let tables: Vec<(String, String)> = sqlx::query_as(
        "select table_schema::text, table_name::text from information_schema.tables
         where table_type = 'BASE TABLE' and table_schema not in ('pg_catalog', 'information_schema')",
    )
    .fetch_all(&town.pool())
    .await
    .unwrap();
    assert!(tables.len() > 20, "{tables:?}");
    let mut found = Vec::new();
    for (schema, table) in tables {
        let query = format!("select count(*) from \"{schema}\".\"{table}\" x where x::text like any($1)");
        let count: i64 =
            sqlx::query_scalar(sqlx::AssertSqlSafe(query)).bind(&patterns).fetch_one(&town.pool()).await.unwrap();
        if count > 0 {
            found.push(format!("{schema}.{table}"));
        }
    }
    found
}
