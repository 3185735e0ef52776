//! A secret's life: set, given to pods, renewed, rolled back, deleted; and that its value is nowhere else.

use northstack::workflow::flows::application;
use northstack::workflow::testing::Bench;
use serde_json::json;

use super::{in_cluster, point, reveal, seen_by_pods, set, tables_with, town};
use crate::deployments::bench::Town;

const FIRST: &str = "canary-1c7e-first";
const SECOND: &str = "canary-1c7e-second\nof two lines, with ü and $HOME";

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_reaches_the_pods_and_no_table() {
    let town = town().await;
    let (id, version) = set(&town, "api-key", FIRST).await;
    assert_eq!(version, 1);
    let app = town.application("api", json!({})).await;
    point(&town, app, json!({ "API_KEY": "api-key" })).await;
    let first = town.deploy(app, "nginx:1").await;
    assert_eq!(town.finish(first.operation).await, "succeeded");
    assert_eq!(seen_by_pods(&town, app, "API_KEY").await, [FIRST, FIRST]);

    // A new version reaches the pods with the next deployment, and not before.
    assert_eq!(set(&town, "api-key", SECOND).await, (id, 2));
    assert_eq!(set(&town, "api-key", SECOND).await, (id, 2), "the value that it has makes no version");
    assert_eq!(seen_by_pods(&town, app, "API_KEY").await, [FIRST, FIRST]);
    let second = town.deploy(app, "nginx:1").await;
    assert_eq!(town.finish(second.operation).await, "succeeded");
    assert_eq!(seen_by_pods(&town, app, "API_KEY").await, [SECOND, SECOND]);
    let names: Vec<_> = in_cluster(&town, app).await.into_iter().map(|it| it.metadata.name.unwrap()).collect();
    assert_eq!(names, ["api-env-2"], "the first revision's is gone");
    let changes = town.service.app.compare_revisions(&town.caller, app, 1, 2).await.unwrap();
    let change = changes.iter().find(|change| change.field == "variables.API_KEY").unwrap();
    assert_eq!(change.from.as_deref(), Some("secret api-key version 1"));
    assert_eq!(change.to.as_deref(), Some("secret api-key version 2"));

    // Going back says that the value is not what it was, and gives the one of today.
    let back = town.rollback(app, Some(1)).await;
    let said = back.not_restored.join(" ");
    assert!(said.contains("API_KEY gets version 2 of the secret api-key: revision 1 had version 1"), "{said}");
    assert_eq!(town.finish(back.deployment.operation).await, "succeeded");
    assert_eq!(seen_by_pods(&town, app, "API_KEY").await, [SECOND, SECOND]);

    assert_eq!(reveal(&town, id).await, json!({ "secretId": id, "name": "api-key", "version": 2, "value": SECOND }));
    let audited: i64 = sqlx::query_scalar(
        "select count(*) from audit_logs where action = 'reveal' and resource_id = $1 and actor_id = $2
         and details = '{\"name\": \"api-key\", \"version\": 2}'",
    )
    .bind(id)
    .bind(town.caller.actor.user_id())
    .fetch_one(&town.pool())
    .await
    .unwrap();
    assert_eq!(audited, 1);
    let nowhere: Vec<String> = Vec::new();
    assert_eq!(tables_with(&town, &["canary-1c7e"]).await, nowhere);
    assert!(!tables_with(&town, &["api-key"]).await.is_empty(), "the search finds what is there");

    // In use it stays; without users it goes, with its value.
    let refused = town.service.app.delete_secret(&town.caller, id).await.unwrap_err();
    assert!(refused.message().contains("used by variables of api (API_KEY)"), "{refused}");
    sqlx::query("update environment_variables set deleted_at = now()").execute(&town.pool()).await.unwrap();
    town.service.app.delete_secret(&town.caller, id).await.unwrap();
    let left: i32 = sqlx::query_scalar("select length(ciphertext) + length(wrapped_key) from secrets where id = $1")
        .bind(id)
        .fetch_one(&town.pool())
        .await
        .unwrap();
    assert_eq!(left, 0);
    assert_eq!(seen_by_pods(&town, app, "API_KEY").await, [SECOND, SECOND], "what runs keeps what it was given");
    assert_eq!(set(&town, "api-key", FIRST).await.1, 1, "the name is free again");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_has_secrets_of_its_own_and_its_own_come_first() {
    let town = town().await;
    let app = town.application("api", json!({})).await;
    set(&town, "token", "the team's").await;
    let own = json!({ "applicationId": app, "name": "token", "value": "its own" });
    let answer = town.service.action("setSecret", own, super::me(&town)).await;
    assert_eq!(answer.json()["version"], 1, "{}", answer.text);
    point(&town, app, json!({ "TOKEN": "token" })).await;
    let made = town.deploy(app, "nginx:1").await;
    assert_eq!(town.finish(made.operation).await, "succeeded");
    assert_eq!(seen_by_pods(&town, app, "TOKEN").await, ["its own", "its own"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_that_waited_while_its_secret_changed_says_so_and_the_next_one_goes_through() {
    let town = town().await;
    let app = town.application("api", json!({})).await;
    let (id, _) = set(&town, "api-key", FIRST).await;
    point(&town, app, json!({ "API_KEY": "api-key" })).await;
    let made = town.deploy(app, "nginx:1").await;
    assert_eq!(set(&town, "api-key", SECOND).await, (id, 2));
    assert_eq!(town.finish(made.operation).await, "failed");
    let error = town.text("operations", "error_message", made.operation).await.unwrap();
    assert!(
        error.contains("API_KEY: the secret api-key has version 2 by now") && error.contains("deploy again"),
        "{error}"
    );
    let again = town.deploy(app, "nginx:1").await;
    assert_eq!(town.finish(again.operation).await, "succeeded");
    assert_eq!(seen_by_pods(&town, app, "API_KEY").await, [SECOND, SECOND]);

    // Taking a failed deployment back needs no value that is not kept: the earlier Secret is still there.
    assert_eq!(set(&town, "api-key", FIRST).await, (id, 3));
    let failing = town.deploy(app, "nginx:missing").await;
    assert_eq!(town.finish(failing.operation).await, "failed");
    assert_eq!(set(&town, "api-key", "a fourth one").await, (id, 4));
    town.service.app.cancel_operation(&town.caller, failing.operation, None).await.unwrap();
    assert_eq!(town.finish(failing.operation).await, "cancelled");
    assert_eq!(seen_by_pods(&town, app, "API_KEY").await, [SECOND, SECOND]);
}

#[tokio::test(flavor = "multi_thread")]
async fn previews_and_both_colours_get_secrets_too() {
    let town = Town::with(application::BLUE_GREEN, |config| super::keys(config, &[super::OLD], "old")).await;
    let app = town.application("api", json!({ "settings": { "blueGreen": { "autoPromote": true } } })).await;
    set(&town, "api-key", FIRST).await;
    point(&town, app, json!({ "API_KEY": "api-key" })).await;
    for value in [FIRST, SECOND] {
        set(&town, "api-key", value).await;
        let input = json!({ "id": app, "image": "nginx:1", "strategy": "blue_green" });
        let answer = town.service.action("deployApplication", input, super::me(&town)).await.json();
        let operation = answer["operationId"].as_str().unwrap().parse().unwrap();
        assert_eq!(town.finish(operation).await, "succeeded");
        assert_eq!(seen_by_pods(&town, app, "API_KEY").await, [value, value]);
    }
    let preview = northstack::app::previews::NewPreview { name: "pr-1".to_owned(), ..Default::default() };
    let made = town.service.app.create_preview(&town.caller, app, &preview, None).await.unwrap();
    assert_eq!(town.finish(made.operation).await, "succeeded");
    let namespace = town.text("preview_environments", "namespace", made.preview).await.unwrap();
    let found: Vec<k8s_openapi::api::core::v1::Secret> = town.kubernetes.list(&namespace, "").await.unwrap();
    let data = found[0].data.as_ref().unwrap();
    assert_eq!((found.len(), data["API_KEY"].0.as_slice()), (1, SECOND.as_bytes()));
}
