//! Lanes: one operation at a time, in order; a newer one takes the place of those that wait.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use northstack::db::{lanes, operations};
use northstack::domain::{Code, Direction, Error};
use northstack::workflow::{Options, Progress};
use uuid::Uuid;

use super::script::{Stage, label};

fn quick_options() -> Options {
    Options { holder: Uuid::new_v4().to_string(), ..Options::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_operation_of_a_lane_is_worked_on_at_a_time_in_order_of_creation() {
    // Each operation is seen twice: it waits once, and holds its lane meanwhile.
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let kept = Arc::clone(&seen);
    let stage = Stage::new(move |context| {
        let label = label(&context.operation().input);
        let mut seen = kept.lock().unwrap();
        let again = seen.contains(&label);
        seen.push(label);
        if again { Ok(Progress::done()) } else { wait("once") }
    })
    .await;
    let team = stage.team("one").await;
    let mut last = Uuid::nil();
    for number in 0..10 {
        for lane in ["a", "b"] {
            last = stage.enqueue(team, &format!("{lane}{number}"), Some(lane), false).await;
        }
    }
    let workers = [stage.work(quick_options()), stage.work(quick_options())];
    stage.ends(last, "succeeded").await;
    for lane in ["a", "b"] {
        let of_lane = || seen.lock().unwrap().iter().filter(|label| label.starts_with(lane)).cloned().collect();
        super::runner::until("the lane is done", async || {
            let seen: Vec<String> = of_lane();
            seen.len() == 20
        })
        .await;
        let expected: Vec<String> =
            (0..10).flat_map(|number| [format!("{lane}{number}"), format!("{lane}{number}")]).collect();
        let seen: Vec<String> = of_lane();
        assert_eq!(seen, expected, "one after the other");
    }
    for worker in workers {
        worker.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn operations_that_are_enqueued_at_once_share_a_lane_without_overlap() {
    let at_work: Arc<Mutex<HashMap<String, usize>>> = Arc::default();
    let overlapped = Arc::new(AtomicBool::new(false));
    let (shared, seen) = (Arc::clone(&at_work), Arc::clone(&overlapped));
    let stage = Stage::new(move |context| {
        let lane = context.operation().lane.clone().unwrap();
        let count = {
            let mut shared = shared.lock().unwrap();
            let count = shared.entry(lane.clone()).or_default();
            *count += 1;
            *count
        };
        if count > 1 {
            seen.store(true, Ordering::SeqCst);
        }
        std::thread::yield_now();
        *shared.lock().unwrap().get_mut(&lane).unwrap() -= 1;
        Ok(Progress::done())
    })
    .await;
    let team = stage.team("many").await;
    let workers = [stage.work(quick_options()), stage.work(quick_options())];
    let enqueued = futures::future::join_all((0..60).map(|number| {
        let stage = stage.clone();
        async move { stage.enqueue(team, &number.to_string(), Some(["x", "y", "z"][number % 3]), false).await }
    }))
    .await;
    for id in enqueued {
        stage.ends(id, "succeeded").await;
    }
    assert!(!overlapped.load(Ordering::SeqCst));
    for worker in workers {
        worker.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_operation_lets_go_of_its_lane_and_comes_last_when_it_is_retried() {
    let refuse = Arc::new(AtomicBool::new(true));
    let refusing = Arc::clone(&refuse);
    let order: Arc<Mutex<Vec<String>>> = Arc::default();
    let kept = Arc::clone(&order);
    let gate = Arc::new(AtomicBool::new(false));
    let open = Arc::clone(&gate);
    let stage = Stage::new(move |context| {
        let label = label(&context.operation().input);
        if label == "first" && refusing.load(Ordering::SeqCst) {
            return Err(Error::new(Code::VendorRejected, "refused"));
        }
        if label == "second" && !open.load(Ordering::SeqCst) {
            return wait("for the gate");
        }
        kept.lock().unwrap().push(label);
        Ok(Progress::done())
    })
    .await;
    let team = stage.team("one").await;
    let first = stage.enqueue(team, "first", Some("lane"), false).await;
    let second = stage.enqueue(team, "second", Some("lane"), false).await;
    let worker = stage.work(quick_options());
    stage.ends(first, "failed").await;
    stage.until(second, &["waiting"]).await;
    refuse.store(false, Ordering::SeqCst);
    let mut tx = stage.pool.begin().await.unwrap();
    assert!(operations::requeue(&mut tx, first, Direction::Forward).await.unwrap());
    tx.commit().await.unwrap();
    stage.nudge.send(super::script::KIND);
    let third = stage.enqueue(team, "third", Some("lane"), false).await;
    assert_eq!(stage.status(first).await, "queued", "the lane is held by one that waits");
    gate.store(true, Ordering::SeqCst);
    stage.ends(third, "succeeded").await;
    assert_eq!(*order.lock().unwrap(), ["second", "first", "third"]);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_operation_takes_the_place_of_those_that_nobody_has_begun() {
    let gate = Arc::new(AtomicBool::new(false));
    let open = Arc::clone(&gate);
    let stage =
        Stage::new(move |_| if open.load(Ordering::SeqCst) { Ok(Progress::done()) } else { wait("gate") }).await;
    let team = stage.team("one").await;
    let begun = stage.enqueue(team, "begun", Some("app"), true).await;
    let worker = stage.work(quick_options());
    stage.until(begun, &["waiting"]).await;
    let elsewhere = stage.enqueue(team, "elsewhere", Some("other"), true).await;
    stage.until(elsewhere, &["waiting"]).await;
    let older = stage.enqueue(team, "older", Some("app"), true).await;
    let newer = stage.enqueue(team, "newer", Some("app"), true).await;
    let row: (String, Option<Uuid>, Option<String>) =
        sqlx::query_as("select status, superseded_by, error_message from operations where id = $1")
            .bind(older)
            .fetch_one(&stage.pool)
            .await
            .unwrap();
    assert_eq!((row.0.as_str(), row.1), ("cancelled", Some(newer)));
    assert!(row.2.unwrap().contains("a newer request"));
    assert_eq!(*stage.told.lock().unwrap(), [("older".to_owned(), format!("superseded by {newer}"))]);
    gate.store(true, Ordering::SeqCst);
    for id in [begun, newer, elsewhere] {
        stage.ends(id, "succeeded").await;
    }
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_that_waits_for_its_turn_can_be_ended_at_once() {
    let stage = Stage::new(|_| wait("for ever")).await;
    let team = stage.team("one").await;
    let front = stage.enqueue(team, "front", Some("lane"), false).await;
    let behind = stage.enqueue(team, "behind", Some("lane"), false).await;
    let last = stage.enqueue(team, "last", Some("lane"), false).await;
    let worker = stage.work(quick_options());
    stage.until(front, &["waiting"]).await;
    let mut tx = stage.pool.begin().await.unwrap();
    assert!(operations::request_cancel(&mut tx, behind).await.unwrap());
    tx.commit().await.unwrap();
    stage.nudge.send(super::script::KIND);
    stage.ends(behind, "cancelled").await;
    assert_eq!((stage.status(front).await.as_str(), stage.status(last).await.as_str()), ("waiting", "queued"));

    let mut tx = stage.pool.begin().await.unwrap();
    assert!(operations::request_cancel(&mut tx, front).await.unwrap());
    tx.commit().await.unwrap();
    stage.nudge.send(super::script::KIND);
    stage.ends(front, "cancelled").await;
    stage.until(last, &["waiting"]).await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_refuses_a_second_front_and_a_lane_without_one_is_repaired() {
    let stage = Stage::new(|_| Ok(Progress::done())).await;
    let team = stage.team("one").await;
    let front = stage.enqueue(team, "front", Some("lane"), false).await;
    let behind = stage.enqueue(team, "behind", Some("lane"), false).await;
    let forced = sqlx::query("update operations set lane_blocked = false where id = $1").bind(behind);
    let refused = forced.execute(&stage.pool).await.unwrap_err();
    assert!(refused.to_string().contains("operations_lane_front_key"), "{refused}");

    // As if a front had gone without passing the lane on.
    sqlx::query("update operations set status = 'failed' where id = $1")
        .bind(front)
        .execute(&stage.pool)
        .await
        .unwrap();
    let mut tx = stage.pool.begin().await.unwrap();
    assert_eq!(lanes::repair(&mut tx).await.unwrap(), 1);
    assert_eq!(lanes::repair(&mut tx).await.unwrap(), 0);
    tx.commit().await.unwrap();
    let worker = stage.work(quick_options());
    stage.ends(behind, "succeeded").await;
    worker.stop().await;
}

fn wait(detail: &str) -> northstack::domain::Result<Progress> {
    Ok(Progress::Wait { detail: detail.to_owned(), poll: Duration::from_millis(10) })
}
