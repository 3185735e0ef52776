//! What an operator does about operations: by the library, and by `northstack admin operations`.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use northstack::domain::{Code, Error};
use northstack::workflow::{Abandoned, Control, Controlled, Options, Progress, Registry, abandon};
use serde_json::{Value, json};
use sqlx::PgConnection;
use sqlx::postgres::PgConnectOptions;
use uuid::Uuid;

use super::script::{KIND, Stage};

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_operation_is_retried_and_a_hopeless_one_abandoned_with_a_reason() {
    let refuse = Arc::new(AtomicBool::new(true));
    let refusing = Arc::clone(&refuse);
    let stage = Stage::new(move |_| {
        if refusing.load(Ordering::SeqCst) {
            Err(Error::new(Code::VendorRejected, "refused"))
        } else {
            Ok(Progress::done())
        }
    })
    .await;
    let team = stage.team("one").await;
    let flows = Registry::new([stage.flow()]);
    let failed = stage.enqueue(team, "failed", None, false).await;
    let hopeless = stage.enqueue(team, "hopeless", None, false).await;
    let worker = stage.work(Options::default());
    stage.ends(failed, "failed").await;
    stage.ends(hopeless, "failed").await;
    refuse.store(false, Ordering::SeqCst);
    let mut tx = stage.pool.begin().await.unwrap();
    assert_eq!(retry(&mut tx, &flows, failed).await.unwrap(), Controlled::Done);
    assert_eq!(retry(&mut tx, &flows, failed).await.unwrap(), Controlled::UnderWay);
    assert_eq!(abandon(&mut tx, &flows, hopeless, "the vendor is gone").await.unwrap(), Abandoned::Closed);
    tx.commit().await.unwrap();
    stage.nudge.send(KIND);
    stage.ends(failed, "succeeded").await;
    let message: String = sqlx::query_scalar("select error_message from operations where id = $1")
        .bind(hopeless)
        .fetch_one(&stage.pool)
        .await
        .unwrap();
    assert_eq!(message, "refused; abandoned by an operator: the vendor is gone");
    let told = stage.told.lock().unwrap().clone();
    assert!(told.contains(&("failed".to_owned(), "resumed, undo false".to_owned())), "{told:?}");
    let mut tx = stage.pool.begin().await.unwrap();
    assert_eq!(retry(&mut tx, &flows, failed).await.unwrap_err().code(), Code::IllegalTransition);
    assert_eq!(abandon(&mut tx, &flows, failed, "x").await.unwrap_err().code(), Code::IllegalTransition);
    assert_eq!(retry(&mut tx, &flows, Uuid::new_v4()).await.unwrap_err().code(), Code::NotFound);
    worker.stop().await;
}

async fn retry(tx: &mut PgConnection, flows: &Registry, id: Uuid) -> northstack::domain::Result<Controlled> {
    Control::lock(&mut *tx, flows, id).await?.retry(tx).await
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_works_on_an_abandoned_operation_is_fenced_out() {
    let written = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&written);
    let (entered, go) = (Arc::new(tokio::sync::Notify::new()), Arc::new(tokio::sync::Notify::new()));
    let (at_work, gate) = (Arc::clone(&entered), Arc::clone(&go));
    let stage = Stage::asynchronous(move |context| {
        let (at_work, gate, seen) = (Arc::clone(&at_work), Arc::clone(&gate), Arc::clone(&seen));
        Box::pin(async move {
            at_work.notify_one();
            gate.notified().await;
            seen.store(context.report("still here").await.is_ok(), Ordering::SeqCst);
            Ok(Progress::done())
        })
    })
    .await;
    let team = stage.team("one").await;
    let id = stage.enqueue(team, "held", Some("lane"), false).await;
    let behind = stage.enqueue(team, "behind", Some("lane"), false).await;
    let worker = stage.work(Options::default());
    entered.notified().await;
    let mut tx = stage.pool.begin().await.unwrap();
    let flows = Registry::new([stage.flow()]);
    assert_eq!(abandon(&mut tx, &flows, id, "it hangs").await.unwrap(), Abandoned::Ended);
    tx.commit().await.unwrap();
    go.notify_one();
    stage.nudge.send(KIND);
    entered.notified().await;
    assert!(!written.load(Ordering::SeqCst), "a write after the end");
    go.notify_one();
    stage.ends(behind, "succeeded").await;
    assert_eq!(stage.status(id).await, "failed");
    assert!(stage.told.lock().unwrap().contains(&("held".to_owned(), "failed".to_owned())));
    worker.stop().await;
}

/// Runs `northstack admin operations` on a database; gives its JSON, or what it said on standard error.
pub fn admin(database: &PgConnectOptions, arguments: &[&str]) -> Result<Value, String> {
    let output = Command::new(env!("CARGO_BIN_EXE_northstack"))
        .args(["admin", "operations", "--output", "json"])
        .args(arguments)
        .env("NORTHSTACK_DATABASE__HOSTS", database.get_host())
        .env("NORTHSTACK_DATABASE__PORT", database.get_port().to_string())
        .env("NORTHSTACK_DATABASE__DATABASE", database.get_database().unwrap())
        .env("NORTHSTACK_DATABASE__USER", database.get_username())
        .env("NORTHSTACK_DATABASE__PASSWORD", "integration-test")
        .output()
        .unwrap();
    if output.status.success() {
        Ok(serde_json::from_slice(&output.stdout).unwrap())
    } else {
        Err(String::from_utf8(output.stderr).unwrap())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_lists_shows_signals_and_abandons() {
    let stage = Stage::asynchronous(|context| {
        Box::pin(async move {
            Ok(match context.signal::<Value>("promote").await? {
                Some(payload) => Progress::Done(payload),
                None => Progress::Park { detail: "waits for promotion".to_owned(), wake: None },
            })
        })
    })
    .await;
    let team = stage.team("one").await;
    let id = stage.enqueue(team, "canary", Some("app"), false).await;
    let behind = stage.enqueue(team, "behind", Some("app"), false).await;
    let worker = stage.start(Options { poll: Duration::from_millis(50), ..Options::default() });
    stage.until(id, &["waiting"]).await;
    let database = stage.pool.connect_options();
    let (id, behind) = (id.to_string(), behind.to_string());

    let listed = admin(&database, &["list", "--status", "queued"]).unwrap();
    assert_eq!((listed.as_array().unwrap().len(), &listed[0]["id"]), (1, &json!(behind)));
    assert_eq!(listed[0]["laneBlocked"], json!(true));
    let shown = admin(&database, &["show", &id]).unwrap();
    assert_eq!(shown["operation"]["status"], "waiting");
    assert_eq!(shown["steps"][0]["detail"], "waits for promotion");
    let sent = admin(&database, &["signal", &id, "promote", "--payload", r#"{"weight":50}"#]).unwrap();
    assert_eq!(sent["status"], "signalled");
    stage.ends(id.parse().unwrap(), "succeeded").await;
    let shown = admin(&database, &["show", &id]).unwrap();
    assert_eq!(shown["signals"][0]["payload"], json!({ "weight": 50 }));

    stage.until(behind.parse().unwrap(), &["waiting"]).await;
    let given_up = admin(&database, &["abandon", &behind, "--reason", "nobody promotes it"]).unwrap();
    assert!(given_up["message"].as_str().unwrap().contains("does not know its flow"), "{given_up}");
    assert_eq!(stage.status(behind.parse().unwrap()).await, "failed");
    let audited: Vec<String> =
        sqlx::query_scalar("select action from audit_logs where resource_type = 'operations' order by created_at")
            .fetch_all(&stage.pool)
            .await
            .unwrap();
    assert_eq!(audited, ["signal", "abandon"]);
    assert!(admin(&database, &["retry", &behind]).unwrap_err().contains("this release has no flow"));
    assert!(admin(&database, &["abandon", &id, "--reason", " "]).unwrap_err().contains("reason"));
    assert!(admin(&database, &["signal", &id, "promote", "--payload", "{"]).unwrap_err().contains("payload"));
    assert!(admin(&database, &["show", &Uuid::new_v4().to_string()]).unwrap_err().contains("not-found"));
    worker.stop().await;
}
