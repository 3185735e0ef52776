//! Preview environments, and variables.

use std::collections::BTreeMap;

use northstack::app::background::expire_previews;
use northstack::app::previews::NewPreview;
use northstack::domain::Code;
use northstack::workflow::flows::application;
use northstack::workflow::testing::Bench;
use serde_json::json;

use super::bench::Town;

#[tokio::test(flavor = "multi_thread")]
async fn a_preview_is_a_copy_of_its_own_and_goes_when_its_time_is_over() {
    let town = Town::new(application::ROLLING).await;
    let app = &town.service.app;
    let id = town.running("api", json!({ "replicas": 2 })).await;
    let variable = "insert into environment_variables (application_id, name, value) values ($1, 'LOG', 'info')";
    sqlx::query(variable).bind(id).execute(&town.pool()).await.unwrap();
    let new = NewPreview {
        name: "pr-12".to_owned(),
        image: Some("nginx:pr".to_owned()),
        variables: BTreeMap::from([("LOG".to_owned(), "debug".to_owned())]),
        ..NewPreview::default()
    };
    let made = app.create_preview(&town.caller, id, &new, Some("k")).await.unwrap();
    assert_eq!(app.create_preview(&town.caller, id, &new, Some("k")).await.unwrap(), made);
    assert_eq!(app.create_preview(&town.caller, id, &new, None).await.unwrap_err().code(), Code::AlreadyExists);
    assert_eq!(town.finish(made.operation).await, "succeeded");
    assert_eq!(town.text("preview_environments", "status", made.preview).await.as_deref(), Some("running"));
    let url = town.text("preview_environments", "url", made.preview).await.unwrap();
    assert!(url.starts_with("http://api-pr-12-"), "{url}");
    let namespace = town.text("preview_environments", "namespace", made.preview).await.unwrap();
    assert!(namespace.starts_with("preview-pr-12-"), "{namespace}");
    let page = town.kubernetes.service_get(&namespace, "api-pr-12", 80, "/").await.unwrap();
    assert_eq!(page.status, 200);
    let map: Option<k8s_openapi::api::core::v1::ConfigMap> =
        town.kubernetes.get(&namespace, "api-pr-12-env-1").await.unwrap();
    assert_eq!(map.unwrap().data.unwrap()["LOG"], "debug");
    assert_eq!(town.pods(id).await, ["nginx:1", "nginx:1"], "the application itself is as it was");

    assert_eq!(expire_previews(app).await.unwrap(), 0);
    let past = "update preview_environments set expires_at = now() - interval '1 minute'";
    sqlx::query(past).execute(&town.pool()).await.unwrap();
    assert_eq!(expire_previews(app).await.unwrap(), 1);
    assert_eq!(expire_previews(app).await.unwrap(), 0);
    let deletion = app.delete_preview(&town.caller, made.preview, None).await.unwrap();
    assert_eq!(town.finish(deletion.operation).await, "succeeded");
    assert!(town.kubernetes.namespace(&namespace).await.unwrap().is_none());
    assert_eq!(town.text("preview_environments", "status", made.preview).await.as_deref(), Some("deleted"));
    assert_eq!(app.delete_preview(&town.caller, made.preview, None).await.unwrap_err().code(), Code::IllegalTransition);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preview_that_fails_keeps_its_evidence_and_can_be_deleted() {
    let town = Town::new(application::ROLLING).await;
    let app = &town.service.app;
    let id = town.application("api", json!({})).await;
    let new = NewPreview { name: "pr-1".to_owned(), image: Some("nginx:missing".to_owned()), ..NewPreview::default() };
    let made = app.create_preview(&town.caller, id, &new, None).await.unwrap();
    assert_eq!(town.finish(made.operation).await, "failed");
    let error = town.text("preview_environments", "error", made.preview).await.unwrap();
    assert!(error.contains("ImagePullBackOff"), "{error}");
    let namespace = town.text("preview_environments", "namespace", made.preview).await.unwrap();
    assert!(town.kubernetes.namespace(&namespace).await.unwrap().is_some());
    let deletion = app.delete_preview(&town.caller, made.preview, None).await.unwrap();
    assert_eq!(town.finish(deletion.operation).await, "succeeded");
    assert!(town.kubernetes.namespace(&namespace).await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_previews_of_a_deleted_application_go_with_it() {
    let town = Town::new(application::ROLLING).await;
    let app = &town.service.app;
    let id = town.application("api", json!({})).await;
    let new = NewPreview { name: "pr-1".to_owned(), ..NewPreview::default() };
    let made = app.create_preview(&town.caller, id, &new, None).await.unwrap();
    assert_eq!(town.finish(made.operation).await, "succeeded");
    assert_eq!(expire_previews(app).await.unwrap(), 0);
    let forget = "update applications set deleted_at = now() where id = $1";
    sqlx::query(forget).bind(id).execute(&town.pool()).await.unwrap();
    assert_eq!(expire_previews(app).await.unwrap(), 1);
    let removal: uuid::Uuid = sqlx::query_scalar("select operation_id from preview_environments where id = $1")
        .bind(made.preview)
        .fetch_one(&town.pool())
        .await
        .unwrap();
    assert_eq!(town.finish(removal).await, "succeeded");
    assert_eq!(town.text("preview_environments", "status", made.preview).await.as_deref(), Some("deleted"));
}

#[tokio::test(flavor = "multi_thread")]
async fn variables_are_set_and_removed_all_or_none() {
    let town = Town::new(application::ROLLING).await;
    let me = json!({ "x-hasura-role": "user", "x-hasura-user-id": town.caller.actor.user_id() });
    let id = town.application("api", json!({})).await;
    let set = async |input: serde_json::Value| {
        let mut arguments = json!({ "applicationId": id });
        arguments.as_object_mut().unwrap().extend(input.as_object().unwrap().clone());
        town.service.action("setEnvironmentVariables", arguments, me.clone()).await
    };
    let all = async || -> serde_json::Value {
        let query = "select coalesce(jsonb_object_agg(name, value), '{}') from environment_variables
                     where application_id = $1 and deleted_at is null";
        sqlx::query_scalar(query).bind(id).fetch_one(&town.pool()).await.unwrap()
    };
    let first = set(json!({ "variables": { "A": "1", "B": "2" } })).await;
    assert_eq!(first.json(), json!({ "applicationId": id, "count": 2, "removed": 0 }), "{}", first.text);
    assert_eq!(set(json!({ "variables": { "A": null, "C": "3" } })).await.json()["removed"], 1);
    assert_eq!(all().await, json!({ "B": "2", "C": "3" }));
    for (input, field) in [
        (json!({ "variables": { "D": "4", "E=F": "5" } }), "variables.E=F"),
        (json!({ "variables": { "D": "one\ntwo" } }), "variables.D"),
        (json!({ "variables": { "D": "4" }, "secrets": { "KEY": "nothing" } }), "secrets.KEY"),
        (json!({ "secrets": { "1KEY": "nothing" } }), "secrets.1KEY"),
    ] {
        let refused = set(input.clone()).await;
        assert_eq!(refused.json()["extensions"]["field"], json!(field), "{input}: {}", refused.text);
    }
    assert_eq!(all().await, json!({ "B": "2", "C": "3" }), "nothing of what was refused is kept");
    assert_eq!(set(json!({ "variables": { "Z": "9" }, "replace": true })).await.json()["removed"], 2);
    assert_eq!(all().await, json!({ "Z": "9" }));
}
