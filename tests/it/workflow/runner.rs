//! Waits, retries, cancellation, versions, shutdown and concurrency of the runner.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use northstack::domain::Code;
use northstack::workflow::faults::{Injected, Moment};
use northstack::workflow::testing::{Bench, Worker, ended};
use northstack::workflow::{Enqueued, Faults, Idempotency, Nudge, Options, Runner, digest, enqueue};
use serde_json::json;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::toy::{Toy, World, flow};

/// Waits until `holds`, for at most ten seconds.
pub async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !holds().await {
        assert!(begun.elapsed() < Duration::from_secs(10), "{what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_holds_no_lease_and_says_what_it_sees() {
    let toy = Toy::with(World { looks_until_warm: u32::MAX, ..World::default() }).await;
    let id = toy.enqueue(1).await;
    let worker = Worker::start(&toy, Faults::none());
    until("the operation waits", async || {
        let (status, _, holder, ..) = toy.row(id).await;
        status == "waiting" && holder.is_none()
    })
    .await;
    until("the detail follows", async || {
        let steps = toy.steps(id).await;
        let (name, status, _, detail) = &steps[2];
        name == "warm" && status == "waiting" && detail.as_deref().is_some_and(|it| it.starts_with("look 3"))
    })
    .await;
    assert_eq!(toy.steps(id).await[3].1, "pending");
    worker.stop().await;
    let (status, _, holder, ..) = toy.row(id).await;
    assert_eq!((status.as_str(), holder), ("waiting", None), "a stopped worker leaves no lease");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_that_passes_is_tried_again_and_one_that_stays_fails() {
    let toy = Toy::new().await;
    *toy.world.refuse.lock().unwrap() = vec![Code::Unavailable; 3];
    let passing = toy.enqueue(1).await;
    let worker = Worker::start(&toy, Faults::none());
    assert_eq!(ended(&toy, passing).await, "succeeded");
    assert_eq!(toy.steps(passing).await[1].2, 4, "three faults, and the fourth try");

    *toy.world.refuse.lock().unwrap() = vec![Code::Unavailable; 9];
    let staying = toy.enqueue(1).await;
    assert_eq!(ended(&toy, staying).await, "failed");
    assert_eq!(toy.world.refuse.lock().unwrap().len(), 5, "four tries, no more");
    toy.world.refuse.lock().unwrap().clear();

    *toy.world.refuse.lock().unwrap() = vec![Code::VendorRejected];
    let refused = toy.enqueue(1).await;
    assert_eq!(ended(&toy, refused).await, "failed");
    assert_eq!(toy.row(refused).await.3.as_deref(), Some("the world refuses"));
    let statuses: Vec<_> = toy.steps(refused).await.into_iter().map(|step| step.1).collect();
    assert_eq!(statuses, ["succeeded", "failed", "pending", "pending"]);

    toy.requeue(refused, "forward").await;
    assert_eq!(ended(&toy, refused).await, "succeeded");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_operation_is_undone_and_a_refused_undo_waits_for_a_person() {
    let toy = Toy::with(World { looks_until_warm: u32::MAX, ..World::default() }).await;
    let id = toy.enqueue(1).await;
    let worker = Worker::start(&toy, Faults::none());
    until("the operation waits", async || toy.row(id).await.0 == "waiting").await;
    assert_eq!(toy.world.objects.lock().unwrap().len(), 1);

    *toy.world.refuse_undo.lock().unwrap() = vec![Code::VendorRejected];
    toy.request_cancel(id).await;
    assert_eq!(ended(&toy, id).await, "failed");
    let (_, direction, _, _, stuck) = toy.row(id).await;
    assert_eq!(direction, "undo");
    assert_eq!(stuck.as_deref(), Some("make could not be undone: the world keeps it"));
    assert_eq!(toy.steps(id).await[1].1, "undo_failed");

    toy.requeue(id, "undo").await;
    assert_eq!(ended(&toy, id).await, "cancelled");
    assert!(toy.world.objects.lock().unwrap().is_empty());
    let statuses: Vec<_> = toy.steps(id).await.into_iter().map(|step| step.1).collect();
    assert_eq!(statuses, ["succeeded", "undone", "skipped", "pending"]);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_version_is_reported_and_left_alone() {
    let toy = Toy::new().await;
    let newer = toy.enqueue(7).await;
    let known = toy.enqueue(1).await;
    let runner = Runner::new(toy.pool(), toy.registry(), Nudge::default(), Options::default());
    assert_eq!(runner.unknown().await.unwrap(), [("toy.make".to_owned(), 7, 1)]);
    let refused = runner.check_versions().await.unwrap_err();
    assert!(refused.message().contains("toy.make version 7 (1 open)"), "{refused}");
    let worker = Worker::start(&toy, Faults::none());
    assert_eq!(ended(&toy, known).await, "succeeded");
    worker.stop().await;
    let (status, _, holder, ..) = toy.row(newer).await;
    assert_eq!((status.as_str(), holder), ("queued", None));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_runners_share_the_work_and_a_nudge_beats_the_poll() {
    let toy = Toy::with(World { looks_until_warm: 1, ..World::default() }).await;
    let nudge = Nudge::default();
    let options = Options { poll: Duration::from_secs(3600), ..Options::default() };
    let stop = CancellationToken::new();
    let tasks: Vec<_> = (0..2)
        .map(|number| {
            let options = Options { holder: format!("worker-{number}"), ..options.clone() };
            let runner = Runner::new(toy.pool(), toy.registry(), nudge.clone(), options);
            let stop = stop.clone();
            tokio::spawn(async move { runner.run(stop).await })
        })
        .collect();
    let begun = Instant::now();
    let mut ids = Vec::new();
    for _ in 0..50 {
        ids.push(toy.enqueue(1).await);
        nudge.send("toy.make");
    }
    for id in &ids {
        assert_eq!(ended(&toy, *id).await, "succeeded");
    }
    let steps = ids.len() * 4;
    println!("{steps} steps in {:?}", begun.elapsed());
    stop.cancel();
    for task in tasks {
        task.await.unwrap();
    }
    let objects = toy.world.objects.lock().unwrap();
    assert_eq!(objects.len(), ids.len());
    assert!(objects.values().all(|object| object.made == 1));
    assert_eq!(ids.iter().collect::<HashSet<_>>().len(), 50);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_gives_the_first_operation_and_refuses_another_request() {
    let toy = Toy::new().await;
    let flow = flow(&Arc::clone(&toy.world), 1);
    let request = |label: &str| Some(Idempotency { key: "k-1", digest: digest("make", &json!({ "label": label })) });
    let mut tx = toy.pool.begin().await.unwrap();
    let mut new = toy.new_operation(&flow);
    new.idempotency = request("a");
    let subject = new.subject_id;
    let Enqueued::New(first) = enqueue(&mut tx, new).await.unwrap() else { panic!("the first is new") };
    let mut again = toy.new_operation(&flow);
    again.idempotency = request("a");
    assert_eq!(enqueue(&mut tx, again).await.unwrap(), Enqueued::Before { operation: first, subject });
    let mut other = toy.new_operation(&flow);
    other.idempotency = request("b");
    assert_eq!(enqueue(&mut tx, other).await.unwrap_err().code(), Code::IdempotencyConflict);
}

/// Makes what a step needs have been away for so many seconds already.
async fn away_for(toy: &Toy, id: Uuid, seconds: i32) {
    let aged = "update operation_steps set outage_since = outage_since - make_interval(secs => $2),
                  started_at = started_at - make_interval(secs => $2)
                where operation_id = $1 and outage_since is not null";
    let aged = sqlx::query(aged).bind(id).bind(f64::from(seconds)).execute(&toy.pool()).await.unwrap();
    assert_eq!(aged.rows_affected(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_is_waited_out_and_said_whatever_the_number_of_tries() {
    let toy = Toy::new().await;
    toy.world.away.store(true, Ordering::SeqCst);
    let id = toy.enqueue(1).await;
    let worker = Worker::start(&toy, Faults::none());
    until("many tries", async || toy.world.turned_away.load(Ordering::SeqCst) > 20).await;
    away_for(&toy, id, 20).await;
    until("the step says since when", async || {
        let detail = toy.steps(id).await[1].3.clone().unwrap_or_default();
        detail.starts_with("the world is away; waiting until that is over, 2")
    })
    .await;
    let (status, _, holder, ..) = toy.row(id).await;
    assert!(status != "failed" && holder.is_none_or(|_| status == "running"), "{status}");
    toy.world.away.store(false, Ordering::SeqCst);
    assert_eq!(ended(&toy, id).await, "succeeded");
    let (_, status, attempt, detail) = toy.steps(id).await[1].clone();
    assert_eq!((status.as_str(), attempt, detail), ("succeeded", 1, None));
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_that_lasts_longer_than_the_deadline_fails_with_its_reason_and_can_be_gone_on_with() {
    let toy = Toy::new().await;
    toy.world.away.store(true, Ordering::SeqCst);
    let id = toy.enqueue(1).await;
    let worker = Worker::start(&toy, Faults::none());
    until("it is away", async || toy.world.turned_away.load(Ordering::SeqCst) > 1).await;
    until("it is said", async || toy.steps(id).await[1].1 == "waiting").await;
    away_for(&toy, id, 31).await;
    assert_eq!(ended(&toy, id).await, "failed");
    let error = toy.row(id).await.3.unwrap();
    assert!(error.starts_with("the world is away, for 3"), "{error}");

    // A person goes on while it is still away: the time begins anew.
    toy.requeue(id, "forward").await;
    until("it waits again", async || toy.steps(id).await[1].1 == "waiting").await;
    toy.world.away.store(false, Ordering::SeqCst);
    assert_eq!(ended(&toy, id).await, "succeeded");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_is_not_held_against_a_wait() {
    let toy = Toy::with(World { looks_until_warm: u32::MAX, ..World::default() }).await;
    let id = toy.enqueue(1).await;
    let worker = Worker::start(&toy, Faults::none());
    until("it waits", async || toy.steps(id).await[2].1 == "waiting").await;
    toy.world.away.store(true, Ordering::SeqCst);
    until("it is away", async || {
        toy.steps(id).await[2].3.as_deref().is_some_and(|detail| detail.starts_with("the world is away"))
    })
    .await;
    // Within the outage the step's own deadline of thirty seconds passes.
    away_for(&toy, id, 25).await;
    let turned_away = toy.world.turned_away.load(Ordering::SeqCst);
    until("it is looked at again", async || toy.world.turned_away.load(Ordering::SeqCst) > turned_away).await;
    toy.world.away.store(false, Ordering::SeqCst);
    until("it waits again", async || {
        toy.steps(id).await[2].3.as_deref().is_some_and(|detail| detail.starts_with("look"))
    })
    .await;
    let late = "update operation_steps set started_at = started_at - interval '20 seconds' where operation_id = $1";
    sqlx::query(late).bind(id).execute(&toy.pool()).await.unwrap();
    let looks = async || toy.steps(id).await[2].3.clone();
    let seen = looks().await;
    until("it still waits", async || looks().await != seen).await;
    assert_eq!(toy.row(id).await.0, "waiting");
    let late = "update operation_steps set started_at = started_at - interval '11 seconds' where operation_id = $1";
    sqlx::query(late).bind(id).execute(&toy.pool()).await.unwrap();
    assert_eq!(ended(&toy, id).await, "failed", "its own time is over");
    let error = toy.row(id).await.3.unwrap();
    assert!(error.starts_with("Wait until it is warm took longer than 30 s"), "{error}");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_try_does_not_show_the_error_of_the_one_before() {
    let toy = Toy::new().await;
    *toy.world.refuse.lock().unwrap() = vec![Code::VendorRejected];
    let id = toy.enqueue(1).await;
    let worker = Worker::start(&toy, Faults::none());
    assert_eq!(ended(&toy, id).await, "failed");
    worker.stop().await;
    assert_eq!(toy.steps(id).await[1].3.as_deref(), Some("the world refuses"));

    // Held at the beginning of each of its tries, of which the first fails in a way that may pass.
    *toy.world.refuse.lock().unwrap() = vec![Code::Unavailable];
    let (gate, arrived) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (held, here) = (Arc::clone(&gate), Arc::clone(&arrived));
    let faults = Faults::script(move |point| {
        if (point.step, point.moment) != ("make", Moment::Before) {
            return Injected::Nothing;
        }
        here.notify_one();
        Injected::Hold(Arc::clone(&held))
    });
    toy.requeue(id, "forward").await;
    let worker = Worker::start(&toy, faults);
    for said in [None, Some("try 2 of 4")] {
        arrived.notified().await;
        let (_, status, _, detail) = toy.steps(id).await[1].clone();
        assert_eq!((status.as_str(), detail.as_deref()), ("running", said));
        gate.notify_one();
    }
    assert_eq!(ended(&toy, id).await, "succeeded");
    worker.stop().await;
}
