//! Signals and parks: an operation that waits for a person holds no task, no lease and no poll.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use northstack::db::{claims, operations};
use northstack::domain::Code;
use northstack::workflow::{Options, Progress, Signalled, signal};
use serde_json::{Value, json};
use uuid::Uuid;

use super::script::{KIND, Stage};

/// A stage whose step parks until the signal `promote` comes; counts how often the step looks.
async fn waiting(wake: Option<Duration>) -> (Stage, Arc<AtomicU32>) {
    let looks = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&looks);
    let stage = Stage::asynchronous(move |context| {
        counted.fetch_add(1, Ordering::SeqCst);
        Box::pin(async move {
            Ok(match context.signal::<Value>("promote").await? {
                Some(payload) => Progress::Done(payload),
                None if wake.is_some_and(|wake| context.elapsed() >= wake) => Progress::Done(json!("in time")),
                None => Progress::Park { detail: "waits for promotion".to_owned(), wake },
            })
        })
    })
    .await;
    (stage, looks)
}

async fn send(stage: &Stage, id: Uuid, payload: Value) -> northstack::domain::Result<Signalled> {
    let mut tx = stage.pool.begin().await.unwrap();
    let (signalled, kind) = signal(&mut tx, id, "promote", &payload, Some(stage.user)).await?;
    tx.commit().await.unwrap();
    stage.nudge.send(&kind);
    Ok(signalled)
}

async fn output(stage: &Stage, id: Uuid) -> Value {
    let output = sqlx::query_scalar("select output from operations where id = $1").bind(id);
    output.fetch_one(&stage.pool).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_park_ends_with_the_first_signal_of_its_name() {
    let (stage, looks) = waiting(None).await;
    let team = stage.team("one").await;
    let id = stage.enqueue(team, "canary", None, false).await;
    let worker = stage.work(Options::default());
    stage.until(id, &["waiting"]).await;
    let row: (Option<String>, bool, Option<String>) = sqlx::query_as(
        "select lease_holder, available_at = 'infinity', (select detail from operation_steps where operation_id = o.id)
         from operations o where id = $1",
    )
    .bind(id)
    .fetch_one(&stage.pool)
    .await
    .unwrap();
    assert_eq!(row, (None, true, Some("waits for promotion".to_owned())));
    assert_eq!(claims::next_due(&stage.pool, &[(KIND.to_owned(), 1)], 8).await.unwrap(), None, "nothing to poll for");
    assert_eq!(looks.load(Ordering::SeqCst), 1);

    assert_eq!(send(&stage, id, json!({ "weight": 50 })).await.unwrap(), Signalled::New);
    stage.ends(id, "succeeded").await;
    assert_eq!(output(&stage, id).await, json!({ "work": { "weight": 50 } }));
    assert_eq!(send(&stage, id, json!({ "weight": 90 })).await.unwrap(), Signalled::Before, "asked twice, done once");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_that_comes_before_its_step_or_between_look_and_park_is_not_lost() {
    let (stage, _) = waiting(None).await;
    let team = stage.team("one").await;
    let early = stage.enqueue(team, "early", None, false).await;
    send(&stage, early, json!("early")).await.unwrap();
    let worker = stage.work(Options::default());
    stage.ends(early, "succeeded").await;
    worker.stop().await;

    // The signal comes while the step, which has looked already, is on its way to the park.
    let looks = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&looks);
    let stage = Stage::asynchronous(move |context| {
        let first = counted.fetch_add(1, Ordering::SeqCst) == 0;
        Box::pin(async move {
            if let Some(payload) = context.signal::<Value>("promote").await? {
                return Ok(Progress::Done(payload));
            }
            if first {
                let other = super::script::connect(&context).await;
                let mut tx = other.begin().await.unwrap();
                signal(&mut tx, context.operation().id, "promote", &json!("between"), None).await?;
                tx.commit().await.unwrap();
            }
            Ok(Progress::Park { detail: "waits".to_owned(), wake: None })
        })
    })
    .await;
    let team = stage.team("two").await;
    let between = stage.enqueue(team, "between", None, false).await;
    let worker = stage.work(Options::default());
    stage.ends(between, "succeeded").await;
    assert_eq!(output(&stage, between).await, json!({ "work": "between" }));
    assert_eq!(looks.load(Ordering::SeqCst), 2);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_park_with_a_time_survives_the_worker_and_ends_by_itself() {
    let wake = Duration::from_millis(300);
    let (stage, looks) = waiting(Some(wake)).await;
    let team = stage.team("one").await;
    let id = stage.enqueue(team, "timed", None, false).await;
    let worker = stage.work(Options::default());
    stage.until(id, &["waiting"]).await;
    worker.stop().await;
    let worker = stage.work(Options::default());
    stage.ends(id, "succeeded").await;
    assert_eq!(output(&stage, id).await, json!({ "work": "in time" }));
    let seconds: f64 = sqlx::query_scalar(
        "select extract(epoch from finished_at - started_at)::float8 from operation_steps where operation_id = $1",
    )
    .bind(id)
    .fetch_one(&stage.pool)
    .await
    .unwrap();
    assert!(seconds >= wake.as_secs_f64(), "{seconds}");
    assert_eq!(looks.load(Ordering::SeqCst), 2, "one look before, one after");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parked_operation_can_be_ended_and_an_ended_one_takes_no_signal() {
    let (stage, _) = waiting(None).await;
    let team = stage.team("one").await;
    let id = stage.enqueue(team, "canary", None, false).await;
    let worker = stage.work(Options::default());
    stage.until(id, &["waiting"]).await;
    let mut tx = stage.pool.begin().await.unwrap();
    assert!(operations::request_cancel(&mut tx, id).await.unwrap());
    tx.commit().await.unwrap();
    stage.nudge.send(KIND);
    stage.ends(id, "cancelled").await;
    let refused = send(&stage, id, json!(null)).await.unwrap_err();
    assert_eq!((refused.code(), refused.message()), (Code::IllegalTransition, "the operation was already cancelled"));
    assert_eq!(send(&stage, Uuid::new_v4(), json!(null)).await.unwrap_err().code(), Code::NotFound);
    worker.stop().await;
}
