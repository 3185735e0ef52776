//! Deleting an application: an operation that leaves nothing, whatever was going on, and by whatever way it was asked for.

use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use k8s_openapi::api::networking::v1::Ingress;
use kube::api::{Api, Patch, PatchParams, PostParams};
use northstack::app::deployments::NewDeployment;
use northstack::app::handlers::Handler;
use northstack::app::previews::NewPreview;
use northstack::db::alerts::{self, Raise};
use northstack::db::{Audit, operations};
use northstack::domain::Code;
use northstack::workflow::Faults;
use northstack::workflow::flows::application;
use northstack::workflow::testing::{Bench, Worker, ended};
use serde_json::{Value, json};
use uuid::Uuid;

use super::bench::Town;

async fn until(town: &Town, table: &str, id: Uuid, wanted: &str) {
    let begun = Instant::now();
    while town.text(table, "status", id).await.as_deref() != Some(wanted) {
        assert!(begun.elapsed() < Duration::from_secs(30), "{table} {id} is not {wanted}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn ask(town: &Town, input: Value) -> (u16, Value) {
    let session = json!({ "x-hasura-role": "user", "x-hasura-user-id": town.caller.actor.user_id() });
    let answer = town.service.action("deleteApplication", input, session).await;
    (answer.status.as_u16(), answer.json())
}

async fn pods(town: &Town, namespace: &str) -> usize {
    town.kubernetes.list::<Pod>(namespace, "").await.unwrap().len()
}

async fn api<K>(town: &Town, namespace: &str) -> Api<K>
where
    K: kube::Resource<Scope = kube::core::NamespaceResourceScope, DynamicType = ()>,
{
    let config = kube::Config::from_custom_kubeconfig(town.simulator.kubeconfig(), &Default::default()).await.unwrap();
    Api::namespaced(kube::Client::try_from(config).unwrap(), namespace)
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_of_an_application_goes_also_while_its_canary_waits() {
    let town = Town::new(application::CANARY).await;
    let app = &town.service.app;
    let id = town.running("api", json!({ "strategy": "canary", "replicas": 4 })).await;
    let namespace = town.namespace(id).await;
    let preview = NewPreview { name: "pr-1".to_owned(), ..NewPreview::default() };
    let preview = app.create_preview(&town.caller, id, &preview, None).await.unwrap();
    assert_eq!(town.finish(preview.operation).await, "succeeded");
    let team = sqlx::query_scalar("select team_id from projects where id = $1").bind(town.project);
    let team: Uuid = team.fetch_one(&town.pool()).await.unwrap();
    let alert = Raise {
        team_id: team,
        severity: "warning",
        title: "An application does not serve as it should",
        detail: "none",
        subject_type: "application",
        subject_id: id,
    };
    app.db.transaction(&Audit::system(None), async |mut tx| alerts::raise(&mut tx, &alert).await).await.unwrap();
    let own = "insert into secrets (id, team_id, application_id, name, ciphertext, nonce, wrapped_key, key_id)
               values ($1, $2, $3, 'own', 'sealed', 'sealed', 'sealed', 'k')";
    let secret = Uuid::new_v4();
    sqlx::query(own).bind(secret).bind(team).bind(id).execute(&town.pool()).await.unwrap();

    let worker = Worker::start(&town, Faults::none());
    let canary = town.deploy(id, "nginx:2").await;
    until(&town, "deployments", canary.deployment, "paused").await;
    let queued = app.restart_application(&town.caller, id, None).await.unwrap();
    let begun = Instant::now();
    let made = app.delete_application(&town.caller, id, None).await.unwrap();
    assert_eq!(town.text("applications", "status", id).await.as_deref(), Some("deleting"));
    let deploying = app.deploy_application(&town.caller, id, &NewDeployment::default(), None).await.unwrap_err();
    assert_eq!(deploying.code(), Code::IllegalTransition);
    let copy = NewPreview { name: "pr-2".to_owned(), ..NewPreview::default() };
    let copy = app.create_preview(&town.caller, id, &copy, None).await.unwrap_err();
    assert_eq!(copy.code(), Code::IllegalTransition);
    assert_eq!(ended(&town, made.operation).await, "succeeded", "{}", town.detail(made.operation).await);
    println!("deleted in {:?}", begun.elapsed());
    worker.stop().await;

    for operation in [canary.operation, queued.operation] {
        assert_eq!(town.text("operations", "status", operation).await.as_deref(), Some("cancelled"));
    }
    assert!(town.kubernetes.namespace(&namespace).await.unwrap().is_none(), "nothing else lived in it");
    assert_eq!(town.text("applications", "status", id).await.as_deref(), Some("deleted"));
    assert!(town.text("applications", "deleted_at", id).await.is_some());
    assert_eq!(town.text("preview_environments", "status", preview.preview).await.as_deref(), Some("deleted"));
    assert_eq!(town.text("secrets", "encode(ciphertext, 'escape')", secret).await.as_deref(), Some(""));
    let open: i64 = sqlx::query_scalar("select count(*) from alerts where resolved_at is null")
        .fetch_one(&town.pool())
        .await
        .unwrap();
    assert_eq!(open, 0);
    let again = app.delete_application(&town.caller, id, None).await.unwrap_err();
    assert_eq!(again.code(), Code::NotFound);

    // The name is free, and its objects have the names that they had.
    let environment = town.text("applications", "environment", id).await.unwrap();
    let next = town.running("api", json!({ "environment": environment })).await;
    assert_eq!(town.text("applications", "workload", next).await.as_deref(), Some("api"));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_deletions_are_one_and_a_key_stands_for_it_also_when_it_is_done() {
    let town = Town::new(application::ROLLING).await;
    let id = town.running("api", json!({})).await;
    let plain = json!({ "id": id });
    let keyed = json!({ "id": id, "idempotencyKey": "gone" });
    let (a, b, c, d) = tokio::join!(
        ask(&town, plain.clone()),
        ask(&town, plain.clone()),
        ask(&town, keyed.clone()),
        ask(&town, keyed.clone())
    );
    let operation = a.1["operationId"].clone();
    for answer in [&a, &b, &c, &d] {
        assert_eq!((answer.0, &answer.1["operationId"]), (200, &operation), "{}", answer.1);
    }
    let operation: Uuid = operation.as_str().unwrap().parse().unwrap();
    assert_eq!(town.finish(operation).await, "succeeded");
    assert_eq!(ask(&town, keyed).await.1["operationId"], json!(operation));
    assert_eq!(ask(&town, plain).await.0, 404);
    // One that was never deployed has nothing to remove.
    let never = town.application("never", json!({})).await;
    let made = town.service.app.delete_application(&town.caller, never, None).await.unwrap();
    assert_eq!(town.finish(made.operation).await, "succeeded");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_else_put_there_stays_and_so_does_its_namespace() {
    let town = Town::new(application::ROLLING).await;
    let id = town.running("api", json!({ "environment": "shared" })).await;
    let other = town.running("web", json!({ "environment": "shared" })).await;
    let namespace = town.namespace(id).await;
    let maps: Api<ConfigMap> = api(&town, &namespace).await;
    let map = json!({ "metadata": { "name": "notes" } });
    maps.create(&PostParams::default(), &serde_json::from_value(map).unwrap()).await.unwrap();
    for (application, pods_left) in [(id, 2), (other, 0)] {
        let made = town.service.app.delete_application(&town.caller, application, None).await.unwrap();
        assert_eq!(town.finish(made.operation).await, "succeeded");
        assert_eq!(pods(&town, &namespace).await, pods_left);
    }
    let names: Vec<String> = town
        .kubernetes
        .list::<ConfigMap>(&namespace, "")
        .await
        .unwrap()
        .into_iter()
        .filter_map(|it| it.metadata.name)
        .collect();
    assert!(names.contains(&"notes".to_owned()) && !names.iter().any(|name| name.contains("-env-")), "{names:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_held_says_by_whom_and_a_retry_goes_on() {
    let town = Town::with(application::ROLLING, |config| {
        config.applications.delete_timeout = Duration::from_millis(700);
    })
    .await;
    let id = town.running("api", json!({})).await;
    let namespace = town.namespace(id).await;
    let ingresses: Api<Ingress> = api(&town, &namespace).await;
    let hold = async |finalizers: Value| {
        let patch = Patch::Merge(json!({ "metadata": { "finalizers": finalizers } }));
        ingresses.patch("api", &PatchParams::default(), &patch).await.unwrap();
    };
    hold(json!(["example.com/hold"])).await;
    let app = &town.service.app;
    let made = app.delete_application(&town.caller, id, None).await.unwrap();
    assert_eq!(town.finish(made.operation).await, "failed");
    let error = town.text("operations", "error_message", made.operation).await.unwrap();
    assert!(error.contains("Ingress api is being deleted, and held by the finalizer example.com/hold"), "{error}");
    assert_eq!(town.text("applications", "status", id).await.as_deref(), Some("failed"));
    hold(Value::Null).await;
    app.retry_operation(&town.caller, made.operation, None).await.unwrap();
    assert_eq!(town.text("applications", "status", id).await.as_deref(), Some("deleting"));
    assert_eq!(town.finish(made.operation).await, "succeeded");
    assert_eq!(town.text("applications", "status", id).await.as_deref(), Some("deleted"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_is_marked_as_deleted_is_no_way_round_it() {
    let town = Town::new(application::CANARY).await;
    let id = town.running("api", json!({ "strategy": "canary", "replicas": 2 })).await;
    let namespace = town.namespace(id).await;
    let worker = Worker::start(&town, Faults::none());
    let canary = town.deploy(id, "nginx:2").await;
    until(&town, "deployments", canary.deployment, "paused").await;
    let row = "update applications set deleted_at = now() where id = $1 returning to_jsonb(applications)";
    let row: Value = sqlx::query_scalar(row).bind(id).fetch_one(&town.pool()).await.unwrap();
    let trigger = json!({
        "id": Uuid::new_v4(), "created_at": "2026-11-21T21:02:59.418862",
        "table": { "schema": "public", "name": "applications" },
        "event": { "op": "UPDATE", "data": { "old": row, "new": row } },
    });
    let event = northstack::bus::events::event(&serde_json::from_value(trigger).unwrap()).unwrap().1;
    Handler::Applications.handle(&town.service.app, &event).await.unwrap();
    let newest = operations::newest(&town.pool(), application::SUBJECT, id).await.unwrap().unwrap();
    assert_eq!(ended(&town, newest).await, "succeeded");
    worker.stop().await;
    assert!(town.kubernetes.namespace(&namespace).await.unwrap().is_none());
    Handler::Applications.handle(&town.service.app, &event).await.unwrap();
    assert_eq!(operations::newest(&town.pool(), application::SUBJECT, id).await.unwrap(), Some(newest), "it is done");
}
