//! `kill -9` of the whole platform at any moment of provisioning: the store becomes ready, nothing is made twice.

use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use serde_json::{Value, json};

use super::{Stack, create_store, has_status, watch_until};

/// The moments after the mutation at which the process is killed, in milliseconds: one store, killed again and again.
const MOMENTS: [u64; 5] = [15, 300, 700, 1_100, 1_900];

#[tokio::test]
async fn a_store_survives_being_killed_again_and_again() {
    let mut stack = Stack::start().await;
    let token = stack.register("unlucky@example.com").await;
    let store = create_store(&stack, &token, "Phoenix").await;
    for moment in MOMENTS {
        tokio::time::sleep(Duration::from_millis(moment)).await;
        stack.kill();
        stack.run().await;
    }
    watch_until(&stack, &token, |stores| has_status(stores, "Phoenix", "ready")).await;

    made_once(&stack, &token, &store).await;
}

/// The platform aborts by itself where `NORTHSTACK_FAILPOINT` says: before an effect, between an effect and its record,
/// after a record.
#[tokio::test]
async fn a_store_survives_an_abort_at_chosen_points() {
    let [first, later @ ..] =
        ["store.create.mysql.before", "store.create.core.after_effect", "store.create.products.after_record"];
    let mut stack = Stack::configured(vec![("NORTHSTACK_FAILPOINT", first.to_owned())]).await;
    let token = stack.register("tester@example.com").await;
    let store = create_store(&stack, &token, "Phoenix").await;
    aborted(&mut stack, first).await;
    for point in later {
        stack.launch(&[("NORTHSTACK_FAILPOINT", point)]);
        aborted(&mut stack, point).await;
    }
    stack.launch(&[("NORTHSTACK_FAILPOINT", "")]);
    stack.wait_until_ready().await;
    watch_until(&stack, &token, |stores| has_status(stores, "Phoenix", "ready")).await;
    made_once(&stack, &token, &store).await;
}

async fn aborted(stack: &mut Stack, point: &str) {
    let status = stack.ended().await;
    assert_eq!(status.signal(), Some(nix::libc::SIGABRT), "{point}: {status}\n{}", stack.log());
    assert!(stack.log().contains(&format!("\"failpoint\":\"{point}\"")), "{point}\n{}", stack.log());
}

#[test]
fn failpoints_are_listed_and_refused_where_people_are_served() {
    let northstack = |arguments: &[&str], point: &str| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_northstack"));
        command.args(arguments).env("NORTHSTACK_FAILPOINT", point).output().unwrap()
    };
    let listed = northstack(&["admin", "failpoints"], "");
    let listed = String::from_utf8(listed.stdout).unwrap();
    let of_stores = listed.lines().filter(|line| line.starts_with("store.")).count();
    assert_eq!(of_stores, 3 * (16 + 1 + 3), "{listed}");
    for point in [
        "store.create.namespace.before",
        "store.create.namespace.undo_after_effect",
        "store.delete.gone.after_record",
        "deployment.rolling.workload.after_effect",
    ] {
        assert!(listed.lines().any(|line| line == point), "{point}");
    }
    for command in ["serve", "worker"] {
        let refused = northstack(&[command], "store.create.namespace.before");
        let said = String::from_utf8(refused.stderr).unwrap();
        assert_eq!(refused.status.code(), Some(2), "{said}");
        assert!(said.contains("which is for `northstack dev` alone"), "{said}");
    }
}

/// The store is there once, by one operation, and sells each product once.
async fn made_once(stack: &Stack, token: &str, store: &Value) {
    let data = stack
        .data(
            Some(token),
            "{ stores { store_id operations { kind status steps(order_by: {ordinal: asc}) { name status } } } }",
            json!({}),
        )
        .await;
    let stores = data["stores"].as_array().unwrap();
    assert_eq!(stores.len(), 1, "{data:#}");
    assert_eq!(stores[0]["store_id"], store["store_id"]);
    let operations = stores[0]["operations"].as_array().unwrap();
    assert_eq!(operations.len(), 1, "{data:#}");
    assert_eq!(operations[0]["status"], "succeeded");
    let steps = operations[0]["steps"].as_array().unwrap();
    assert!(steps.iter().all(|step| step["status"] == "succeeded"), "{data:#}");

    // What the shop sells, each exactly once.
    let shop = stack
        .http()
        .get(format!("http://127.0.0.1:{}/", stack.store_port()))
        .header("host", format!("{}.127.0.0.1.nip.io:{}", store["store_id"].as_str().unwrap(), stack.store_port()))
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    for product in ["Wireless Headphones", "Bluetooth Speaker", "USB-C Cable"] {
        assert_eq!(shop.matches(&format!(">{product}<")).count(), 1, "{product} in\n{shop}");
    }
    let events = stack.data(Some(token), "{ stores { events { event_type } } }", json!({})).await;
    let ready: Vec<&Value> = events["stores"][0]["events"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|event| event["event_type"] == "ready")
        .collect();
    assert_eq!(ready.len(), 1, "{events:#}");
}
