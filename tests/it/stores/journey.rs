//! A store's life, over the use cases, against the simulated cluster.

use northstack::domain::Code;
use northstack::domain::Error;
use northstack::workflow::Faults;
use northstack::workflow::faults::{Injected, Moment};
use northstack::workflow::flows::store;
use northstack::workflow::testing::{Worker, ended};
use serde_json::{Value, json};

use super::bench::Town;
use northstack::workflow::testing::Bench;

#[tokio::test(flavor = "multi_thread")]
async fn a_store_becomes_ready_sells_three_products_and_goes_without_a_trace() {
    let town = Town::new(store::CREATE).await;
    let id = town.ready("My Shop").await;
    let (store_id, status, error) = town.row(id).await;
    assert_eq!((status.as_str(), error), ("ready", None));

    let listed = town.wp(&store_id, &["wc", "product", "list", "--user=1", "--format=json"]).await;
    let listed: Vec<Value> = serde_json::from_str(&listed).unwrap();
    let mut products: Vec<_> =
        listed.iter().map(|it| (it["name"].as_str().unwrap(), it["regular_price"].as_str().unwrap())).collect();
    products.sort_unstable();
    assert_eq!(products, [("Bluetooth Speaker", "49.99"), ("USB-C Cable", "9.99"), ("Wireless Headphones", "99.99")]);
    assert_eq!(town.wp(&store_id, &["option", "get", "blogname"]).await, "My Shop");
    let url: String = sqlx::query_scalar("select url from stores").fetch_one(&town.pool()).await.unwrap();
    let page = store::visit(&town.kubernetes, &store_id, &url, "/shop/").await.unwrap();
    assert_eq!(page.status, 200);
    assert!(page.body.contains("My Shop") && page.body.contains("Wireless Headphones"), "{}", page.body);
    // Without the shop's own host the API server's port stands in `Host`, and WordPress sends the visitor away.
    let page = town.kubernetes.service_get(&store_id, "woocommerce-service", 80, "/").await.unwrap();
    assert_eq!((page.status, page.location.as_deref()), (301, Some("http://127.0.0.1/")));

    let credentials = town.service.app.reveal_store_credentials(&town.caller, id).await.unwrap();
    assert_eq!(credentials.username, "admin");
    assert_eq!(credentials.password.expose().len(), 24);
    let login = town.wp(&store_id, &["user", "check-password", "admin", credentials.password.expose()]).await;
    assert_eq!(login, "", "the password in the Secret is the administrator's");
    let reveals: i64 = sqlx::query_scalar("select count(*) from audit_logs where action = 'reveal_credentials'")
        .fetch_one(&town.pool())
        .await
        .unwrap();
    assert_eq!(reveals, 1);
    no_row_holds(&town, credentials.password.expose()).await;

    let deletion = town.delete(id).await;
    assert_eq!(town.delete(id).await, deletion, "a second deletion is the first");
    let worker = Worker::start(&town, Faults::none());
    assert_eq!(ended(&town, deletion.operation).await, "succeeded");
    worker.stop().await;
    assert_eq!(town.row(id).await.1, "deleted");
    assert!(town.kubernetes.namespace(&store_id).await.unwrap().is_none());
    assert!(town.service.app.list_stores(&town.caller).await.unwrap().is_empty());
}

/// No text of any row of any table holds a secret.
async fn no_row_holds(town: &Town, secret: &str) {
    let tables: Vec<String> = sqlx::query_scalar("select tablename from pg_tables where schemaname = 'public'")
        .fetch_all(&town.pool())
        .await
        .unwrap();
    for table in tables {
        let query = format!("select count(*) from {table} t where t::text like '%' || $1 || '%'");
        let found: i64 =
            sqlx::query_scalar(sqlx::AssertSqlSafe(query)).bind(secret).fetch_one(&town.pool()).await.unwrap();
        assert_eq!(found, 0, "{table} holds a password");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_keeps_the_namespace_and_a_retry_goes_on_there() {
    let town = Town::new(store::CREATE).await;
    let refuse = Faults::script(|point| {
        if point.step == "theme" && point.moment == Moment::Before {
            Injected::Fail(Error::new(Code::VendorRejected, "no theme today"))
        } else {
            Injected::Nothing
        }
    });
    let made = town.create("My Shop").await;
    let worker = Worker::start(&town, refuse);
    assert_eq!(ended(&town, made.operation).await, "failed");
    worker.stop().await;
    let (store_id, status, error) = town.row(made.store).await;
    assert_eq!((status.as_str(), error.as_deref()), ("failed", Some("no theme today")));
    assert!(town.kubernetes.namespace(&store_id).await.unwrap().is_some());

    let retried = town.service.app.retry_store(&town.caller, made.store, None).await.unwrap();
    assert_eq!(retried, made, "the same operation goes on");
    assert_eq!(town.row(made.store).await.1, "provisioning");
    let again = town.service.app.retry_store(&town.caller, made.store, None).await.unwrap();
    assert_eq!(again, made);
    let worker = Worker::start(&town, Faults::none());
    assert_eq!(ended(&town, made.operation).await, "succeeded");
    worker.stop().await;
    assert_eq!(town.row(made.store).await.1, "ready");
    let refused = town.service.app.retry_store(&town.caller, made.store, None).await.unwrap_err();
    assert_eq!(refused.code(), Code::IllegalTransition);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_in_the_middle_of_provisioning_stops_it_first() {
    let town = Town::new(store::CREATE).await;
    let made = town.create("My Shop").await;
    let gate = std::sync::Arc::new(tokio::sync::Notify::new());
    let hold = gate.clone();
    let (sender, reached) = tokio::sync::oneshot::channel();
    let sender = std::sync::Mutex::new(Some(sender));
    let worker = Worker::start(
        &town,
        Faults::script(move |point| {
            if point.step == "volumes" && point.moment == Moment::AfterEffect {
                if let Some(sender) = sender.lock().unwrap().take() {
                    sender.send(()).unwrap();
                }
                Injected::Hold(hold.clone())
            } else {
                Injected::Nothing
            }
        }),
    );
    reached.await.unwrap();
    let deletion = town.delete(made.store).await;
    assert_eq!(town.row(made.store).await.1, "deleting");
    gate.notify_one();
    assert_eq!(ended(&town, deletion.operation).await, "succeeded");
    assert_eq!(ended(&town, made.operation).await, "cancelled");
    worker.stop().await;
    let (store_id, status, _) = town.row(made.store).await;
    assert_eq!(status, "deleted");
    assert!(town.kubernetes.namespace(&store_id).await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_and_a_discarded_creation_leave_nothing() {
    let town = Town::new(store::CREATE).await;
    let waiting = town.create("Cancelled").await;
    town.service.app.cancel_operation(&town.caller, waiting.operation, None).await.unwrap();
    assert_eq!(town.row(waiting.store).await.1, "deleting");
    let failing = town.create("Discarded").await;
    let refuse = Faults::script(|point| match (point.step, point.moment, point.undo) {
        ("secrets", Moment::Before, false) => Injected::Fail(Error::new(Code::VendorRejected, "no")),
        _ => Injected::Nothing,
    });
    let worker = Worker::start(&town, refuse);
    assert_eq!(ended(&town, waiting.operation).await, "cancelled");
    assert_eq!(ended(&town, failing.operation).await, "failed");
    town.service.app.cancel_operation(&town.caller, failing.operation, None).await.unwrap();
    assert_eq!(ended(&town, failing.operation).await, "cancelled");
    worker.stop().await;
    for store in [waiting.store, failing.store] {
        let (store_id, status, _) = town.row(store).await;
        assert_eq!(status, "deleted");
        assert!(town.kubernetes.namespace(&store_id).await.unwrap().is_none());
    }
    let refused = town.service.app.cancel_operation(&town.caller, failing.operation, None).await.unwrap_err();
    assert_eq!(refused.code(), Code::IllegalTransition);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_image_is_named_as_the_reason() {
    let town = Town::new(store::CREATE).await;
    let mut config = town.service.config.clone();
    config.stores.mysql_image = "mysql:missing".to_owned();
    config.stores.mysql_ready_timeout = std::time::Duration::from_secs(1);
    let broken = northstack::app::Provisioning::new(
        town.kubernetes.clone(),
        &northstack::config::Live::fixed(config),
        std::time::Duration::from_millis(10),
    );
    town.kubernetes.version().await.unwrap();
    let made = town.create("My Shop").await;
    let runner = northstack::workflow::Runner::new(
        town.pool(),
        broken.flows,
        northstack::workflow::Nudge::default(),
        northstack::workflow::Options::default(),
    );
    let stop = tokio_util::sync::CancellationToken::new();
    let token = stop.clone();
    let running = tokio::spawn(async move { runner.run(token).await });
    assert_eq!(ended(&town, made.operation).await, "failed");
    stop.cancel();
    running.await.unwrap();
    let (_, status, error) = town.row(made.store).await;
    assert_eq!(status, "failed");
    let error = error.unwrap();
    assert!(error.starts_with("Wait for MySQL took longer than 1 s; last seen: mysql: 0/1 ready"), "{error}");
    assert!(error.contains("ImagePullBackOff") || error.contains("ErrImagePull"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn rest_speaks_of_the_same_store() {
    let town = Town::new(store::CREATE).await;
    let session = town
        .service
        .post("/api/v1/auth/login", &[], &json!({ "email": "ada@example.com", "password": "correct horse battery" }))
        .await;
    let bearer = format!("Bearer {}", session.json()["data"]["accessToken"].as_str().unwrap());
    let headers = [("authorization", bearer.as_str())];
    let made = town.service.post("/api/stores", &headers, &json!({ "name": "  My Shop " })).await;
    assert_eq!(made.status.as_u16(), 202, "{}", made.text);
    let made = made.json();
    let store_id = made["storeId"].as_str().unwrap().to_owned();
    assert_eq!(made["name"], "My Shop");
    assert_eq!(made["status"], "provisioning");
    assert_eq!(made["url"], format!("http://{store_id}.127.0.0.1.nip.io"));
    assert_eq!(made.as_object().unwrap().len(), 4);

    let all = town.service.get("/api/stores", &headers).await.json();
    assert_eq!(all.as_array().unwrap().len(), 1);
    assert_eq!(all[0]["storeId"], json!(store_id));
    let one = town.service.get(&format!("/api/stores/{store_id}"), &headers).await.json();
    assert_eq!(one["events"][0]["eventType"], "created");
    let metrics = town.service.get("/api/metrics", &headers).await.json();
    assert_eq!(metrics, json!({ "total": 1, "active": 0, "provisioning": 1, "failed": 0 }));

    let path = format!("/api/stores/{store_id}");
    let request = crate::support::request(axum::http::Method::DELETE, &path, &headers, String::new());
    let deleted = town.service.send(request).await;
    assert_eq!((deleted.status.as_u16(), deleted.json()), (200, json!({ "message": "Deletion started" })));
    let metrics = town.service.get("/api/metrics", &headers).await.json();
    assert_eq!(metrics, json!({ "total": 1, "active": 0, "provisioning": 0, "failed": 0 }));
    let other = town.service.register("bob@example.com").await;
    let bearer = format!("Bearer {}", other["accessToken"].as_str().unwrap());
    let hidden = town.service.get(&path, &[("authorization", &bearer)]).await;
    assert_eq!((hidden.status.as_u16(), hidden.code().as_str()), (404, "not-found"));
}
